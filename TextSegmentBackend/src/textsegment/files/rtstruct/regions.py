"""Regions of a structure set as stored in the file."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from textsegment.caution import Caution
from textsegment.files.dicom.values import DAMAGE, text_of
from textsegment.files.rtstruct.contours import Points

_AREAS = {"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"}
_OTHERS = {"POINT", "OPEN_PLANAR", "OPEN_NONPLANAR"}
# Coordinates beyond this are corrupt.
_FARTHEST_MM = 1e5


@dataclass(frozen=True, eq=False, repr=False)
class RegionItem:
    """A region that has contours with an area.

    Attributes:
        name: Name of the region.
        roi: Item of the Structure Set ROI Sequence that describes it.
        item: Item of the ROI Contour Sequence that holds its contours.
        areas: Points of each contour that bounds an area, of shape ``(n, 3)``, in LPS millimetres.
        cautions: Cautions about its contours, which do not name the region.
    """

    name: str
    roi: Dataset
    item: Dataset
    areas: tuple[Points, ...]
    cautions: tuple[Caution, ...]


def list_regions(dataset: Dataset) -> tuple[list[RegionItem], int]:
    """Return the regions that have areas, whether readable or not.

    Returns:
        The regions, and the number of contour sets that cannot be assigned to exactly one region.
    """
    described = [(number_of(roi, "ROINumber"), roi) for roi in dataset.StructureSetROISequence]
    uses = Counter(number for number, _ in described)
    by_number = {number: roi for number, roi in described if number is not None and uses[number] == 1}
    regions, lost = [], 0
    for item in dataset.ROIContourSequence:
        areas, cautions = _areas(item)
        if not areas and not cautions:
            continue
        number = number_of(item, "ReferencedROINumber")
        if number not in by_number:
            lost += 1
            continue
        roi = by_number[number]
        name = text_of(roi.get("ROIName")) or f"ROI {number}"
        regions.append(RegionItem(name, roi, item, tuple(areas), tuple(cautions)))
    return regions, lost


def number_of(item: Dataset, keyword: str) -> int | None:
    """Return the integer value of an attribute; None if it is missing or unreadable."""
    try:
        return int(str(item.get(keyword)))
    except DAMAGE:
        return None


def _areas(item: Dataset) -> tuple[list[Points], list[Caution]]:
    areas: list[Points] = []
    if "ContourSequence" in item and item["ContourSequence"].VR != "SQ":  # an unreadable sequence
        return [], [Caution("contours_unreadable", count=1)]
    unreadable = miscounted = 0
    for contour in item.get("ContourSequence") or ():
        kind = str(contour.get("ContourGeometricType") or "").strip()
        if kind in _OTHERS:
            continue
        points = _points(contour)
        if kind not in _AREAS or points is None:
            unreadable += 1
            continue
        count = number_of(contour, "NumberOfContourPoints")
        miscounted += count is not None and count != len(points)
        if len(points) > 2:
            areas.append(points)
    counts = {"contours_unreadable": unreadable, "points_miscounted": miscounted}
    return areas, [Caution(code, count=count) for code, count in counts.items() if count]


def _points(contour: Dataset) -> Points | None:
    """Return the points of a contour; None if they are unreadable."""
    value = contour.get("ContourData")
    if value is None or value == "":
        return np.empty((0, 3))
    try:
        points = np.array(value, dtype=np.float64).reshape(-1, 3)
    except DAMAGE:
        return None
    is_place = math.isfinite(float(np.abs(points).max())) and np.abs(points).max() < _FARTHEST_MM
    return points if is_place else None
