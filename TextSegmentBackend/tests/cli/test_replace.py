"""``--replace``: a second run takes the place of the first, but for what a person has made of it."""

import json

import numpy as np
import pydicom
import pytest
from command_line import textsegment
from made_dicom import write_series

AFFINE = np.array([[-3.0, 0, 0, 60], [0, -3, 0, 40], [0, 0, 4, -20], [0, 0, 0, 1]])

pytestmark = pytest.mark.usefixtures("fake_engine")


@pytest.fixture
def first(tmp_path):
    """The structure set of a first run, with the liver edited."""
    stored = np.random.default_rng(0).integers(900, 1200, (48, 44, 30)).astype(np.uint16)
    write_series(tmp_path / "scan", stored, AFFINE)
    path = tmp_path / "first.rtstruct.dcm"
    assert textsegment("segment", tmp_path / "scan", "liver, heart", "-o", path).code == 0
    plan = pydicom.dcmread(path)
    del plan.ROIContourSequence[0].ContourSequence[0]
    plan.save_as(path)
    return path


def second(first, *options, text="liver, heart, left kidney"):
    out = first.with_name("second.rtstruct.dcm")
    options = (*options, "--json", first.with_name("report.json"))
    return out, textsegment("segment", first.parent / "scan", text, "-o", out, "--replace", first, *options)


def test_a_second_run(first):
    out, ended = second(first, "-o", first.with_name("all.seg.nrrd"))
    assert ended.code == 0, ended.err
    plan = pydicom.dcmread(out)
    assert [roi.ROIName for roi in plan.StructureSetROISequence] == ["Liver", "Heart", "Kidney_L"]
    old = pydicom.dcmread(first).ROIContourSequence[0].ContourSequence
    kept = plan.ROIContourSequence[0].ContourSequence
    assert [list(contour.ContourData) for contour in kept] == [list(contour.ContourData) for contour in old]
    report = json.loads(first.with_name("report.json").read_text())
    said = " ".join(report["warnings"] + report["notes"])
    assert "that nobody had edited were replaced: 1." in said
    assert "that a person has edited or added were kept: Liver." in said


def test_an_approved_set_stays_alone(first):
    plan = pydicom.dcmread(first)
    plan.ApprovalStatus = "APPROVED"
    plan.save_as(first)
    out, ended = second(first)
    assert ended.code == 0, ended.err
    assert "it was left alone, and this is a new one" in " ".join(ended.out.split())
    assert "PredecessorStructureSetSequence" not in pydicom.dcmread(out)


def test_nothing_to_write_and_wishes_that_cannot_be_met(first):
    out, ended = second(first, text="liver")
    assert (ended.code, "[output_unwritable]" in ended.err, out.exists()) == (4, True, False)
    _, ended = second(first, "--append-to", first)
    assert (ended.code, "cannot go together" in ended.err) == (2, True)
    command = ["segment", first.parent / "scan", "liver", "--replace", first]
    ended = textsegment(*command, "-o", first, "--overwrite")
    assert (ended.code, "another input" in ended.err) == (4, True)
    ended = textsegment(*command, "-o", out.with_name("a.nii.gz"))
    assert (ended.code, "structure sets" in ended.err) == (4, True)
