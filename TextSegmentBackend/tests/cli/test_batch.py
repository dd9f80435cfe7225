"""``textsegment segment`` on many images."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest
from command_line import textsegment
from made_dicom import write_series
from tiny_engine import phantom

from textsegment.files.images.itk_image import write_itk_image
from textsegment.files.images.nifti import write_nifti

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def scans(tmp_path):
    """A folder with two equal scans, a broken one between them, and what is no scan."""
    folder = tmp_path / "scans"
    folder.mkdir()
    volume = phantom((40, 36, 20))
    write_itk_image(folder / "a scan.nrrd", volume.voxels, volume.geometry.affine)
    (folder / "broken.nii.gz").write_bytes(b"garbage")
    shutil.copy(folder / "a scan.nrrd", folder / "third.nrrd")
    (folder / "notes.txt").write_text("no image")
    (folder / "old.seg.nrrd").write_text("no image")
    return folder


def batch(scans, *arguments, text="liver, left lung"):
    out = scans.parent / "out"
    return textsegment("segment", scans, text, "-o", out, "--modality", "CT", *arguments), out


def test_a_broken_image_is_reported_and_left_out(scans):
    ended, out = batch(scans, "--preview", "picture.png", "--json", scans.parent / "out" / "batch.json")
    assert ended.code == 8
    assert "2/3 broken: " in ended.err
    assert "[input_unreadable]" in ended.err
    assert "2 of 3 images are done" in ended.out
    assert sorted(path.name for path in out.iterdir()) == ["a_scan", "batch.json", "third"]
    for name in ("a_scan", "third"):
        files = sorted(path.name for path in (out / name).iterdir())
        assert files == ["left_lung.nii.gz", "liver.nii.gz", "picture.png", "report.json"]
    images = json.loads((out / "batch.json").read_text())["images"]
    assert [(image["name"], image["state"]) for image in images] == [
        ("a_scan", "done"),
        ("broken", "failed"),
        ("third", "done"),
    ]
    assert images[1]["error"]["code"] == "input_unreadable"


def test_it_goes_on_where_it_stopped(scans):
    _, out = batch(scans)
    before = (out / "a_scan" / "report.json").stat().st_mtime_ns
    shutil.rmtree(out / "third")
    (out / ".third.unfinished").mkdir()
    (out / ".third.unfinished" / "half.nii.gz").write_text("half")
    (scans / "broken.nii.gz").unlink()
    ended, _ = batch(scans)
    assert ended.code == 0, ended.err
    assert "1/2 a_scan: kept" in ended.out
    assert (out / "a_scan" / "report.json").stat().st_mtime_ns == before
    files = sorted(path.name for path in (out / "third").iterdir())
    assert files == ["left_lung.nii.gz", "liver.nii.gz", "report.json"]
    assert sorted(path.name for path in out.iterdir()) == ["a_scan", "third"]


def test_a_result_of_something_else_is_not_taken_for_this_one(scans):
    (scans / "broken.nii.gz").unlink()
    _, out = batch(scans)
    old = (out / "a_scan" / "liver.nii.gz").read_bytes()
    ended, _ = batch(scans, text="liver")
    assert ended.code == 8
    assert ended.err.count("[output_unwritable]") == 2
    assert (out / "a_scan" / "liver.nii.gz").read_bytes() == old
    ended, _ = batch(scans, "--overwrite", text="liver")
    assert ended.code == 0
    assert [s["name"] for s in json.loads((out / "third" / "report.json").read_text())["structures"]] == [
        "liver"
    ]


def test_images_of_one_name_from_two_folders(scans, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    volume = phantom((40, 36, 20))
    write_nifti(other / "third.nii.gz", volume.voxels + np.float32(1), volume.geometry.affine, "")
    images = (scans / "third.nrrd", other / "third.nii.gz")
    command = ("liver", "-o", tmp_path / "out", "--modality", "CT")
    assert textsegment("segment", *images, *command).code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["third", "third_2"]
    alone = textsegment("segment", images[1], scans / "third.nrrd", *command)
    assert alone.code == 8, "the other third's result lies there: it is not this one's, and stays"


def test_a_missing_image_and_an_unfit_output(scans, tmp_path):
    scan, missing = scans / "third.nrrd", scans / "missing.nrrd"
    ended = textsegment("segment", missing, scan, "liver", "-o", tmp_path / "out", "--modality", "CT")
    assert ended.code == 8
    assert "1/2 missing: There is no such file" in ended.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["third"]
    for wrong in (["-o", "out.seg.nrrd"], ["-o", "out2", "--preview", "folder/p.png"]):
        ended = textsegment("segment", scan, scan, "liver", *wrong)
        assert ended.code == 4
        assert "everal images" in ended.err


def test_what_is_wrong_for_all_stops_at_once(scans, tmp_path, monkeypatch):
    monkeypatch.setenv("TEXTSEGMENT_HOME", str(tmp_path / "home"))
    assert batch(scans, "--model", "sat-nano")[0].code == 5
    assert batch(scans, text="livr")[0].code == 2
    ended, out = batch(scans, text="abdominal organs")
    assert ended.code == 2
    assert ended.err.count("--yes") == 1
    assert list(out.iterdir()) == []


def test_results_written_into_the_dicom_folder_do_not_replace_the_series(tmp_path):
    """io1: the second run segmented the masks of the first as MR scans, with exit code 0."""
    volume = phantom((40, 36, 20))
    folder = tmp_path / "dicom"
    write_series(folder, (volume.voxels + 1024).clip(0, 4000).astype(np.uint16), volume.geometry.affine)
    for _ in range(2):
        command = ("liver, heart", "-o", f"{folder}/", "--json", tmp_path / "report.json", "--overwrite")
        ended = textsegment("segment", folder, *command)
        assert ended.code == 0, ended.err
        image = json.loads((tmp_path / "report.json").read_text())["image"]
        assert image["modality"] == "CT"
        assert image["shape"] == [40, 36, 20]
    assert "Left out, results of TextSegment or 3D Slicer: heart.nii.gz, liver.nii.gz." in ended.err


def test_a_mixed_folder_fails_and_the_others_are_done(scans, tmp_path):
    """io1: image files beside a few DICOM images are asked back, in a batch too; label maps are said."""
    (scans / "broken.nii.gz").unlink()
    mask = np.zeros((40, 36, 20), dtype=np.uint8)
    mask[10:30, 10:30, 5:15] = 1
    write_itk_image(scans / "third_label.nrrd", mask, np.eye(4))
    mixed = tmp_path / "mixed"
    write_series(mixed, mask[:, :, :2].astype(np.uint16), np.eye(4))
    shutil.copy(scans / "third.nrrd", mixed)
    out = tmp_path / "out"
    command = ("liver", "-o", out, "--modality", "CT", "--json", tmp_path / "all.json")
    ended = textsegment("segment", scans, mixed, *command)
    assert ended.code == 8
    assert "3/3 mixed: The folder holds image files and DICOM images. [input_invalid]" in ended.err
    assert "Left out, label maps: third_label.nrrd." in ended.err
    assert sorted(path.name for path in out.iterdir()) == ["a_scan", "third"]
    left_out = json.loads((tmp_path / "all.json").read_text())["left_out"]
    assert left_out == {"results of TextSegment or 3D Slicer": 1, "label maps": 1}
    alone = textsegment("segment", mixed, "liver", "-o", tmp_path / "out.seg.nrrd")
    assert alone.code == 3
    assert "[input_invalid]" in alone.err


def test_guesses_and_warnings_are_shown(tmp_path):
    """io7: without `--modality`, as the README says."""
    folder = tmp_path / "scans"
    folder.mkdir()
    volume = phantom((40, 36, 20))
    write_itk_image(folder / "a.nrrd", volume.voxels, volume.geometry.affine)
    ended = textsegment("segment", folder, "liver", "-o", tmp_path / "out")
    assert ended.code == 0, ended.err
    assert "! The modality was guessed to be CT" in ended.out


def test_one_volume_of_files_of_several(tmp_path):
    """`--volume N`; another number is another result."""
    volume = phantom((40, 36, 20))
    frames = np.stack([volume.voxels, volume.voxels + np.float32(5)], axis=-1)
    nib.save(nib.Nifti1Image(frames, volume.geometry.affine), tmp_path / "a.nii.gz")
    command = ("segment", tmp_path / "a.nii.gz", "liver", "--modality", "CT", "-o", tmp_path / "a.seg.nrrd")
    ended = textsegment(*command)
    assert ended.code == 3
    assert "--volume and a number from 1 to 2" in ended.err
    assert textsegment(*command, "--volume", "2").code == 0
    assert textsegment(*command, "--volume", "3", "--overwrite").code == 3
    (tmp_path / "scans").mkdir()
    shutil.copy(tmp_path / "a.nii.gz", tmp_path / "scans")
    batch = ("segment", tmp_path / "scans", "liver", "--modality", "CT", "-o", tmp_path / "out")
    assert textsegment(*batch, "--volume", "1").code == 0
    assert "kept" in textsegment(*batch, "--volume", "1").out
    assert textsegment(*batch, "--volume", "2").code == 8


def test_two_outputs_of_one_name_only_where_they_are(scans, tmp_path):
    """io7: label maps of one name in two formats share their table."""
    scan = scans / "third.nrrd"
    command = ("segment", scan, "liver, heart", "--modality", "CT")
    ended = textsegment(*command, "-o", tmp_path / "r.nii.gz", "-o", tmp_path / "r.mha")
    assert ended.code == 0, ended.err
    assert {path.name for path in tmp_path.glob("r.*")} == {"r.nii.gz", "r.mha", "r.labels.json"}
    (tmp_path / "masks").mkdir()
    for pair in (("a.seg.nrrd", "a.seg.nrrd"), ("masks/", "masks/liver.nii.gz"), ("a.nrrd", "./a.nrrd")):
        ended = textsegment(*command, *(part for name in pair for part in ("-o", f"{tmp_path}/{name}")))
        assert ended.code == 4
        assert "Two outputs have the same name" in ended.err
    assert list((tmp_path / "masks").iterdir()) == []
