"""Reading of DICOM segmentations, written by this program or by others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels import iter_pixels
from pydicom.uid import UID, SegmentationStorage

from textsegment.errors import GeometryError, InputNotFoundError, InputUnreadableError
from textsegment.files.description import warnings_in
from textsegment.files.dicom.header import quiet_pydicom
from textsegment.files.dicom.match import references_of_segmentation, require_same_scan
from textsegment.files.dicom.source import SourceSeries
from textsegment.files.dicom.values import DAMAGE
from textsegment.files.images.raw_image import LPS_TO_RAS
from textsegment.geometry import Geometry
from textsegment.segmentation import Segmentation, StructureMask

# SOP class of label map segmentations, which the list in pydicom lacks.
_LABEL_MAP = UID("1.2.840.10008.5.1.4.1.1.66.7")
# Largest distance of a frame from a plane of the grid, in voxels, and largest deviation of its axes.
_ON_GRID = 0.05
_SAME_DIRECTION = 2e-3
# Limit on the number of planes, since a damaged file could ask for any number.
_MOST_PLANES = 10_000
_FRACTIONAL = "The segmentation is fractional: what lies at half or more was taken."


@dataclass(frozen=True, eq=False)
class _Frames:
    """Positions of the frames of a segmentation.

    Attributes:
        segments: Segment number of each frame; 0 if the pixels themselves are segment numbers.
        positions_ras: Centre of the first pixel of each frame, in RAS millimetres.
        geometry: Grid that has a plane at each frame.
    """

    segments: tuple[int, ...]
    positions_ras: NDArray[np.float64]
    geometry: Geometry


def read_dicom_seg(
    path: Path | str, *, geometry: Geometry | None = None, source: SourceSeries | None = None
) -> Segmentation:
    """Read the masks of a DICOM segmentation, named by the labels of its segments.

    Intensities and confidences are not stored in the file and become NaN.

    Args:
        path: Segmentation file: binary, fractional (thresholded at one half, with a warning) or label map.
        geometry: Grid of the segmented scan. If None, the grid is that of the file, which extends from its
            first to its last frame.
        source: Scan to which the segmentation must belong; None if it was not read from DICOM.

    Raises:
        InputNotFoundError: The file does not exist.
        InputUnreadableError: The file is not a DICOM segmentation, or is damaged.
        GeometryError: The frames do not form a regular grid, or do not lie on the given one.
        InputError: It belongs to another patient, other images or another frame of reference.
    """
    path = Path(path)
    if not path.is_file():
        raise InputNotFoundError("There is no such file.", "Check the path.")
    try:
        with quiet_pydicom():
            dataset = pydicom.dcmread(path)
            if dataset.get("SOPClassUID") not in (SegmentationStorage, _LABEL_MAP):
                raise InputUnreadableError("The file is no DICOM segmentation.", "Give one with masks.")
            references = references_of_segmentation(dataset)
            said = require_same_scan(references, source) if source is not None else ()
            found = _segmentation(dataset, _frames(dataset, geometry))
            return replace(found, warnings=said + found.warnings)
    except (InvalidDicomError, *DAMAGE) as error:
        raise InputUnreadableError("The file is no DICOM segmentation, or it is damaged.") from error


def _segmentation(dataset: Dataset, frames: _Frames) -> Segmentation:
    fractional = dataset.get("SegmentationType") == "FRACTIONAL"
    half = int(dataset.get("MaximumFractionalValue") or 1) / 2 if fractional else 1
    background = _background(dataset)
    patches: dict[int, list[_Patch]] = defaultdict(list)
    places = np.rint(frames.geometry.to_index(frames.positions_ras)[:, 2]).astype(int).tolist()
    for pixels, number, k in zip(_pixels(dataset), frames.segments, places, strict=True):
        if number:
            patches[number] += _patches(pixels >= half, k)
            continue
        for segment in np.flatnonzero(np.bincount(pixels.ravel())).tolist():
            if segment != background:
                patches[segment] += _patches(pixels == segment, k)
    masks = []
    for item in _segments(dataset):
        label = str(item.get("SegmentLabel") or f"Segment {item.SegmentNumber}")
        mask = _mask(label, patches[int(item.SegmentNumber)], frames.geometry)
        said = warnings_in(label, str(item.get("SegmentDescription") or ""))
        masks.append(replace(mask, warnings=said))
    warnings = (_FRACTIONAL,) if fractional else ()
    return Segmentation(frames.geometry, tuple(masks), _provenance(dataset), warnings)


def _segments(dataset: Dataset) -> list[Dataset]:
    """Return the descriptions of the segments, without the background of a label map."""
    background = _background(dataset)
    return [item for item in dataset.SegmentSequence if int(item.SegmentNumber) != background]


def _background(dataset: Dataset) -> int | None:
    """Return the background value of a label map; None for other types."""
    return int(dataset.get("PixelPaddingValue", 0)) if dataset.get("SegmentationType") == "LABELMAP" else None


def _pixels(dataset: Dataset) -> Iterator[NDArray[Any]]:
    """Yield the frames ``[row, column]``; pydicom cannot split binary frames that end within a byte."""
    if dataset.BitsAllocated > 1 or dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        yield from iter_pixels(dataset, raw=True)
        return
    packed = np.frombuffer(dataset.PixelData, dtype=np.uint8)
    shape = (int(dataset.Rows), int(dataset.Columns))
    size = shape[0] * shape[1]
    for first in range(0, int(dataset.NumberOfFrames) * size, size):
        bits = np.unpackbits(packed[first // 8 : (first + size + 7) // 8], bitorder="little")
        yield bits[first % 8 : first % 8 + size].reshape(shape)


@dataclass(frozen=True, eq=False)
class _Patch:
    """Part of a plane that contains the pixels of a segment, packed into bits to save memory.

    Attributes:
        k: Index of the plane.
        rows: Half-open range of rows.
        columns: Half-open range of columns.
        packed: Packed pixels, row by row.
    """

    k: int
    rows: tuple[int, int]
    columns: tuple[int, int]
    packed: NDArray[np.uint8]

    def pixels(self) -> NDArray[np.bool_]:
        """Return the unpacked pixels, as a boolean array ``[row, column]``."""
        shape = (self.rows[1] - self.rows[0], self.columns[1] - self.columns[0])
        return np.unpackbits(self.packed, count=shape[0] * shape[1]).view(np.bool_).reshape(shape)


def _patches(pixels: NDArray[np.bool_], k: int) -> list[_Patch]:
    """Return a list of one patch, empty if the plane contains nothing."""
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    if len(rows) == 0:
        return []
    (top, bottom), (left, right) = (rows[0], rows[-1] + 1), (columns[0], columns[-1] + 1)
    packed = np.packbits(pixels[top:bottom, left:right])
    return [_Patch(k, (int(top), int(bottom)), (int(left), int(right)), packed)]


def _mask(label: str, patches: Sequence[_Patch], geometry: Geometry) -> StructureMask:
    if not patches:
        return StructureMask.measured(label, np.zeros((0, 0, 0), dtype=bool), geometry)
    i, j = (min(patch.columns[0] for patch in patches), min(patch.rows[0] for patch in patches))
    k = min(patch.k for patch in patches)
    stop_i, stop_j = max(patch.columns[1] for patch in patches), max(patch.rows[1] for patch in patches)
    # Plane by plane in memory, in the order in which they are filled.
    region_kji = np.zeros((max(patch.k for patch in patches) + 1 - k, stop_j - j, stop_i - i), dtype=bool)
    for patch in patches:
        rows = slice(patch.rows[0] - j, patch.rows[1] - j)
        columns = slice(patch.columns[0] - i, patch.columns[1] - i)
        region_kji[patch.k - k, rows, columns] |= patch.pixels()
    return StructureMask.measured(label, region_kji.transpose(2, 1, 0), geometry, start=(i, j, k))


def _provenance(dataset: Dataset) -> dict[str, str]:
    """Return the model and version named by the first segment."""
    first = next(iter(_segments(dataset)), Dataset())
    algorithms = first.get("SegmentationAlgorithmIdentificationSequence") or [Dataset()]
    known = {"model": algorithms[0].get("AlgorithmName"), "version": algorithms[0].get("AlgorithmVersion")}
    return {key: str(value) for key, value in known.items() if value}


def _frames(dataset: Dataset, geometry: Geometry | None) -> _Frames:
    shared = dataset.SharedFunctionalGroupsSequence[0]
    per_frame = dataset.PerFrameFunctionalGroupsSequence
    if len(per_frame) != int(dataset.NumberOfFrames):
        raise InputUnreadableError("The DICOM segmentation does not say where its frames lie.")

    def group(frame: Dataset, keyword: str) -> Dataset:
        return (frame.get(keyword) or shared.get(keyword) or [Dataset()])[0]

    segments = tuple(
        int(group(frame, "SegmentIdentificationSequence").get("ReferencedSegmentNumber") or 0)
        for frame in per_frame
    )
    orientations = np.array(
        [group(frame, "PlaneOrientationSequence").ImageOrientationPatient for frame in per_frame], dtype=float
    )
    positions = np.array(
        [group(frame, "PlanePositionSequence").ImagePositionPatient for frame in per_frame], dtype=float
    )
    if np.abs(orientations - orientations[0]).max() > _SAME_DIRECTION:
        raise GeometryError("The frames of the DICOM segmentation point in different directions.")
    measures = group(per_frame[0], "PixelMeasuresSequence")
    axes_ras = (LPS_TO_RAS[:3, :3] @ orientations[0].reshape(2, 3).T) * np.array(
        [float(measures.PixelSpacing[1]), float(measures.PixelSpacing[0])]
    )
    positions_ras = positions @ LPS_TO_RAS[:3, :3]
    shape = (int(dataset.Columns), int(dataset.Rows))
    own = _grid(positions_ras, axes_ras, shape, _distance(measures)) if geometry is None else geometry
    _require_on(own, positions_ras, axes_ras, shape)
    return _Frames(segments, positions_ras, own)


def _distance(measures: Dataset) -> float | None:
    """Return the distance between planes in millimetres; None if the file does not state it."""
    stated = measures.get("SpacingBetweenSlices") or measures.get("SliceThickness")
    return abs(float(stated)) if stated else None


def _grid(
    positions_ras: NDArray[np.float64],
    axes_ras: NDArray[np.float64],
    shape: Sequence[int],
    distance: float | None,
) -> Geometry:
    """Return the grid from the lowest to the highest frame; planes in between may be missing."""
    normal = np.cross(axes_ras[:, 0], axes_ras[:, 1])
    normal /= np.linalg.norm(normal)
    depths = positions_ras @ normal
    low, high = positions_ras[np.argmin(depths)], positions_ras[np.argmax(depths)]
    span = float(depths.max() - depths.min())
    distance = distance or 1.0
    count = round(span / distance) + 1
    if count > _MOST_PLANES:
        raise GeometryError("The frames of the DICOM segmentation lie too far apart.")
    affine = np.eye(4)
    affine[:3, :2] = axes_ras
    # Not along the normal if the gantry was tilted.
    affine[:3, 2] = normal * distance if count == 1 else (high - low) / (count - 1)
    affine[:3, 3] = low
    return Geometry((shape[0], shape[1], count), affine)


def _require_on(
    geometry: Geometry,
    positions_ras: NDArray[np.float64],
    axes_ras: NDArray[np.float64],
    shape: Sequence[int],
) -> None:
    """Raise ``GeometryError`` if a frame is not a plane of the grid."""
    index = geometry.to_index(positions_ras)
    beside = np.abs(index - np.rint(index) * [0, 0, 1]).max()
    turned = np.abs(np.linalg.solve(geometry.affine[:3, :3], axes_ras) - np.eye(3)[:, :2]).max()
    outside = index[:, 2].min() < -_ON_GRID or index[:, 2].max() > geometry.spatial_shape[2] - 1 + _ON_GRID
    if geometry.spatial_shape[:2] != tuple(shape) or beside > _ON_GRID or turned > _ON_GRID or outside:
        raise GeometryError(
            "The frames of the DICOM segmentation do not lie on the planes of one grid.",
            "Give the scan that was segmented.",
        )
