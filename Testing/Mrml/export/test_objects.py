"""Export of segments of real MRML nodes as DICOM objects, read back with the backend's readers."""

import logging
import tempfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
import slicer
from cases import erase_a_voxel, row_of, segment
from export_case import Case, as_slicer_loads, axial, box, dice, draw, oblique
from TextSegmentLib.export.request import ExportRequest, Format, names_for
from TextSegmentLib.scene.results.results import Results


@pytest.mark.parametrize("affine", [axial(), oblique()], ids=["axial", "oblique"])
@pytest.mark.parametrize("kind", Format)
def test_segments_come_back_as_they_are(tmp_path, write_series, monkeypatch, affine, kind):
    case = Case(tmp_path / "dicom", write_series, monkeypatch, affine)
    exported = case.export(ExportRequest(kind, tmp_path / "plan"))
    assert exported.file == tmp_path / f"plan{kind}"
    assert all("not axial" in warning for warning in exported.warnings)
    found = case.read(exported.file)
    expected = {"Kidneys": "kidney", "Kidney_L": "left kidney", "Liver": "liver"}
    assert {mask.structure for mask in found} <= set(expected) | {"kidney"}
    assert len(found) == 3
    for mask in found:
        structure = expected.get(mask.structure, mask.structure)
        assert mask.statistics.volume_ml >= 1
        assert dice(found.full_mask(mask.structure), case.expected(structure)) >= 0.99


@pytest.mark.parametrize("kind", Format)
def test_edited_and_drawn_segments_are_exported_as_they_are_now(case, tmp_path, kind):
    erase_a_voxel(case.segmentation_node, "liver")
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    # Edits are detected from the voxels, not from the status.
    logic.SetSegmentStatus(segment(case.segmentation_node, "liver"), logic.Completed)
    logic.SetSegmentStatus(segment(case.segmentation_node, "left kidney"), logic.InProgress)
    draw(case, "GTV", box())
    exported = case.export(ExportRequest(kind, tmp_path / "plan"), {"left kidney", "liver", "GTV"})
    found = case.read(exported.file)
    liver = found.full_mask("Liver")
    assert np.count_nonzero(case.expected("liver")) - np.count_nonzero(liver) == 1
    assert not (liver & ~case.expected("liver")).any()
    assert np.array_equal(found.full_mask("GTV"), box())
    file = pydicom.dcmread(exported.file)
    if kind is Format.STRUCTURE_SET:
        rois = file.StructureSetROISequence
        made = {roi.ROIName: roi.ROIGenerationAlgorithm for roi in rois}
        assert made == {"Kidney_L": "AUTOMATIC", "Liver": "SEMIAUTOMATIC", "GTV": ""}
        said = {roi.ROIName: roi.ROIDescription for roi in rois}
        assert "Edited by a person" in said["Liver"]
        assert "Not made by TextSegment" in said["GTV"]
    else:
        made = {item.SegmentLabel: item.SegmentAlgorithmType for item in file.SegmentSequence}
        assert made == {"Kidney_L": "AUTOMATIC", "Liver": "SEMIAUTOMATIC", "GTV": "SEMIAUTOMATIC"}
        assert {item.SegmentLabel: item.SegmentAlgorithmName for item in file.SegmentSequence}[
            "GTV"
        ] == "unknown"


def test_what_was_said_of_a_segment_when_it_was_found_goes_with_it(case, tmp_path):
    """rt1: warnings used to stay in the table, and were lost on saving or exporting."""
    made = segment(case.segmentation_node, "liver")
    made.SetTag("TextSegment.warnings", "Parts of it were left out.")  # as a run does, see Results.add
    made.SetTag("TextSegment.tidied", "Tidied: smoothed.")
    exported = case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan"), {"liver"})
    (roi,) = pydicom.dcmread(exported.file).StructureSetROISequence
    assert roi.ROIDescription.endswith("Note: Parts of it were left out. Tidied: smoothed.")
    results = Results(case.node, case.segmentation_node)
    assert row_of(results, "liver").warnings == ("Parts of it were left out.",)
    assert row_of(results, "kidney").warnings == ()


def test_the_image_as_slicer_itself_loads_it_has_the_grid_of_its_files(case, tmp_path):
    case.node = as_slicer_loads(case.folder)
    exported = case.export(
        ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan", folder=case.folder), {"liver"}
    )
    assert np.array_equal(case.read(exported.file).full_mask("Liver"), case.expected("liver"))


def test_what_is_written_is_unapproved_and_refers_to_the_images(case, tmp_path):
    exported = case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan"))
    file = pydicom.dcmread(exported.file)
    assert file.ApprovalStatus == "UNAPPROVED"
    assert "machine-made" in file.SeriesDescription
    assert file.StudyInstanceUID == case.scan.source.study_instance_uid
    images = {
        contour.ContourImageSequence[0].ReferencedSOPInstanceUID
        for roi in file.ROIContourSequence
        for contour in roi.ContourSequence
    }
    assert images <= {plane.sop_instance_uid for plane in case.scan.source.planes}
    assert "0" * 10 not in str(file.StructureSetDescription)
    assert "fake" in file.StructureSetROISequence[0].ROIGenerationDescription


def test_a_structure_set_is_extended(case, tmp_path):
    first = case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "first"), {"liver"}).file
    before = first.read_bytes()
    both = case.export(
        ExportRequest(Format.STRUCTURE_SET, tmp_path / "both", append_to=first), {"kidney", "left kidney"}
    ).file
    names = [roi.ROIName for roi in pydicom.dcmread(both).StructureSetROISequence]
    assert names[0] == "Liver"
    assert len(names) == 3
    assert first.read_bytes() == before


def test_names_follow_the_naming(case):
    draw(case, "My very long name of a target", box())
    segment(case.segmentation_node, "left kidney").SetName("Renal allograft")
    assert case.regions[1].structure == "Renal allograft"

    def names(**options):
        return names_for(case.regions, ExportRequest(Format.STRUCTURE_SET, Path("plan"), **options))

    assert names(naming="sat") == ("kidney", "Renal allograft", "liver", "My very long name of a target")
    assert names(naming="tg263")[1:3] == ("Renal allograft", "Liver")
    assert names(naming="snomed")[2] == "Liver"
    assert all(len(name) <= 16 for name in names(short_names=True))
    segment(case.segmentation_node, "liver").SetName("2")
    assert names(naming="tg263")[2] == "2"


def test_an_empty_segment_is_left_out_and_said(case, tmp_path):
    case.segmentation_node.GetSegmentation().AddEmptySegment("", "Nothing")
    exported = case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan"), {"liver", "Nothing"})
    assert "Nothing" in exported.warnings[0]
    assert len(pydicom.dcmread(exported.file).StructureSetROISequence) == 1


def test_the_file_has_the_end_of_its_format(tmp_path):
    def file(path, kind=Format.SEGMENTATION):
        return ExportRequest(kind, tmp_path / path).file.relative_to(tmp_path).as_posix()

    assert file("plan") == "plan.seg.dcm"
    assert file("plan.dcm") == "plan.seg.dcm"
    assert file("plan.rtstruct.dcm") == "plan.seg.dcm"
    assert file("plan.v2.rtstruct.dcm", Format.STRUCTURE_SET) == "plan.v2.rtstruct.dcm"
    assert file("", Format.STRUCTURE_SET) == "TextSegment.rtstruct.dcm"


def test_nothing_of_the_patient_is_logged_or_left(case_of_engine, tmp_path, monkeypatch, caplog, capfd):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with caplog.at_level(logging.DEBUG):
        exported = case_of_engine.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan"))
    said = caplog.text + "".join(capfd.readouterr()) + " ".join(exported.warnings)
    assert "secret" not in said.lower()
    assert list(scratch.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dicom", "plan.rtstruct.dcm", "scratch"]


def test_what_is_doubtful_is_said_in_the_file_unless_somebody_accepted_it(case, tmp_path):
    segmentation, logic = case.segmentation_node.GetSegmentation(), slicer.vtkSlicerSegmentationsModuleLogic
    segments = [segmentation.GetSegment(region.segment_id) for region in case.regions]
    for each in segments[:2]:
        each.SetTag("TextSegment.verdict", "check")
        each.SetTag("TextSegment.reasons", '[["claimed", {"percent": 71}]]')
    logic.SetSegmentStatus(segments[1], logic.Completed)
    exported = case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan", naming="sat"))
    file = pydicom.dcmread(exported.file)
    said = [item.ROIDescription for item in file.StructureSetROISequence]
    assert "Check: other structures claim 71 % of it." in said[0]
    assert not any("71 %" in text for text in said[1:])
