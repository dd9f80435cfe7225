"""Export of segments of real MRML nodes as DICOM objects, read back with the backend's readers."""

import contextlib
import logging
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pydicom
import pytest
import slicer
import vtk
from cases import erase_a_voxel, matrix, row_of, segment, volume_node
from slicer_host.dicom import ctkDICOMDatabase
from textsegment.errors import (
    DestinationUnreachableError,
    GeometryError,
    InputError,
    InputNotFoundError,
    OutputError,
    SettingsError,
    TextSegmentError,
)
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.dicom_seg.reader import read_dicom_seg
from textsegment.files.rtstruct.reader import read_rtstruct
from textsegment.geometry import Geometry
from textsegment.templates.reading import template_from_toml
from textsegment.testing import FakeSegmenter, phantom
from textsegment.volume import Volume
from TextSegmentLib.engine.interpreter import Interpreter
from TextSegmentLib.export.destinations import typed_destination
from TextSegmentLib.export.regions import list_regions, take_region
from TextSegmentLib.export.request import Export, ExportRequest, Format, names_for
from TextSegmentLib.export.writer import PackagesMissingError
from TextSegmentLib.logic import TextSegmentLogic
from TextSegmentLib.panel.anatomy.sets import save_own_set
from TextSegmentLib.scene.results.results import Results
from vtk.util import numpy_support

PYTHON = Interpreter(sys.executable, is_slicers=True)
SUPPORT = Path(__file__).parents[2] / "TextSegmentBackend" / "tests" / "support"
SHAPE = (60, 50, 40)
TEXT = "kidney, left kidney, liver"


@pytest.fixture
def write_series(monkeypatch):
    monkeypatch.syspath_prepend(str(SUPPORT))
    import made_dicom

    return made_dicom.write_series


def axial():
    affine = np.diag([-1.5, -1.5, 3.0, 1.0])
    affine[:3, 3] = (44, 40, -120)
    return affine


def oblique():
    affine = phantom().geometry.affine.copy()
    affine[:3, :2] = affine[:3, :2][:, ::-1]  # change the handedness
    return affine if np.linalg.det(affine) < 0 else phantom().geometry.affine


class Case:
    """DICOM series on disk and in the database, with its volume node and a segmentation."""

    def __init__(self, folder, write_series, monkeypatch, affine):
        self.folder = folder
        stored = np.random.default_rng(5).integers(0, 2000, SHAPE).astype(np.uint16)
        write_series(folder, stored, affine)
        self.scan = read_dicom(folder)
        self.node = volume_node(self.scan.volume, "Secret Patient CT")
        database = ctkDICOMDatabase()
        monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
        self.node.SetAttribute("DICOM.instanceUIDs", " ".join(database.insert_folder(folder)))
        self.segmentation_node = TextSegmentLogic().segment(
            self.node, TEXT, segmenter=FakeSegmenter(), modality="CT"
        )

    @property
    def regions(self):
        return list_regions(self.segmentation_node)

    def export(self, request, names=None, interpreter=PYTHON):
        ids = [region.segment_id for region in self.regions if names is None or region.name in names]
        export = Export(self.segmentation_node, self.node, ids, request, interpreter)
        deadline = time.monotonic() + 600
        while not export.is_over:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return export.result()

    def expected(self, structure):
        segmenter = FakeSegmenter()
        return segmenter.segment(self.scan.volume, [structure]).full_mask(structure)

    def read(self, path):
        if path.name.endswith(Format.STRUCTURE_SET):
            return read_rtstruct(path, self.scan.source)
        return read_dicom_seg(path, geometry=self.scan.volume.geometry)


@pytest.fixture
def case(tmp_path, write_series, monkeypatch):
    return Case(tmp_path / "dicom", write_series, monkeypatch, axial())


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


def draw(case, name, mask, geometry=None):
    """Adds a segment as the Segment Editor does: to the label map that the segments share."""
    geometry = geometry or case.scan.volume.geometry
    segment_id = case.segmentation_node.GetSegmentation().AddEmptySegment("", name)
    labelmap = slicer.vtkOrientedImageData()
    i, j, k = mask.shape
    labelmap.SetExtent(0, i - 1, 0, j - 1, 0, k - 1)
    labelmap.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    voxels_kji = numpy_support.vtk_to_numpy(labelmap.GetPointData().GetScalars()).reshape(k, j, i)
    voxels_kji[:] = mask.transpose(2, 1, 0)
    labelmap.SetGeometryFromImageToWorldMatrix(matrix(geometry.affine))
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert logic.SetBinaryLabelmapToSegment(labelmap, case.segmentation_node, segment_id, logic.MODE_REPLACE)


def box():
    drawn = np.zeros(SHAPE, dtype=bool)
    drawn[10:30, 5:20, 7:19] = True
    return drawn


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


def test_a_segment_on_a_finer_grid_is_resampled(case, tmp_path):
    affine = case.scan.volume.geometry.affine.copy()
    affine[:3, 3] = case.scan.volume.geometry.to_ras([8.75, 3.75, 5.75])
    affine[:3, :3] /= 2
    shape = (40, 30, 24)  # half as large, from 8.5 to 28.5 along i
    draw(case, "PTV", np.ones(shape, dtype=bool), Geometry(shape, affine))
    exported = case.export(ExportRequest(Format.SEGMENTATION, tmp_path / "plan"), {"PTV"})
    found = case.read(exported.file).full_mask("PTV")
    expected = np.zeros(SHAPE, dtype=bool)
    expected[9:29, 4:19, 6:18] = True
    assert dice(found, expected) >= 0.99


def between_voxels(case, shift):
    """Returns the exported mask of a 30 × 20 × 10 voxel segment that begins ``shift`` voxels along i."""
    geometry = case.scan.volume.geometry
    affine = geometry.affine.copy()
    affine[:3, 3] = geometry.to_ras([shift, 0.3, 0.3])
    draw(case, "Body", np.ones((30, 20, 10), dtype=bool), Geometry((30, 20, 10), affine))
    return take_region(case.segmentation_node, case.node, case.regions[-1]).to_mask(geometry)


def test_a_segment_between_the_voxels_is_cut_at_the_border(case):
    mask = between_voxels(case, -4.4)
    expected = np.zeros(SHAPE, dtype=bool)
    expected[:26, :20, :10] = True  # nearest neighbors: from -4 to 25 along i
    assert np.array_equal(mask.full(SHAPE), expected)
    assert "beyond the image" in mask.warnings[0]


def test_a_segment_far_beside_the_image_is_empty(case):
    assert between_voxels(case, 200.4).statistics.is_empty


def test_what_reaches_beyond_the_image_is_cut_and_said_so(case, tmp_path):
    affine = case.scan.volume.geometry.affine.copy()
    affine[:3, 3] = case.scan.volume.geometry.to_ras([-5, 0, 0])
    draw(case, "Body", np.ones((30, 20, 10), dtype=bool), Geometry((30, 20, 10), affine))
    exported = case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan"), {"Body"})
    assert np.count_nonzero(case.read(exported.file).full_mask("Body")) == 25 * 20 * 10
    (roi,) = pydicom.dcmread(exported.file).StructureSetROISequence
    assert "beyond the image" in roi.ROIDescription


def test_a_transform_above_both_changes_nothing_and_is_said(case, tmp_path):
    above = transform(np.diag([1, -1, 1, 1]))
    for node in (case.node, case.segmentation_node):
        node.SetAndObserveTransformNodeID(above.GetID())
    exported = case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan"), {"liver"})
    assert "under a transform" in exported.warnings[0]
    assert np.array_equal(case.read(exported.file).full_mask("Liver"), case.expected("liver"))


def test_a_transform_above_the_segments_alone_moves_them(case, tmp_path):
    step = np.eye(4)
    step[:3, 3] = case.scan.volume.geometry.affine[:3, :3] @ [2, 0, 1]
    case.segmentation_node.SetAndObserveTransformNodeID(transform(step).GetID())
    exported = case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan"), {"liver"})
    expected = np.roll(case.expected("liver"), (2, 0, 1), (0, 1, 2))
    assert np.array_equal(case.read(exported.file).full_mask("Liver"), expected)


def test_a_hardened_transform_is_refused(case, tmp_path):
    step = np.eye(4)
    step[:3, 3] = (0, 7, 0)
    for node in (case.node, case.segmentation_node):
        node.SetAndObserveTransformNodeID(transform(step).GetID())
        assert slicer.vtkSlicerTransformLogic.hardenTransform(node)
    with pytest.raises(GeometryError, match="moved, cut or resampled"):
        case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan"))
    assert not list(tmp_path.glob("*.dcm"))


def test_a_non_linear_transform_between_them_is_refused(case, tmp_path):
    bent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode")
    spline = vtk.vtkThinPlateSplineTransform()
    bent.SetAndObserveTransformToParent(spline)
    case.segmentation_node.SetAndObserveTransformNodeID(bent.GetID())
    with pytest.raises(OutputError, match="non-linear"):
        case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan"))


def test_an_image_with_other_axes_is_found_in_a_folder(case, tmp_path):
    """As after conversion to NIfTI: the same voxels with one axis flipped and the axes permuted."""
    scan = case.scan.volume
    affine = scan.geometry.affine @ [[0, -1, 0, SHAPE[0] - 1], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    voxels = np.ascontiguousarray(scan.voxels[::-1].transpose(1, 0, 2))
    case.node = volume_node(Volume(voxels, Geometry(voxels.shape, affine), "CT"), "Turned")
    exported = case.export(
        ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan", folder=case.folder), {"liver"}
    )
    assert np.array_equal(case.read(exported.file).full_mask("Liver"), case.expected("liver"))


def test_the_series_in_a_folder_is_the_one_with_these_voxels(case, tmp_path, write_series):
    other = np.random.default_rng(6).integers(0, 2000, SHAPE).astype(np.uint16)
    write_series(case.folder, other, axial(), series_number=1)
    case.node.RemoveAttribute("DICOM.instanceUIDs")
    exported = case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan", folder=case.folder))
    file = pydicom.dcmread(exported.file)
    assert file.StudyInstanceUID == case.scan.source.study_instance_uid


@pytest.mark.parametrize(
    ("shift", "seed", "said"), [(0, 6, "show something else"), (3, 5, "No series in this folder")]
)
def test_a_folder_of_other_images_is_refused(case, tmp_path, write_series, shift, seed, said):
    stored = np.random.default_rng(seed).integers(0, 2000, SHAPE).astype(np.uint16)
    affine = axial()
    affine[2, 3] += shift
    write_series(tmp_path / "other", stored, affine)
    with pytest.raises(GeometryError, match=said):
        case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan", folder=tmp_path / "other"))


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


def test_a_segmentation_of_surfaces_is_refused(case, tmp_path):
    surface = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    segmentation = case.segmentation_node.GetSegmentation()
    assert segmentation.CreateRepresentation(surface)
    segmentation.SetSourceRepresentationName(surface)
    segmentation.RemoveRepresentation("Binary labelmap")
    with pytest.raises(OutputError, match="surfaces"):
        case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan"))


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


def test_missing_packages_are_named(case, tmp_path, monkeypatch):
    monkeypatch.setattr(Format, "requirements", property(lambda self: ("numpy", "no-such-package-here>=2")))
    with pytest.raises(PackagesMissingError) as caught:
        case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan"))
    assert caught.value.requirements == ("no-such-package-here>=2",)


def test_a_python_that_stops_is_told_so(case, tmp_path):
    with pytest.raises(TextSegmentError, match="exit code"):
        case.export(
            ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan"),
            interpreter=Interpreter("/bin/false", True),
        )


def test_nothing_of_the_patient_is_logged_or_left(case, tmp_path, monkeypatch, caplog, capfd):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with caplog.at_level(logging.DEBUG):
        exported = case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan"))
    said = caplog.text + "".join(capfd.readouterr()) + " ".join(exported.warnings)
    assert "secret" not in said.lower()
    assert list(scratch.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dicom", "plan.rtstruct.dcm", "scratch"]


def transform(values):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(matrix(values))
    return node


def as_slicer_loads(folder):
    """Returns a volume node loaded with the storage node that Slicer's DICOM module uses."""
    files = list(folder.glob("*.dcm"))
    files.sort(key=lambda path: float(pydicom.dcmread(path).ImagePositionPatient[2]))
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(files[0]))
    for path in files:
        storage.AddFileName(str(path))
    storage.SetSingleFile(False)
    storage.SetCenterImage(False)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    assert storage.ReadData(node)
    return node


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


@pytest.fixture
def archive(tmp_path):
    """An archive of dcmtk's: its folder, and where it listens; it takes objects for ARCHIVE only."""
    program = shutil.which("storescp", path="/usr/bin:/usr/local/bin")  # pynetdicom brings another one
    if program is None:
        pytest.skip("needs dcmtk: see Testing/system_packages.sh")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    folder = tmp_path / "archive"
    folder.mkdir()
    process = subprocess.Popen([program, "-aet", "ARCHIVE", "-od", str(folder), str(port)])
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield folder, f"127.0.0.1:{port}"
    process.terminate()
    process.wait(60)


@pytest.mark.parametrize("with_file", [False, True])
@pytest.mark.parametrize("kind", Format)
def test_an_export_is_sent_to_an_archive(case, archive, tmp_path, kind, with_file):
    folder, place = archive
    path = tmp_path / "plan" if with_file else Path()
    wish = ExportRequest(kind, path, destination=typed_destination(f"ARCHIVE@{place}"))
    exported = case.export(wish)
    assert exported.sent_to == f"ARCHIVE@{place}"
    assert exported.not_sent is None
    (arrived,) = folder.iterdir()
    found = pydicom.dcmread(arrived)
    assert found.ApprovalStatus == "UNAPPROVED" if kind is Format.STRUCTURE_SET else found.Modality == "SEG"
    if with_file:
        assert pydicom.dcmread(exported.file).SOPInstanceUID == found.SOPInstanceUID
    else:
        assert exported.file is None


def test_a_destination_that_cannot_be_reached_loses_nothing(case, tmp_path):
    with socket.socket() as listener:  # bound, but not listening
        listener.bind(("127.0.0.1", 0))
        nobody = typed_destination(f"ARCHIVE@127.0.0.1:{listener.getsockname()[1]}")
        written = case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan", destination=nobody))
        assert isinstance(written.not_sent, DestinationUnreachableError)
        assert len(case.read(written.file)) == 3
        with pytest.raises(DestinationUnreachableError):
            case.export(ExportRequest(Format.STRUCTURE_SET, Path(), destination=nobody))


@pytest.mark.parametrize(
    "text",
    ["ARCHIVE", "ARCHIVE@host", "@host:104", "ARCHIVE@host:0", "ftp://host/x", "https://me:secret@host"],
)
def test_destinations_that_are_not_understood(text):
    with pytest.raises(SettingsError, match="not understood"):
        typed_destination(text)


def test_destinations_are_understood():
    typed = typed_destination(" ARCHIVE@[::1]:104 ")
    assert (typed.table["ae_title"], typed.table["host"], typed.table["port"]) == ("ARCHIVE", "::1", 104)
    web = typed_destination("https://pacs.example.org/dicom-web")
    assert web.is_web
    assert web.table["url"] == "https://pacs.example.org/dicom-web"


SITE = """
label = "Abdomen"

[[structure]]
name = "Hepar"
text = "liver"
type = "CONTROL"
color = "#102030"
keep_largest = true

[[structure]]
name = "Hepar_PRV"
derive = "Hepar margin 4"
type = "AVOIDANCE"

[[structure]]
name = "Ren_sin"
text = "left kidney"
most_points = 40
"""


def test_a_set_of_the_site_is_applied_entirely(case, tmp_path):
    site = template_from_toml("site", SITE)
    drawn = case.expected("liver")
    drawn[2:4, 2:4, 2:4] = True  # an island, which the set removes
    case.segmentation_node.GetSegmentation().RemoveSegment(
        next(region.segment_id for region in case.regions if region.name == "liver")
    )
    draw(case, "liver", drawn)
    exported = case.export(
        ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan", naming="sat", template=site)
    )
    file = pydicom.dcmread(exported.file)
    names = [item.ROIName for item in file.StructureSetROISequence]
    assert names == ["Hepar", "Hepar_PRV", "Ren_sin", "kidney"]  # the last is in no line of the set
    types = [item.RTROIInterpretedType for item in file.RTROIObservationsSequence]
    assert types[:2] == ["CONTROL", "AVOIDANCE"]
    assert list(file.ROIContourSequence[0].ROIDisplayColor) == [16, 32, 48]
    assert max(item.NumberOfContourPoints for item in file.ROIContourSequence[2].ContourSequence) <= 40
    found = case.read(exported.file)
    by_name = {mask.structure: found.full_mask(mask.structure) for mask in found}
    hepar = by_name.get("Hepar", by_name.get("liver"))
    assert not hepar[2:4, 2:4, 2:4].any()
    assert any("part" in warning for warning in exported.warnings), exported.warnings


def test_a_set_that_has_none_of_the_structures_is_refused(case, tmp_path):
    site = template_from_toml("site", '[[structure]]\nname = "Lien"\ntext = "spleen"\n')
    with pytest.raises(OutputError, match="None of the structures is in the set"):
        case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan", template=site))


def test_saving_a_set_again_keeps_what_a_site_has_decided(tmp_path):
    path = tmp_path / "Abdomen.toml"
    path.write_text(SITE, "utf-8")
    before = template_from_toml("site", SITE)
    assert save_own_set(tmp_path, "Abdomen", ["liver", "spleen", "left kidney"]) == path
    after = template_from_toml("site", path.read_text("utf-8"))
    assert after.entries[:3] == before.entries
    assert [entry.prompts for entry in after.entries[3:]] == [("spleen",)]
    path.write_text("label = ", "utf-8")
    with pytest.raises(OutputError, match="cannot be read"):
        save_own_set(tmp_path, "Abdomen", ["liver"])
    assert path.read_text("utf-8") == "label = "
