"""Regions and segments say who made them."""

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from made_dicom import write_series

from textsegment.files.dicom.reader import read_dicom
from textsegment.files.dicom_seg.writer import write_dicom_seg
from textsegment.files.rtstruct.writer import write_rtstruct
from textsegment.origin import Maker, Origin
from textsegment.testing import FakeSegmenter

STRUCTURES = ["liver", "kidney", "aorta"]


@pytest.fixture
def result(tmp_path):
    stored = np.arange(40 * 36 * 24).reshape(40, 36, 24)
    write_series(tmp_path / "dicom", stored, np.diag([-2.0, -2.0, 3.0, 1.0]))
    scan = read_dicom(tmp_path / "dicom")
    found = FakeSegmenter().segment(scan.volume, STRUCTURES)
    makers = {"kidney": Maker.EDITED, "aorta": Maker.UNKNOWN}
    masks = [replace(mask, origin=Origin(makers.get(mask.structure, Maker.MODEL))) for mask in found]
    return replace(found, masks=tuple(masks)), scan.source


def test_a_structure_set_leaves_open_what_nobody_knows(result, tmp_path):
    write_rtstruct(*result, tmp_path / "plan.dcm")
    regions = {roi.ROIName: roi for roi in pydicom.dcmread(tmp_path / "plan.dcm").StructureSetROISequence}
    made = {name: roi.ROIGenerationAlgorithm for name, roi in regions.items()}
    assert made == {"liver": "AUTOMATIC", "kidney": "SEMIAUTOMATIC", "aorta": ""}
    assert "fake" in regions["kidney"].ROIGenerationDescription
    assert "ROIGenerationDescription" not in regions["aorta"]


def test_a_segmentation_names_no_algorithm_that_nobody_knows(result, tmp_path):
    write_dicom_seg(*result, tmp_path / "plan.dcm")
    segments = {item.SegmentLabel: item for item in pydicom.dcmread(tmp_path / "plan.dcm").SegmentSequence}
    made = {name: (item.SegmentAlgorithmType, item.SegmentAlgorithmName) for name, item in segments.items()}
    assert made == {
        "liver": ("AUTOMATIC", "fake"),
        "kidney": ("SEMIAUTOMATIC", "fake"),
        "aorta": ("SEMIAUTOMATIC", "unknown"),
    }
