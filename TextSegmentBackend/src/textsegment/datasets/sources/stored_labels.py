"""Labels as files: a map of numbers, a folder of masks, or a file of segments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsegment.errors import InputError
from textsegment.files.images.seg_nrrd import read_seg_nrrd
from textsegment.files.masks import read_masks
from textsegment.files.reading import read_volume
from textsegment.files.scan import Scan
from textsegment.geometry import Box, Geometry
from textsegment.inference.image.canonical import resample
from textsegment.inference.image.grid import box_on
from textsegment.segmentation import StructureMask

# Of the scan that a label map has to cover: labels of another scan hardly ever do.
_LEAST_COVERED = 0.5


@dataclass(frozen=True)
class LabelMap:
    """A label map.

    Attributes:
        path: File of the label map.
        numbers: Numbers of each raw name; several names may share a number.
        ignored: Numbers without a name that are known to be no structures.
    """

    path: Path
    numbers: Mapping[str, tuple[int, ...]]
    ignored: frozenset[int] = frozenset()

    def masks_on(self, scan: Scan) -> Iterator[StructureMask]:
        """Yield the masks; see :class:`Labels`."""
        label_map = read_volume(self.path, modality=scan.volume.modality)
        values = label_map.voxels
        there = {int(number) for number in np.unique(np.asarray(values).round())} - {0}
        if values.dtype.kind == "f" and not np.array_equal(values, np.round(values)):
            raise InputError(f"{self.path.name} holds fractions, so it is no label map.", "Check the file.")
        named = {number for numbers in self.numbers.values() for number in numbers}
        unknown = sorted(there - named - self.ignored)
        if unknown:
            raise InputError(
                f"{self.path.name} holds numbers without a name: {', '.join(map(str, unknown[:12]))}.",
                "Name them, or list them as other if they are not to be learnt.",
            )
        if not there & named:
            raise InputError(
                f"{self.path.name} holds none of the numbers that are named.", "Check file and numbers."
            )
        geometry = scan.volume.geometry
        on_scan = on_grid(values.astype(np.int32), label_map.geometry, geometry, self.path)
        for name, numbers in self.numbers.items():
            yield StructureMask.measured(name, np.isin(on_scan, numbers), geometry)


@dataclass(frozen=True)
class MaskFolder:
    """One file for each structure, in which everything above zero belongs to it.

    Attributes:
        path: Folder of the masks.
        files: File of each raw name.
    """

    path: Path
    files: Mapping[str, Path]

    def masks_on(self, scan: Scan) -> Iterator[StructureMask]:
        """Yield the masks; see :class:`Labels`."""
        geometry = scan.volume.geometry
        for name, path in self.files.items():
            mask = read_volume(path, modality=scan.volume.modality)
            on_scan = on_grid(mask.voxels > 0, mask.geometry, geometry, path)
            yield StructureMask.measured(name, on_scan, geometry)


@dataclass(frozen=True)
class Segments:
    """Files of segments: ``.seg.nrrd``, DICOM structure set or segmentation, under the names in the file.

    Attributes:
        path: The file, or the first of several.
        files: All of them.
    """

    path: Path
    files: tuple[Path, ...]

    def masks_on(self, scan: Scan) -> Iterator[StructureMask]:
        """Yield the masks; see :class:`Labels`."""
        geometry = scan.volume.geometry
        for path in self.files:
            if not path.name.lower().endswith(".nrrd"):
                yield from read_masks(path, scan)
                continue
            found = read_seg_nrrd(path)  # 3D Slicer may store it on a smaller grid than that of the scan
            for mask in found:
                region = mask.full(found.geometry.spatial_shape)
                on_scan = on_grid(region, found.geometry, geometry, path, least_covered=0.0)
                yield StructureMask.measured(mask.structure, on_scan, geometry)


def on_grid(
    labels: NDArray[Any],
    geometry: Geometry,
    scan: Geometry,
    path: Path,
    *,
    least_covered: float = _LEAST_COVERED,
) -> NDArray[Any]:
    """Bring labels to the grid of a scan by nearest-neighbour interpolation; zero outside of them.

    Args:
        labels: Integers or booleans ``[i, j, k]``.
        geometry: Grid of the labels.
        scan: Grid of the scan.
        path: File of the labels, for messages.
        least_covered: Fraction of the scan that the grid of the labels has to cover.

    Raises:
        InputError: The labels lie elsewhere than the scan.
    """
    if geometry.is_same_grid(scan):
        return labels
    covered = prod(box_on(scan, geometry, Box((0, 0, 0), geometry.spatial_shape)).shape)
    if covered == 0 or covered < least_covered * prod(scan.spatial_shape):
        raise InputError(
            f"{path.name} does not lie where its scan lies.",
            "Labels have to be of this scan, in its patient space.",
        )
    matrix = np.linalg.inv(geometry.affine) @ scan.affine
    return resample(labels, matrix, scan.spatial_shape, order=0, dtype=labels.dtype, outside="zero")
