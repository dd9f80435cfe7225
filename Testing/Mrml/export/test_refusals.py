"""Exports that are refused: by what, and what is left."""

from pathlib import Path

import pytest
import slicer
from textsegment.errors import (
    InputError,
    InputNotFoundError,
    OutputError,
    TextSegmentError,
)
from TextSegmentLib.engine.interpreter import Interpreter
from TextSegmentLib.export.request import ExportRequest, Format
from TextSegmentLib.export.writer import PackagesMissingError


def test_a_segmentation_of_surfaces_is_refused(case, tmp_path):
    surface = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    segmentation = case.segmentation_node.GetSegmentation()
    assert segmentation.CreateRepresentation(surface)
    segmentation.SetSourceRepresentationName(surface)
    segmentation.RemoveRepresentation("Binary labelmap")
    with pytest.raises(OutputError, match="surfaces"):
        case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan"))


def test_refusals_have_a_type_and_leave_nothing(case, tmp_path):
    request = ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan")
    with pytest.raises(OutputError, match="No structure is chosen"):
        case.export(request, {"nothing"})
    with pytest.raises(OutputError, match="folder of the file"):
        case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "missing" / "plan"))
    with pytest.raises(InputNotFoundError, match="no structure set"):
        case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan", append_to=tmp_path / "none.dcm"))
    with pytest.raises(InputNotFoundError, match="no such folder"):
        case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan", folder=tmp_path / "none"))
    (tmp_path / "plan.rtstruct.dcm").write_text("precious")
    with pytest.raises(OutputError, match="name already"):
        case.export(request)
    assert (tmp_path / "plan.rtstruct.dcm").read_text() == "precious"


def test_an_image_that_is_not_from_dicom_is_told_so(case, tmp_path):
    case.node.RemoveAttribute("DICOM.instanceUIDs")
    with pytest.raises(InputError, match="not loaded from DICOM") as caught:
        case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan"))
    assert "Secret" not in str(caught.value)


def test_files_that_are_gone_are_told_so(case, tmp_path):
    next(case.folder.glob("*.dcm")).unlink()
    with pytest.raises(InputNotFoundError, match="no longer"):
        case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan"))


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="a folder in which nobody may write, not even root")
def test_a_folder_that_may_not_be_written_is_refused(case):
    with pytest.raises(OutputError):
        case.export(ExportRequest(Format.STRUCTURE_SET, Path("/proc/plan")))


def test_missing_packages_are_named(case_of_engine, tmp_path, monkeypatch):
    monkeypatch.setattr(Format, "requirements", property(lambda self: ("numpy", "no-such-package-here>=2")))
    with pytest.raises(PackagesMissingError) as caught:
        case_of_engine.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan"))
    assert caught.value.requirements == ("no-such-package-here>=2",)


def test_a_python_that_stops_is_told_so(case_of_engine, tmp_path):
    with pytest.raises(TextSegmentError, match="exit code"):
        case_of_engine.export(
            ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan"),
            interpreter=Interpreter("/bin/false", True),
        )
