"""The planning CT of the tests of radiotherapy, and what is found in it."""

import numpy as np
import pydicom

from textsegment.geometry import Geometry
from textsegment.testing import ball

AFFINE = np.array([[-3.0, 0, 0, 60], [0, -3, 0, 40], [0, 0, 4, -20], [0, 0, 0, 1]])
SHAPE = (48, 44, 30)


def stored(seed):
    return np.random.default_rng(seed).integers(900, 1200, SHAPE).astype(np.uint16)


def whole(name):
    return ball(name, Geometry(SHAPE, AFFINE))


def rois(path):
    return [str(roi.ROIName) for roi in pydicom.dcmread(path).StructureSetROISequence]
