"""``textsegment segment`` on one image."""

import json
import os
from pathlib import Path

import numpy as np
import pydicom
import pytest
from command_line import CHEST, textsegment
from made_dicom import write_series

from textsegment import read_volume
from textsegment.files.images.seg_nrrd import read_seg_nrrd

pytestmark = pytest.mark.usefixtures("engine")


def segment(*arguments):
    return textsegment("segment", CHEST, *arguments, "--modality", "CT")


def test_one_nifti_a_structure(tmp_path):
    folder = tmp_path / "masks"
    ended = segment("left lung, Leber", "-o", folder, "--json", folder / "report.json", "--quiet")
    assert ended == (0, "", "")
    assert sorted(path.name for path in folder.iterdir()) == [
        "left_lung.nii.gz",
        "liver.nii.gz",
        "report.json",
    ]
    scan, mask = read_volume(CHEST, modality="CT"), read_volume(folder / "liver.nii.gz", modality="CT")
    assert np.allclose(mask.geometry.affine, scan.geometry.affine, rtol=0, atol=1e-4)
    entry = json.loads((folder / "report.json").read_text())["structures"][1]
    assert entry["name"] == "liver"
    assert entry["voxels"] == int(mask.voxels.sum()) > 0


def test_label_map_of_separate_structures(tmp_path):
    assert segment("left lung, liver", "-o", tmp_path / "out.nii.gz").code == 0
    labels = json.loads((tmp_path / "out.labels.json").read_text())["labels"]
    assert [entry["name"] for entry in labels] == ["left lung", "liver"]
    assert set(np.unique(read_volume(tmp_path / "out.nii.gz", modality="CT").voxels)) == {0, 1, 2}


def test_structures_that_nest_are_all_kept_or_refused(tmp_path):
    assert segment("lung, left lung", "-o", tmp_path / "out.seg.nrrd").code == 0
    both = read_seg_nrrd(tmp_path / "out.seg.nrrd")
    assert (both.full_mask("lung") & both.full_mask("left lung")).sum() > 1000
    ended = segment("lung, left lung", "-o", tmp_path / "out.nii.gz")
    assert ended.code == 4
    assert "overlap" in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["out.seg.nrrd"]


def test_a_dicom_folder(tmp_path):
    stored = np.random.default_rng(0).integers(900, 1200, (30, 28, 12)).astype(np.uint16)
    (tmp_path / "series").mkdir()
    write_series(tmp_path / "series", stored, np.diag([6.0, 6.0, 9.0, 1.0]))
    ended = textsegment("segment", f"{tmp_path}/series/", "liver", "-o", tmp_path / "out.seg.nrrd")
    assert ended.code == 0, ended.err
    assert read_seg_nrrd(tmp_path / "out.seg.nrrd").geometry.spatial_shape == (30, 28, 12)
    assert "guessed" not in ended.out


def test_missing_slices_are_said_to_be_missing(tmp_path):
    stored = np.random.default_rng(0).integers(900, 1200, (30, 28, 12)).astype(np.uint16)
    (tmp_path / "series").mkdir()
    paths = write_series(tmp_path / "series", stored, np.diag([6.0, 6.0, 9.0, 1.0]))
    heights = {path: pydicom.dcmread(path).ImagePositionPatient[2] for path in paths}
    sorted(paths, key=heights.__getitem__)[5].unlink()
    ended = textsegment("segment", tmp_path / "series", "liver", "-o", tmp_path / "out.seg.nrrd")
    assert ended.code == 0, ended.err
    assert "! " in ended.out
    assert "slice" in ended.out
    assert read_seg_nrrd(tmp_path / "out.seg.nrrd").geometry.spatial_shape == (30, 28, 12)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    for output in (locked / "out.seg.nrrd", locked / "masks"):
        ended = segment("liver", "-o", output)
        assert ended.code == 4
        assert "may not be written" in ended.err


def test_an_existing_result_is_never_lost(tmp_path):
    out, picture = tmp_path / "out.seg.nrrd", tmp_path / "out.png"
    for kept in (out, picture):
        kept.write_text("precious")
        ended = segment("liver", "-o", out, "--preview", picture)
        assert ended.code == 4
        assert "--overwrite" in ended.err
        assert kept.read_text() == "precious"
        kept.unlink()
    assert list(tmp_path.iterdir()) == []
    out.write_text("old")
    assert segment("liver", "-o", out, "--overwrite").code == 0
    assert len(read_seg_nrrd(out)) == 1


def test_a_folder_with_other_files_is_filled(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    assert segment("liver", "-o", tmp_path).code == 0
    assert segment("liver", "-o", tmp_path).code == 4
    assert segment("left lung", "-o", tmp_path).code == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["left_lung.nii.gz", "liver.nii.gz", "notes.txt"]


def test_the_image_is_never_overwritten(tmp_path):
    scan = tmp_path / "scan.nrrd"
    scan.write_bytes(CHEST.read_bytes())
    ended = textsegment("segment", scan, "liver", "-o", scan, "--overwrite", "--modality", "CT")
    assert ended.code == 4
    assert scan.read_bytes() == CHEST.read_bytes()


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("out.xyz", "suffix"),
        ("nowhere/out.seg.nrrd", "does not exist"),
        ("file.txt/out.seg.nrrd", "is a file"),
        ("file.txt/masks/", "is a file"),
    ],
)
def test_impossible_outputs_are_refused_at_once(tmp_path, output, words):
    (tmp_path / "file.txt").write_text("")
    ended = textsegment("segment", tmp_path / "not even read.nii.gz", "liver", "-o", f"{tmp_path}/{output}")
    assert ended.code == 4
    assert words in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_outputs_of_one_name_and_odd_previews(tmp_path):
    out = tmp_path / "out.seg.nrrd"
    assert segment("liver", "-o", out, "--json", out).code == 4
    assert segment("liver", "-o", out, "--preview", tmp_path / "out.jpg").code == 4
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["liver, left kidny"], 2, "left kidney"),
        (["right spleen"], 2, "spleen"),
        (["white matter"], 2, "MR only"),
        (["left hippocampus"], 2, "structure_unknown"),
        (["лівер"], 2, "not a structure"),
        ([" , "], 2, "no prompt"),
        (["abdominal organs"], 2, "--yes"),
        (["liver", "--modality", "XR"], 3, "CT, MR"),
        (["liver", "--modality", "US"], 3, "US"),
        (["liver", "--modality", "PT"], 2, "CT and MR only"),
        (["liver", "--model", "sat-huge"], 5, "sat-demo, sat-nano, sat-pro"),
        (["liver", "--model", "sat-nano"], 5, "textsegment weights download sat-nano"),
        (["liver", "--device", "abacus"], 6, "auto, cpu, cuda"),
        (["liver", "--precision", "fp8"], 6, "fp32"),
    ],
)
def test_wishes_that_cannot_be_met(tmp_path, monkeypatch, arguments, code, words):
    monkeypatch.setenv("TEXTSEGMENT_HOME", str(tmp_path / "home"))
    given = arguments if "--modality" in arguments else [*arguments, "--modality", "CT"]
    ended = textsegment("segment", CHEST, *given, "-o", tmp_path / "out.seg.nrrd")
    assert ended.code == code, ended.err
    assert words in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "out.seg.nrrd").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["liver"],
        [str(CHEST)],
        [str(CHEST), str(CHEST)],
        [str(CHEST), "liver,", "spleen"],
    ],
)
def test_forgotten_text_or_quotes(tmp_path, arguments):
    ended = textsegment("segment", *arguments, "-o", tmp_path / "out.seg.nrrd")
    assert ended.code == 2
    assert "structures" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_named_like_a_structure_is_no_image(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("liver").mkdir()
    assert segment("liver", "-o", "out.seg.nrrd").code == 0


def test_sets_run_when_agreed_to(tmp_path):
    ended = segment("abdominal organs", "-o", tmp_path / "out", "--yes")
    assert ended.code == 0, ended.err
    assert "The model has" in ended.out
    assert (tmp_path / "out" / "liver.nii.gz").exists()


def test_wider_than_any_name(tmp_path):
    assert textsegment("segment", "x" * 5000, "liver", "-o", tmp_path / "out").code == 3
    assert textsegment("segment", CHEST, "x" * 5000, "-o", tmp_path / "out").code == 3


def test_a_region_by_a_first_result(tmp_path):
    first = tmp_path / "first.seg.nrrd"
    assert segment("liver", "-o", first).code == 0
    report = tmp_path / "report.json"
    ended = segment(
        "liver, aorta", "-o", tmp_path / "out.seg.nrrd", "--roi", f"{first}:liver:10", "--json", report
    )
    assert ended.code == 0, ended
    whole, inside = read_seg_nrrd(first), read_seg_nrrd(tmp_path / "out.seg.nrrd")
    assert np.array_equal(whole.full_mask("liver"), inside.full_mask("liver"))
    told = json.loads(report.read_text())
    assert len(told["region"]) == 6
    assert any("region" in warning for warning in told["warnings"])


def test_a_region_by_corners_of_the_patient(tmp_path):
    scan = read_volume(CHEST, modality="CT")
    (low, high) = scan.geometry.to_ras([[40, 40, 5], [90, 90, 20]]).tolist()
    corners = ",".join(f"{value:.2f}" for value in (*low, *high))
    assert segment("heart", "-o", tmp_path / "out.seg.nrrd", "--roi", corners).code == 0
    mask = read_seg_nrrd(tmp_path / "out.seg.nrrd").full_mask("heart")
    assert mask[40:91, 40:91, 5:21].sum() == mask.sum() > 0


@pytest.mark.parametrize(
    ("roi", "code", "said"),
    [
        ("1,2,3", 2, "six numbers"),
        ("liver", 2, "--roi cannot be read"),
        ("nothing.seg.nrrd:liver:20", 3, "no such file"),
        ("9000,9000,9000,9001,9001,9001", 3, "outside the image"),
    ],
)
def test_a_region_that_cannot_be(tmp_path, roi, code, said):
    ended = segment("liver", "-o", tmp_path / "out.seg.nrrd", "--roi", roi)
    assert ended.code == code
    assert said in ended.err
    assert not (tmp_path / "out.seg.nrrd").exists()


def test_fast_is_said(tmp_path):
    ended = segment("liver", "-o", tmp_path / "out.seg.nrrd", "--fast")
    assert ended.code == 0
    assert "fast mode" in ended.out + ended.err
