"""Stray images in a series, which are set aside and counted instead of rejecting the whole series.

Scanners and archives put dose pages, screenshots and single scouts into the series of a scan. A few of them
are tolerated; too many are an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from textsegment.caution import Caution
from textsegment.errors import InputError
from textsegment.files.dicom.header import ImageHeader
from textsegment.files.dicom.stack import Plane, Stack, are_alike, stack_planes

_MOST_STRAYS = 3
# Minimum number of consistent planes required per stray.
_WITNESSES = 4
# In units of the usual plane distance: closer planes are at one position; farther ones are not neighbours.
_SAME_PLACE = 0.1
_FAR_AWAY = 10.0

PlacedFrame = tuple[ImageHeader, int, Plane]
"""A file, the number of a frame in it (from 0), and the plane of that frame."""


def main_class(headers: Sequence[ImageHeader]) -> tuple[list[ImageHeader], tuple[Caution, ...]]:
    """Keep the objects of the SOP class that most images of the series have."""
    counts = Counter[str]()
    for header in headers:
        counts[header.sop_class] += header.frame_count if header.is_placed else 0
    main = counts.most_common(1)[0][0]
    kept = [header for header in headers if header.sop_class == main]
    return kept, _said("foreign_objects_left_out", len(headers) - len(kept))


def placed_frames(headers: Sequence[ImageHeader]) -> tuple[list[PlacedFrame], tuple[Caution, ...]]:
    """Return the plane of each frame, setting aside a few files that do not state it.

    Raises:
        GeometryError, VolumeInvalidError, InputUnreadableError: As ``ImageHeader.planes`` for the first file
            that fails, if too many fail.
    """
    frames: list[PlacedFrame] = []
    errors: list[InputError] = []
    for header in headers:
        try:
            frames += [(header, number, plane) for number, plane in enumerate(header.planes())]
        except InputError as error:
            errors.append(error)
    if errors and not _are_few(len(errors), len(frames)):
        raise errors[0]
    return frames, _said("stray_images_left_out", len(errors))


def stack_most(frames: Sequence[PlacedFrame]) -> tuple[Stack, list[PlacedFrame], tuple[Caution, ...]]:
    """Stack the frames, setting aside a few that prevent a regular grid.

    Returns:
        The stack, its frames in the order given, and cautions.

    Raises:
        GeometryError, VolumeInvalidError: As ``stack_planes`` for all frames.
    """
    planes = [plane for _, _, plane in frames]
    try:
        return stack_planes(planes), list(frames), ()
    except InputError as error:
        kept = _consistent(planes)
        if not _are_few(len(planes) - len(kept), len(kept)):
            raise
        try:
            stack = stack_planes([planes[index] for index in kept])
        except InputError:
            raise error from None
        return (
            stack,
            [frames[index] for index in kept],
            _said("stray_images_left_out", len(planes) - len(kept)),
        )


def _consistent(planes: Sequence[Plane]) -> list[int]:
    """Return the indices of planes that are alike, lie along one line, and are at distinct positions."""
    kept = _largest_group(planes)
    if len(kept) < _WITNESSES:
        return kept
    first = planes[kept[0]]
    positions = np.array([planes[index].position_lps for index in kept])
    depth = positions @ np.cross(first.i_lps, first.j_lps)
    inside = _off_line(positions, depth) <= 0.5 * min(first.spacing)
    kept = [index for index, is_inside in zip(kept, inside, strict=True) if is_inside]
    return _together(kept, depth[inside]) if len(kept) >= _WITNESSES else kept


def _largest_group(planes: Sequence[Plane]) -> list[int]:
    groups: list[list[int]] = []
    for index, plane in enumerate(planes):
        group = next((g for g in groups if are_alike(planes[g[0]], plane)), None)
        if group is None:
            groups.append([index])
        else:
            group.append(index)
    return max(groups, key=len)


def _off_line(positions: NDArray[np.float64], depth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance of each position from the line through most of them (median of slopes)."""
    order = np.argsort(depth, kind="stable")
    gaps = np.diff(depth[order])
    steps = np.diff(positions[order], axis=0)
    apart = gaps > 0
    if not apart.any():
        return np.zeros(len(depth))
    slope = np.median(steps[apart] / gaps[apart, None], axis=0)
    rest = positions - np.outer(depth, slope)
    return np.asarray(np.linalg.norm(rest - np.median(rest, axis=0), axis=1))


def _together(indices: Sequence[int], depth: NDArray[np.float64]) -> list[int]:
    """Drop planes at the position of another one, and a few planes far from all others."""
    order = np.argsort(depth, kind="stable")
    gaps = np.diff(depth[order])
    order = order[np.concatenate(([True], gaps > _SAME_PLACE * np.median(gaps)))]
    gaps = np.diff(depth[order])
    runs = np.split(order, np.flatnonzero(gaps > _FAR_AWAY * np.median(gaps)) + 1) if len(gaps) else [order]
    return sorted(indices[number] for number in max(runs, key=len))


def _are_few(strays: int, others: int) -> bool:
    return strays <= _MOST_STRAYS and others >= max(strays, 1) * _WITNESSES


def _said(code: str, count: int) -> tuple[Caution, ...]:
    return (Caution(code, count=count),) if count else ()
