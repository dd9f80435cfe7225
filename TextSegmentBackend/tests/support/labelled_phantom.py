"""A scan with a bright block on the left, a dark one on the right, and a small one inside the left."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from textsegment.files.images.nifti import write_nifti

SHAPE = (24, 20, 16)
# Axes increase towards left, posterior and superior; the voxels are 4 × 3 × 5 mm; the grid is shifted.
AFFINE = np.array([[-4.0, 0, 0, 30], [0, -3.0, 0, 20], [0, 0, 5.0, -40], [0, 0, 0, 1]])


class Phantom(NamedTuple):
    """Voxels and a label map: 1 on the patient's left, 2 on the right, 3 a lesion inside 1, 4 elsewhere."""

    voxels: NDArray[np.int16]
    labels: NDArray[np.uint8]


def phantom(shift: int = 0) -> Phantom:
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[15:22, 4:12, 3 + shift : 12] = 1
    labels[2:8, 4:12, 3:12] = 2
    labels[16:18, 6:8, 5:7] = 3
    labels[10:13, 14:18, 2:5] = 4
    noise = np.random.default_rng(shift).normal(0, 5, SHAPE)
    voxels = (np.array([40, 150, 90, 300, 500])[labels] + noise).astype(np.int16)
    return Phantom(voxels, labels)


def write_scan(path: Path, shift: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_nifti(path, phantom(shift).voxels, AFFINE, "scan")


def write_labels(path: Path, labels: NDArray[np.generic]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_nifti(path, labels.astype(np.uint8), AFFINE, "labels")
