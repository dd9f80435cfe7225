"""Write ``model/data/sample-chest-labels.nii.gz``: drawn labels of the sample chest CT, on its own grid.

    python tools/label_chest_scans.py ctchest CTChest4.nrrd labels.nii.gz
    python tools/record_sample_labels.py labels.nii.gz

The self-test compares the masks of a model with them; see ``label_chest_scans.py`` for how they were drawn.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from textsegment.files.images.nifti import write_nifti
from textsegment.files.reading import read_volume
from textsegment.files.sample import sample_scan
from textsegment.inference.image.canonical import resample

OUTPUT = Path(__file__).parents[1] / "src/textsegment/model/data/sample-chest-labels.nii.gz"


def main() -> None:
    """Resample the labels to the grid of the sample scan and write them."""
    scan, labels = read_volume(sample_scan(), modality="CT"), read_volume(Path(sys.argv[1]), modality="CT")
    matrix = np.linalg.inv(labels.geometry.affine) @ scan.geometry.affine
    numbers = labels.voxels.astype(np.int32)
    on_grid = resample(numbers, matrix, scan.geometry.spatial_shape, order=0, dtype=np.uint8, outside="zero")
    write_nifti(OUTPUT, on_grid, scan.geometry.affine, "labels")


if __name__ == "__main__":
    main()
