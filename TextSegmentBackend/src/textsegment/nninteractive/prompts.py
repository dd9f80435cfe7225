"""Turns edits into the prompts that nnInteractive understands: lassos, scribbles, points and boxes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from textsegment.correction import Correction, Edit
from textsegment.geometry import Box

# Marked voxels that reach no farther than this are a click rather than a stroke.
_CLICK_MM = 15.0
# A stroke or a solid is shown to the network in at most this many of its slices.
_MOST_SLICES = 3


class PromptKind(Enum):
    """Kind of a prompt, by the name under which a server says whether it supports it."""

    LASSO = "lasso"
    SCRIBBLE = "scribble"
    POINT = "points"
    BOX = "bbox2d"


@dataclass(frozen=True, eq=False)
class SpatialPrompt:
    """One prompt for nnInteractive.

    Attributes:
        kind: Kind of the prompt.
        belongs: Whether it marks what belongs to the structure, or what does not.
        box: Position on the grid of the volume: one voxel for a point, one slice thick for all others.
        marked: Boolean array ``[i, j, k]`` with the shape of ``box``: the voxels that are marked.
    """

    kind: PromptKind
    belongs: bool
    box: Box
    marked: NDArray[np.bool_]


def prompts_of(correction: Correction) -> tuple[SpatialPrompt, ...]:
    """Return the prompts for all edits of a correction, in the order in which they were drawn.

    A drawn slice is a lasso around the structure, and another around what was erased of the old mask; a box
    that belongs to the structure is a lasso in its middle slice, one that does not is a box there. A click is
    a point; a longer stroke or a solid becomes scribbles in a few of its slices.

    Args:
        correction: Validated request.
    """
    found: list[SpatialPrompt] = []
    for edit in correction.edits:
        found += _of_slice(edit, correction) if _is_slice(edit) else _of_solid(edit, correction)
    return tuple(found)


def _is_slice(edit: Edit) -> bool:
    return 1 in edit.box.shape and bool(edit.known.all())


def _of_slice(edit: Edit, correction: Correction) -> Iterator[SpatialPrompt]:
    erased = correction.base_in(edit.box) & ~edit.inside
    for belongs, marked in ((True, edit.inside), (False, erased)):
        if marked.any():
            yield _cut(PromptKind.LASSO, belongs, edit.box, marked)


def _of_solid(edit: Edit, correction: Correction) -> Iterator[SpatialPrompt]:
    spacing = correction.volume.geometry.spacing
    for belongs, marked in ((True, edit.inside), (False, edit.known & ~edit.inside)):
        box = Box.around(marked)
        if box is None:
            continue
        extent_mm = [n * size for n, size in zip(box.shape, spacing, strict=True)]
        if marked.all():
            kind = PromptKind.LASSO if belongs else PromptKind.BOX
            yield _slices(kind, belongs, edit.box, marked, spacing)[0]
        elif max(extent_mm) <= _CLICK_MM:
            yield _point(belongs, edit.box, marked)
        else:
            yield from _slices(PromptKind.SCRIBBLE, belongs, edit.box, marked, spacing, _MOST_SLICES)


def _point(belongs: bool, box: Box, marked: NDArray[np.bool_]) -> SpatialPrompt:
    """Return the marked voxel closest to the middle of all marked ones, as a point."""
    places = np.argwhere(marked)
    away = np.square(places - places.mean(axis=0)).sum(axis=1)
    i, j, k = (int(n) + start for n, start in zip(places[away.argmin()], box.start, strict=True))
    return SpatialPrompt(
        PromptKind.POINT, belongs, Box((i, j, k), (i + 1, j + 1, k + 1)), np.ones((1, 1, 1), dtype=bool)
    )


def _slices(
    kind: PromptKind,
    belongs: bool,
    box: Box,
    marked: NDArray[np.bool_],
    spacing: tuple[float, float, float],
    count: int = 1,
) -> list[SpatialPrompt]:
    """Return prompts in slices across the axis along which the marked voxels reach least far."""
    lies = [np.flatnonzero(marked.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    axis = min(range(3), key=lambda a: len(lies[a]) * spacing[a])
    shares = (np.arange(count) + 1) / (count + 1)
    chosen = sorted({int(lies[axis][int(share * (len(lies[axis]) - 1) + 0.5)]) for share in shares})
    found = []
    for n in chosen:
        start, stop = list(box.start), list(box.stop)
        start[axis], stop[axis] = box.start[axis] + n, box.start[axis] + n + 1
        slab = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
        found.append(_cut(kind, belongs, slab, np.take(marked, [n], axis=axis)))
    return found


def _cut(kind: PromptKind, belongs: bool, box: Box, marked: NDArray[np.bool_]) -> SpatialPrompt:
    """Return a prompt cut to the voxels that are marked, of which there is at least one."""
    part = Box.around(marked)
    assert part is not None
    i, j, k = (a + b for a, b in zip(part.start, box.start, strict=True))
    p, q, r = (a + b for a, b in zip(part.stop, box.start, strict=True))
    return SpatialPrompt(kind, belongs, Box((i, j, k), (p, q, r)), marked[part.slices].copy())
