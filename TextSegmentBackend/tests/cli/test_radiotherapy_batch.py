"""``textsegment segment`` on the scans of many patients: structure sets, segmentations, reports."""

import json

import numpy as np
import pydicom
import pytest
from command_line import CHEST, textsegment
from made_dicom import write_series
from planning_scan import AFFINE, stored

from textsegment.files.dicom.reader import read_dicom
from textsegment.files.dicom_seg.reader import read_dicom_seg
from textsegment.testing import FakeSegmenter, ball

pytestmark = pytest.mark.usefixtures("fake_engine")


@pytest.fixture
def patients(tmp_path):
    """Folders of four patients; the second is no scan, the third lost its identifiers."""

    def without_identity(dataset, _):
        del dataset.SOPInstanceUID

    for seed, name in enumerate(("case 1", "case 2", "case 3", "case 4")):
        change = without_identity if name == "case 3" else None
        if name == "case 2":
            (tmp_path / name).mkdir()
            (tmp_path / name / "slice.dcm").write_bytes(b"garbage")
        else:
            write_series(tmp_path / name, stored(seed), AFFINE, change=change)
    return sorted(tmp_path.iterdir())


def contour(patients, *options, text="left kidney, liver"):
    return textsegment("segment", *patients, text, "-o", "out/plan.rtstruct.dcm", *options)


def test_each_patient_gets_all_files_and_failures_stop_nobody(tmp_path, patients, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ("-o", "out/plan.seg.dcm", "-o", "out/", "--report", "page.html", "--json", "summary.json")
    ended = contour(patients, *options, "--derive", "Ring = liver margin 6 - liver")
    assert ended.code == 8
    assert "2 of 4 images are done: out\nNot done: case_2, case_3\n" in ended.out
    assert "2/4 case_2: There are no DICOM images. [input_unreadable]" in ended.err
    assert "3/4 case_3: No DICOM object can refer to this scan" in ended.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["case_1", "case_4"]
    for folder in (patients[0], patients[3]):
        out = tmp_path / "out" / folder.name.replace(" ", "_")
        masks = ["Kidney_L.nii.gz", "Liver.nii.gz", "Ring.nii.gz"]
        files = ["page.html", "plan.rtstruct.dcm", "plan.seg.dcm", "report.json"]
        assert sorted(path.name for path in out.iterdir()) == masks + files
        image = pydicom.dcmread(next(folder.iterdir()))
        plan = pydicom.dcmread(out / "plan.rtstruct.dcm")
        assert plan.StudyInstanceUID == image.StudyInstanceUID
        assert [roi.ROIName for roi in plan.StructureSetROISequence] == ["Kidney_L", "Liver", "Ring"]
        grid = read_dicom(folder).volume.geometry
        segmented = read_dicom_seg(out / "plan.seg.dcm", geometry=grid)
        assert np.array_equal(segmented.full_mask("Liver"), ball("liver", grid))
    states = [image["state"] for image in json.loads((tmp_path / "summary.json").read_text())["images"]]
    assert states == ["done", "failed", "failed", "done"]


def test_names_and_summaries_of_many_hold_no_patient_data(tmp_path, patients, monkeypatch):
    """Fault 43."""
    monkeypatch.chdir(tmp_path)
    ended = contour(patients, "--report", "page.html", "--json", "summary.json", "-o", "out/all.seg.nrrd")
    out = tmp_path / "out"
    texts = [ended.out, ended.err, (tmp_path / "summary.json").read_text()]
    texts += [path.name for path in out.rglob("*")]
    texts += [path.read_bytes().decode("latin-1") for path in out.rglob("*.*") if path.suffix != ".dcm"]
    image = pydicom.dcmread(next(patients[0].iterdir()))
    for secret in ("Secret", "SECRET", str(image.StudyInstanceUID), str(image.SeriesInstanceUID)):
        assert not [text for text in texts if secret in text]


def test_it_goes_on_where_it_stopped_unless_other_files_are_wanted(tmp_path, patients, monkeypatch):
    monkeypatch.chdir(tmp_path)
    both = (patients[0], patients[3])
    assert contour(both).code == 0
    before = (tmp_path / "out" / "case_1" / "plan.rtstruct.dcm").read_bytes()
    assert contour(both).out.count("kept") == 2
    for other in (("-o", "out/plan.seg.dcm"), ("--short-names",), ("--report", "page.html")):
        ended = contour(both, *other)
        assert ended.code == 8
        assert ended.err.count("[output_unwritable]") == 2
    assert (tmp_path / "out" / "case_1" / "plan.rtstruct.dcm").read_bytes() == before
    assert contour(both, "-o", "out/plan.seg.dcm", "--overwrite").code == 0
    assert (tmp_path / "out" / "case_4" / "plan.seg.dcm").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "plan.rtstruct.dcm"], "-o results/plan.rtstruct.dcm"),
        (["-o", "a/plan.rtstruct.dcm", "-o", "b/plan.seg.dcm"], "one folder"),
        (["-o", "a/", "-o", "b/plan.seg.dcm"], "one folder"),
        (["-o", "a/plan.rtstrct.dcm"], "suffix"),
        (["-o", "a/plan.seg.dcm", "-o", "a/plan.seg.dcm"], "same name"),
        (["-o", "a/plan.seg.dcm", "--short-names"], "structure set"),
        (["-o", "a/plan.rtstruct.dcm", "--append-to", "old.rtstruct.dcm"], "one patient"),
    ],
)
def test_what_cannot_be_written_for_many_is_refused_at_once(tmp_path, patients, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(FakeSegmenter, "segment", None)
    ended = textsegment("segment", *patients, "liver", *options)
    assert ended.code == 4, ended.err
    assert words in ended.err
    assert not list(tmp_path.rglob("plan*"))


def test_images_that_are_no_dicom_fail_alone(tmp_path, patients, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = contour((patients[0], CHEST), "--modality", "CT")
    assert ended.code == 8
    assert "2/2 CTChest4: A DICOM structure set or segmentation needs a scan" in ended.err
    assert (tmp_path / "out" / "case_1" / "plan.rtstruct.dcm").exists()


def test_warnings_of_structures_are_shown_for_each_patient(tmp_path, patients, monkeypatch):
    """rt1: with many patients what is to be known of a structure stood in the reports only."""
    monkeypatch.chdir(tmp_path)
    ended = contour(patients, "--derive", "Ring = liver margin 5 - liver")
    assert ended.code == 8
    assert ended.out.count("  ! Ring: on this grid the margin is") == 2
