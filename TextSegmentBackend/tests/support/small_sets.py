"""Small structure sets to be changed by hand and read."""

import numpy as np
import pydicom
from made_dicom import write_series
from made_scans import OBLIQUE, segmentation

from textsegment.files.dicom.reader import read_dicom
from textsegment.files.rtstruct.writer import write_rtstruct

SHAPE = (24, 20, 8)


def made_scan(folder, matrix=OBLIQUE):
    write_series(folder, np.arange(np.prod(SHAPE)).reshape(SHAPE), matrix)
    return read_dicom(folder)


def written(scan, path, masks):
    write_rtstruct(segmentation(scan.volume.geometry.affine, masks), scan.source, path)
    return pydicom.dcmread(path)


def rough(seed):
    return np.random.default_rng(seed).random(SHAPE) > 0.6


def cone(slices=range(1, 7)):
    """Smaller from slice to slice, and not symmetric."""
    mask = np.zeros(SHAPE, dtype=bool)
    for k in slices:
        mask[3 : 19 - k, 4 : 16 - k // 2, k] = True
    return mask


def codes(mask):
    return {warning.code: warning.values.get("count") for warning in mask.warnings}


def first(dataset):
    return dataset.ROIContourSequence[0].ContourSequence
