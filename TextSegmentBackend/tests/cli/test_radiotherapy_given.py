"""``textsegment segment --use``: structures that were made before, and what was said of them."""

import json

import numpy as np
import pydicom
import pytest
from command_line import textsegment
from made_dicom import write_series
from planning_scan import AFFINE, stored, whole

from textsegment.files.dicom.reader import read_dicom
from textsegment.files.dicom_seg.reader import read_dicom_seg
from textsegment.files.images.seg_nrrd import read_seg_nrrd
from textsegment.testing import FakeSegmenter

pytestmark = pytest.mark.usefixtures("fake_engine")


@pytest.mark.parametrize("name", ["older.rtstruct.dcm", "older.seg.dcm", "older.seg.nrrd"])
def test_structures_made_before_can_be_used(tmp_path, folder, name):
    older, new = tmp_path / name, tmp_path / "new.seg.nrrd"
    assert textsegment("segment", folder, "aorta, liver", "-o", older, "--naming", "sat").code == 0
    command = ("segment", folder, "liver", "-o", new, "--use", older, "--overwrite", "--derive")
    ended = textsegment(*command, "Rest = liver - (Aorta margin 6)")
    assert ended.code == 2
    assert "both a new structure and a given one" in ended.err
    command = ("segment", folder, "left kidney", *command[3:])
    ended = textsegment(*command, "Rest = liver + Left_Kidney - aorta")
    assert ended.code == 0, ended.err
    assert "structures that were given: liver, aorta" in " ".join(ended.out.split())
    result = read_seg_nrrd(new)
    assert [mask.structure for mask in result] == ["left kidney", "Rest"]
    expected = (whole("liver") | whole("left kidney")) & ~whole("aorta")
    assert np.array_equal(result.full_mask("Rest"), expected)
    assert "'spleen'" in textsegment(*command, "Rest = liver - spleen").err


def move(older, millimetres, *, only=None):
    """Move contours of the first region towards the head."""
    dataset = pydicom.dcmread(older)
    for contour in dataset.ROIContourSequence[0].ContourSequence[:only]:
        contour.ContourData[2::3] = [f"{float(z) + millimetres:.4f}" for z in contour.ContourData[2::3]]
    dataset.save_as(older)


def test_what_should_be_known_of_given_structures_reaches_everything(tmp_path, folder):
    """rt1: contours beside the slices: nothing is lost, and terminal, reports and every file say it."""
    older = tmp_path / "older.rtstruct.dcm"
    assert textsegment("segment", folder, "aorta, liver", "-o", older).code == 0
    move(older, 1.6)
    outputs = [tmp_path / name for name in ("plan.rtstruct.dcm", "plan.seg.dcm", "plan.seg.nrrd")]
    ended = textsegment(
        "segment", folder, "spinal cord", "--use", older, "--derive", "Near = A_Aorta margin 3",
        "--derive", "Rest = spinal cord - Near", *(part for path in outputs for part in ("-o", path)),
        "--json", tmp_path / "report.json", "--report", tmp_path / "report.html",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    said = "A_Aorta: Contours that lie beside the slices of the scan, by up to 1.6 mm"
    assert said in " ".join(ended.out.split())
    assert said in (tmp_path / "report.html").read_text()
    entries = {e["output"]: e for e in json.loads((tmp_path / "report.json").read_text())["structures"]}
    for name in ("Near", "Rest"):
        assert any(text.startswith(said) for text in entries[name]["warnings"]), name
        assert "contours_moved" in entries[name]["codes"]
    aorta = whole("aorta")
    assert entries["Near"]["voxels"] > aorta.sum()
    regions = {str(roi.ROIName): roi for roi in pydicom.dcmread(outputs[0]).StructureSetROISequence}
    assert said in regions["Near"].ROIDescription
    segments = {str(s.SegmentLabel): s for s in pydicom.dcmread(outputs[1]).SegmentSequence}
    assert said in segments["Rest"].SegmentDescription
    scan = read_dicom(folder)
    for read in (read_seg_nrrd(outputs[2]), read_dicom_seg(outputs[1], geometry=scan.volume.geometry)):
        assert any(said in warning for warning in read["Near"].warnings)


@pytest.mark.parametrize("name", ["older.rtstruct.dcm", "older.seg.dcm", "older.seg.nrrd"])
def test_what_a_file_says_of_a_structure_goes_on_in_the_next_one(tmp_path, folder, name):
    """rt1: two commands are no way round a warning."""
    first, older = tmp_path / "first.rtstruct.dcm", tmp_path / name
    assert textsegment("segment", folder, "aorta", "-o", first).code == 0
    move(first, 1.6)
    command = ("segment", folder)
    ended = textsegment(
        *command, "spinal cord", "--use", first, "--derive", "Near = A_Aorta margin 3", "-o", older
    )
    assert ended.code == 0, ended.err
    new = tmp_path / "new.rtstruct.dcm"
    ended = textsegment(*command, "liver", "--use", older, "--derive", "Rest = liver - Near", "-o", new)
    assert ended.code == 0, ended.err
    assert "Near: A_Aorta: Contours that lie beside" in " ".join(ended.out.split())
    (rest,) = [r for r in pydicom.dcmread(new).StructureSetROISequence if r.ROIName == "Rest"]
    assert "Contours that lie beside" in rest.ROIDescription


def test_a_structure_that_lost_everything_is_refused(tmp_path, folder):
    """rt1: a target drawn on other slices is not nothing."""
    older = tmp_path / "older.rtstruct.dcm"
    assert textsegment("segment", folder, "aorta, liver", "-o", older).code == 0
    move(older, 500)
    command = ("segment", folder, "spinal cord", "--use", older, "-o", tmp_path / "out.seg.nrrd", "--derive")
    ended = textsegment(*command, "Rest = spinal cord - A_Aorta")
    assert ended.code == 3
    assert "Nothing of 'A_Aorta' lies on the slices of this scan" in ended.err
    assert not (tmp_path / "out.seg.nrrd").exists()
    assert textsegment(*command, "Rest = spinal cord - Liver").code == 0


def test_what_should_be_known_of_a_structure_that_is_empty_is_said(tmp_path, folder):
    """rt1: the terminal passed over the warnings of structures without voxels."""
    older = tmp_path / "older.rtstruct.dcm"
    assert textsegment("segment", folder, "aorta, liver", "-o", older).code == 0
    move(older, 1.6)
    ended = textsegment(
        "segment", folder, "spinal cord", "--use", older, "--derive", "None = A_Aorta - A_Aorta",
        "-o", tmp_path / "out.seg.nrrd",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert "A_Aorta: Contours that lie beside the slices" in " ".join(ended.out.split())


def test_an_approved_set_is_extended_with_a_warning_and_another_phase_is_refused_at_once(
    tmp_path, folder, monkeypatch
):
    """rt2."""
    older, new = tmp_path / "older.rtstruct.dcm", tmp_path / "new.rtstruct.dcm"
    assert textsegment("segment", folder, "aorta", "-o", older).code == 0
    dataset = pydicom.dcmread(older)
    dataset.ApprovalStatus = "APPROVED"
    dataset.save_as(older)
    command = ("liver", "-o", new, "--append-to", older, "--json", tmp_path / "report.json")
    ended = textsegment("segment", folder, *command)
    assert ended.code == 0, ended.err
    said = "The structure set that was extended was approved by a person; the new one is not."
    assert f"! {said}" in " ".join(ended.out.split())
    assert said in json.loads((tmp_path / "report.json").read_text())["warnings"]
    new.unlink()

    def same_frame(image, k):
        image.FrameOfReferenceUID, image.StudyInstanceUID = (
            dataset.FrameOfReferenceUID,
            dataset.StudyInstanceUID,
        )

    write_series(tmp_path / "phase", stored(1), AFFINE, change=same_frame)
    monkeypatch.setattr(FakeSegmenter, "segment", None)
    for options in (command, ("liver", "-o", new, "--use", older, "--derive", "A = liver - A_Aorta")):
        ended = textsegment("segment", tmp_path / "phase", *options)
        assert ended.code == 3
        assert "made on other images than those of this scan" in ended.err
        assert not new.exists()


def test_structures_of_another_scan_are_refused(tmp_path, folder):
    write_series(tmp_path / "other", stored(1), AFFINE + np.diag([0, 0, 0.5, 0]))
    assert textsegment("segment", tmp_path / "other", "liver", "-o", tmp_path / "o.rtstruct.dcm").code == 0
    assert textsegment("segment", tmp_path / "other", "liver", "-o", tmp_path / "o.seg.nrrd").code == 0
    (tmp_path / "text.dcm").write_text("hello")
    for given, words in (
        ("o.rtstruct.dcm", "frame"),
        ("o.seg.nrrd", "another grid"),
        ("none.dcm", "no such file of structures"),
    ):
        command = ("segment", folder, "aorta", "--derive", "A = aorta - liver", "--use", tmp_path / given)
        ended = textsegment(*command, "-o", tmp_path / "out.seg.nrrd")
        assert ended.code == 3
        assert words in ended.err
