"""A DICOM series with its volume node and a segmentation, for tests of the export."""

import sys
import time

import numpy as np
import pydicom
import slicer
import vtk
from cases import matrix, volume_node
from slicer_host.dicom import ctkDICOMDatabase
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.dicom_seg.reader import read_dicom_seg
from textsegment.files.rtstruct.reader import read_rtstruct
from textsegment.testing import FakeSegmenter, phantom
from TextSegmentLib.engine.interpreter import Interpreter
from TextSegmentLib.export.regions import list_regions
from TextSegmentLib.export.request import Export, Format
from TextSegmentLib.logic import TextSegmentLogic
from vtk.util import numpy_support

PYTHON = Interpreter(sys.executable, is_slicers=True)


SHAPE = (60, 50, 40)


TEXT = "kidney, left kidney, liver"


def axial():
    """Returns the affine of an axial series."""
    affine = np.diag([-1.5, -1.5, 3.0, 1.0])
    affine[:3, 3] = (44, 40, -120)
    return affine


def oblique():
    """Returns the affine of an oblique series, for which structure sets are inexact."""
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
        """Segments as the export dialog lists them."""
        return list_regions(self.segmentation_node)

    def export(self, request, names=None, interpreter=PYTHON):
        """Exports the segments of these names, or all, and waits for the end."""
        ids = [region.segment_id for region in self.regions if names is None or region.name in names]
        export = Export(self.segmentation_node, self.node, ids, request, interpreter)
        deadline = time.monotonic() + 600
        while not export.is_over:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return export.result()

    def expected(self, structure):
        """Returns the mask that the segment of a structure was made from."""
        segmenter = FakeSegmenter()
        return segmenter.segment(self.scan.volume, [structure]).full_mask(structure)

    def read(self, path):
        """Reads an exported object with the backend's reader."""
        if path.name.endswith(Format.STRUCTURE_SET):
            return read_rtstruct(path, self.scan.source)
        return read_dicom_seg(path, geometry=self.scan.volume.geometry)


def dice(one, other):
    """Returns the Dice coefficient of two masks."""
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
    """Returns a mask that no segmenter makes."""
    drawn = np.zeros(SHAPE, dtype=bool)
    drawn[10:30, 5:20, 7:19] = True
    return drawn


def transform(values):
    """Adds a linear transform with this 4×4 matrix to the scene."""
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
