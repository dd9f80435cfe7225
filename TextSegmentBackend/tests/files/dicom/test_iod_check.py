"""What is written follows the standard, as dicom-validator and dciodvfy read it."""

import numpy as np
import pydicom
import pytest
from iod_check import iod_errors, standard_errors
from made_dicom import write_enhanced, write_series
from made_scans import ANISOTROPIC, OBLIQUE, SHEARED

from textsegment.derive.expression import parse_definition
from textsegment.derive.structures import derive
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.dicom_seg.writer import write_dicom_seg
from textsegment.files.rtstruct.writer import write_rtstruct
from textsegment.segmentation import Segmentation, StructureMask

SHAPE = (30, 24, 9)


def enhanced(folder):
    folder.mkdir()
    write_enhanced(folder / "scan.dcm", np.ones(SHAPE, dtype=np.uint16), OBLIQUE)


def series(matrix, **options):
    return lambda folder: write_series(folder, np.ones(SHAPE, dtype=np.uint16), matrix, **options)


def sparse(dataset, k):
    """What badly kept archives leave of a header."""
    for keyword in ("PatientName", "PatientID", "SeriesNumber", "SeriesDescription", "SliceThickness"):
        del dataset[keyword]


SCANS = {
    "CT": series(OBLIQUE),
    "MR": series(ANISOTROPIC, modality="MR"),
    "PET": series(OBLIQUE, modality="PT"),
    "tilted": series(SHEARED),
    "sparse headers": series(OBLIQUE, change=sparse),
    "multi-frame": enhanced,
    "far away": series(OBLIQUE + np.array([[0, 0, 0, -25000.4]] * 3 + [[0, 0, 0, 0]])),
}


def result(scan):
    """Overlapping structures, one with a hole, in parts, one that was not found, and derived ones."""
    i, j, k = np.indices(SHAPE)
    liver = (i - 14) ** 2 + (j - 11) ** 2 + (3 * (k - 4)) ** 2 < 90
    masks = {
        "liver": liver,
        "liver tumor": liver & (i > 16),
        "urinary bladder": liver & ~((abs(i - 14) < 4) & (abs(j - 11) < 3)),
        "left kidney": (j < 3) & (k < 6),
        "right kidney": (j > 20) & (i % 7 < 4),
        "spleen": np.zeros(SHAPE, dtype=bool),
        "my own": (i > 25) & (k > 7),
    }
    geometry = scan.volume.geometry
    found = tuple(StructureMask.measured(name, mask, geometry) for name, mask in masks.items())
    provenance = {"model": "sat-demo", "weights_sha256": "ab" * 32}
    recipes = ("Kidneys = left kidney + right kidney", "PRV = spleen + liver margin 4")
    return derive(Segmentation(geometry, found, provenance), [parse_definition(text) for text in recipes])


@pytest.fixture(params=SCANS)
def scan(request, tmp_path):
    SCANS[request.param](tmp_path / "scan")
    return read_dicom(tmp_path / "scan")


def test_structure_sets_have_no_error(tmp_path, scan):
    write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm")
    assert standard_errors(tmp_path / "plan.dcm") == []


def test_extended_structure_sets_have_no_error(tmp_path, scan):
    write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm")
    options = {"append_to": tmp_path / "plan.dcm", "keep_empty": True, "short_names": True}
    write_rtstruct(result(scan), scan.source, tmp_path / "extended.dcm", **options)
    assert standard_errors(tmp_path / "extended.dcm") == []


def test_segmentations_have_no_error(tmp_path, scan):
    write_dicom_seg(result(scan), scan.source, tmp_path / "out.seg.dcm")
    assert standard_errors(tmp_path / "out.seg.dcm") == []


def test_the_check_sees_errors(tmp_path):
    SCANS["CT"](tmp_path / "scan")
    scan = read_dicom(tmp_path / "scan")
    write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm")
    dataset = pydicom.dcmread(tmp_path / "plan.dcm")
    del dataset.StructureSetLabel
    del dataset.RTROIObservationsSequence[0].RTROIInterpretedType
    dataset.StructureSetROISequence[0].ROINumber = None
    dataset.ApprovalStatus = "PERHAPS"
    dataset.Rows = 3
    dataset.save_as(tmp_path / "plan.dcm")
    assert any("StructureSetLabel" in error for error in standard_errors(tmp_path / "plan.dcm"))
    found = {error.partition(" {")[0].rstrip() for error in iod_errors(tmp_path / "plan.dcm")}
    assert found == {
        "structure-set: (3006,0002) TagMissing",
        "structure-set: (3006,0020) / (3006,0022) TagEmpty",
        "rt-roi-observations: (3006,0080) / (3006,00A4) TagMissing",
        "approval: (300E,0002) EnumValueNotAllowed",
        "General: (0028,0010) TagUnexpected",
    }
