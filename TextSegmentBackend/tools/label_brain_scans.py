"""Derive label maps of the brain scans that the demo model is trained on.

AAL draws cortex and nuclei, but not what lies between them: closed and filled, its regions are the brain, of
which brainstem and what lies around it are unknown. Grey and white matter, closed and filled, are the brain.

    python tools/label_brain_scans.py SCANS_FOLDER     # writes SCANS_FOLDER/derived
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from textsegment.files.images.nifti import write_nifti
from textsegment.files.reading import read_volume
from textsegment.geometry import Geometry

BRAIN, RIGHT_CEREBELLUM, LEFT_CEREBELLUM, VERMIS, UNKNOWN = 1, 15, 14, 16, 17
NUCLEI = {
    "Hippocampus_L": 2,
    "Hippocampus_R": 3,
    "Amygdala_L": 4,
    "Amygdala_R": 5,
    "Caudate_L": 6,
    "Caudate_R": 7,
    "Putamen_L": 8,
    "Putamen_R": 9,
    "Pallidum_L": 10,
    "Pallidum_R": 11,
    "Thalamus_L": 12,
    "Thalamus_R": 13,
}
# Around the brainstem in MNI space, in mm: half its width, and the range from front to back.
STEM_HALF_WIDTH, STEM_BACK, STEM_FRONT = 28, -62, -2
BRAINS = {
    "mni152_t1_gm_wm/labels.nii.gz": "mni_brain.nii.gz",
    "brainchop_mr_t1/labels_meshnet_gwm.nii.gz": "brainchop_brain.nii.gz",
}


def main() -> None:
    """Write all label maps."""
    scans = Path(sys.argv[1])
    (scans / "derived").mkdir(exist_ok=True)
    colin = read_volume(scans / "colin27_mr_t1_aal" / "labels.nii.gz", modality="MR")
    names = json.loads((scans / "colin27_mr_t1_aal" / "manifest.json").read_text(encoding="utf-8"))["labels"]
    labels = colin_labels(
        colin.voxels.astype(np.int32), {n: int(number) for number, n in names.items()}, colin.geometry
    )
    write_nifti(scans / "derived" / "colin_labels.nii.gz", labels, colin.geometry.affine, "labels")
    for source, target in BRAINS.items():
        volume = read_volume(scans / source, modality="MR")
        brain = filled(volume.voxels > 0, closing=4, axes=(0, 1, 2)).astype(np.uint8)
        write_nifti(scans / "derived" / target, brain, volume.geometry.affine, "labels")


def colin_labels(aal: NDArray[Any], numbers: dict[str, int], geometry: Geometry) -> NDArray[np.uint8]:
    """Return the label map of Colin27 from its AAL regions."""
    labels = np.where(filled(aal > 0, closing=6, axes=(2,)), BRAIN, 0).astype(np.uint8)
    for name, number in numbers.items():
        if name in NUCLEI:
            labels[aal == number] = NUCLEI[name]
        elif name.startswith("Cerebel"):
            labels[aal == number] = LEFT_CEREBELLUM if name.endswith("L") else RIGHT_CEREBELLUM
        elif name.startswith("Vermis"):
            labels[aal == number] = VERMIS
    positions = geometry.to_ras(np.moveaxis(np.indices(aal.shape), 0, -1))
    x, y, z = np.moveaxis(positions, -1, 0)
    lowest = z[labels == NUCLEI["Thalamus_L"]].min()
    stem = (abs(x) < STEM_HALF_WIDTH) & (z < lowest) & (y > STEM_BACK) & (y < STEM_FRONT)
    labels[stem & (labels <= BRAIN)] = UNKNOWN
    return labels


def filled(mask: NDArray[np.bool_], *, closing: int, axes: tuple[int, ...]) -> NDArray[np.bool_]:
    """Close a mask, and fill the holes of its slices across some axes."""
    padded = np.pad(mask, closing + 2)
    closed = ndimage.binary_closing(padded, iterations=closing)[(slice(closing + 2, -closing - 2),) * 3]
    for axis in axes:
        for plane in np.moveaxis(closed, axis, 0):
            plane |= ndimage.binary_fill_holes(plane)
    return np.asarray(closed)


if __name__ == "__main__":
    main()
