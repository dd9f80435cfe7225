"""Structure sets read: as they are, to be extended, or as masks on the grid of a scan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import RTStructureSetStorage

from textsegment.errors import InputError, InputNotFoundError, InputUnreadableError
from textsegment.files.contours import Points
from textsegment.files.dicom_header import DAMAGE, quiet_pydicom, read_dataset
from textsegment.files.dicom_source import SourceSeries
from textsegment.geometry import Geometry
from textsegment.segmentation import Segmentation, StructureMask

_AREAS = {"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"}
_LPS = np.array([-1.0, -1.0, 1.0])
# A contour lies on a slice if it is no further away than this part of the distance of two slices.
_ON_SLICE = 0.1
# How far a contour may reach beyond the image, in pixels, before it is worth a warning.
_BESIDE_PIXEL = 0.5


def read_rtstruct(path: Path | str, source: SourceSeries) -> Segmentation:
    """Read the regions of a structure set as masks on the grid of a scan.

    A voxel belongs to a region if its centre lies inside an odd number of contours of its slice, so both
    keyholes and separate contours of holes are understood.

    Args:
        path: The structure set.
        source: The scan that it was drawn on, from ``read_dicom``.

    Returns:
        One mask for each region that has areas, under its own name; intensities and confidences are NaN.

    Raises:
        InputNotFoundError: There is no such file.
        InputUnreadableError: It is no structure set, or damaged.
        InputError: It belongs to another frame of reference.
    """
    with quiet_pydicom():
        dataset = read_structure_set(path, source.frame_of_reference_uid)
        try:
            regions = [(roi, item) for roi, item in _regions(dataset) if "ContourSequence" in item]
            here = [
                (roi, item) for roi, item in regions if _frame(roi) in ("", source.frame_of_reference_uid)
            ]
            masks = [_mask(_name(roi), _areas(item), source.geometry) for roi, item in here]
        except DAMAGE as error:
            raise InputUnreadableError("The structure set is damaged.", "Copy it again.") from error
    elsewhere = len(regions) - len(here)
    warnings = (f"Regions of another frame of reference were left out: {elsewhere}.",) if elsewhere else ()
    found = tuple(mask for mask in masks if not mask.statistics.is_empty)
    return Segmentation(source.geometry, found, warnings=warnings)


def read_structure_set(path: Path | str, frame_of_reference_uid: str) -> Dataset:
    """Read a structure set; the sequences of its regions are there, perhaps empty.

    Raises:
        InputNotFoundError: There is no such file.
        InputUnreadableError: It is no structure set, or damaged.
        InputError: It belongs to another frame of reference.
    """
    if not Path(path).is_file():
        raise InputNotFoundError("There is no such structure set.", "Check the path.")
    try:
        dataset = read_dataset(Path(path))
        if dataset.get("SOPClassUID") != RTStructureSetStorage:
            raise InputUnreadableError("The file is no structure set (RTSTRUCT).", "Choose another file.")
        # pydicom converts values when they are first asked for: damage shall show here.
        for _ in dataset.iterall():
            pass
        for keyword in ("StructureSetROISequence", "ROIContourSequence", "RTROIObservationsSequence"):
            if keyword not in dataset:
                setattr(dataset, keyword, [])
        _ = [int(roi.ROINumber) for roi in dataset.StructureSetROISequence]
        _ = [int(item.ObservationNumber) for item in dataset.RTROIObservationsSequence]
    except (InvalidDicomError, *DAMAGE) as error:
        raise InputUnreadableError(
            "The structure set is damaged, or no DICOM file.", "Copy it again."
        ) from error
    frames = {
        str(item.get("FrameOfReferenceUID", ""))
        for item in dataset.get("ReferencedFrameOfReferenceSequence") or []
    }
    frames |= {str(roi.get("ReferencedFrameOfReferenceUID", "")) for roi in dataset.StructureSetROISequence}
    if not frame_of_reference_uid or frame_of_reference_uid not in frames:
        raise InputError(
            "The structure set belongs to another frame of reference than the scan.",
            "Give the structure set of this scan.",
        )
    return dataset


def _regions(dataset: Dataset) -> Iterator[tuple[Dataset, Dataset]]:
    """Give the descriptions and the outlines of each region."""
    described = {int(roi.ROINumber): roi for roi in dataset.StructureSetROISequence}
    for item in dataset.ROIContourSequence:
        yield described[int(item.ReferencedROINumber)], item


def _name(roi: Dataset) -> str:
    return str(roi.get("ROIName", ""))


def _frame(roi: Dataset) -> str:
    return str(roi.get("ReferencedFrameOfReferenceUID") or "")


def _areas(roi: Dataset) -> list[Points]:
    """Return the points of each contour that bounds an area, LPS."""
    return [
        np.array(contour.ContourData, dtype=np.float64).reshape(-1, 3)
        for contour in roi.ContourSequence
        if contour.ContourGeometricType in _AREAS and contour.NumberOfContourPoints
    ]


def _mask(name: str, areas_lps: Iterable[Points], geometry: Geometry) -> StructureMask:
    i, j, k = geometry.spatial_shape
    whole = np.zeros((i, j, k), dtype=bool)
    beside = beyond = 0
    for points_lps in areas_lps:
        index = geometry.to_index(points_lps * _LPS)
        slice_number = round(float(index[:, 2].mean()))
        if not 0 <= slice_number < k or np.abs(index[:, 2] - slice_number).max() > _ON_SLICE:
            beside += 1
        else:
            whole[:, :, slice_number] ^= _inside(index[:, :2], (i, j))
            beyond += _leaves(index[:, :2], (i, j))
    warnings = []
    if beside:
        warnings.append(f"Contours that lie on no slice of the scan were left out: {beside}.")
    if beyond:
        warnings.append(f"Contours that reach beyond the image were cut off at its border: {beyond}.")
    return StructureMask.measured(name, whole, geometry, warnings=tuple(warnings))


def _leaves(polygon: Points, shape: tuple[int, int]) -> bool:
    """Whether a polygon reaches beyond the outer edges of the pixels at the border."""
    edge = 0.5 + _BESIDE_PIXEL
    return bool((polygon < -edge).any() or (polygon > np.array(shape) - 1 + edge).any())


def _inside(polygon: Points, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Say for each pixel centre of ``[i, j]`` whether it lies inside: scan lines along i, by even and odd."""
    start, stop = polygon, np.roll(polygon, -1, axis=0)
    first = np.ceil(np.minimum(start[:, 1], stop[:, 1])).clip(0, shape[1]).astype(np.intp)
    last = np.ceil(np.maximum(start[:, 1], stop[:, 1])).clip(0, shape[1]).astype(np.intp)
    # Every scan line that every edge crosses.
    edge = np.repeat(np.arange(len(polygon)), last - first)
    before = np.cumsum(last - first) - (last - first)
    line = first[edge] + np.arange(len(edge)) - before[edge]
    slope = (stop[edge, 0] - start[edge, 0]) / (stop[edge, 1] - start[edge, 1])
    crossing = np.ceil(start[edge, 0] + (line - start[edge, 1]) * slope).clip(0, shape[0]).astype(np.intp)
    turns = np.zeros((shape[0] + 1, shape[1]), dtype=np.intp)
    np.add.at(turns, (crossing, line), 1)
    inside: NDArray[np.bool_] = np.cumsum(turns, axis=0)[:-1] % 2 == 1
    return inside
