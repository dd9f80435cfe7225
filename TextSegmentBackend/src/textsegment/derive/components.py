"""Connected parts of a mask: voxels that share a face, an edge or a corner belong to the same part.

A mask is taken apart into runs of voxels along one axis, which are far fewer than its voxels; runs that
touch are joined with array operations only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LATER_NEIGHBOURS = ((0, 1), (1, -1), (1, 0), (1, 1))


@dataclass(frozen=True, eq=False)
class Parts:
    """Connected parts of a mask, the largest first.

    Attributes:
        mask: The mask, as a boolean array ``[i, j, k]``.
        sizes: Number of voxels of each part, descending.

    Example:
        >>> parts = connected_parts(np.array([[[True, True, False, True]]]))
        >>> parts.sizes.tolist(), parts.only(parts.sizes > 1).tolist()
        ([2, 1], [[[True, True, False, False]]])
    """

    mask: NDArray[np.bool_]
    sizes: NDArray[np.int64]
    _starts: NDArray[np.int64]
    _lengths: NDArray[np.int64]
    _part: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.sizes)

    def only(self, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the mask of some of the parts.

        Args:
            kept: For each part, whether it is in the result.
        """
        result = _along_memory(self.mask).copy()
        dropped = ~kept[self._part]
        starts, lengths = self._starts[dropped], self._lengths[dropped]
        result.reshape(-1)[_spread(starts, lengths)] = False
        return result.T if _is_fortran(self.mask) else result


def connected_parts(mask: NDArray[np.bool_]) -> Parts:
    """Return the connected parts of a mask.

    Args:
        mask: Boolean array ``[i, j, k]``. What takes time is its size and the number of runs of true voxels
            along the axis that is contiguous in memory, so cut it to the box of its true voxels.
    """
    lines = _along_memory(mask)
    ni, nj, nk = lines.shape
    # Two false voxels between lines, so that a run never touches a run of another line by its position alone.
    width = nk + 2
    padded = np.zeros((ni * nj, width), dtype=bool)
    padded[:, 1:-1] = lines.reshape(-1, nk)
    flat = padded.reshape(-1)
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts, stops = edges[::2], edges[1::2]
    first, second = _touching(starts, stops, ni, nj, width)
    root = _joined(len(starts), first, second)
    lengths = stops - starts
    names, part = np.unique(root, return_inverse=True)
    sizes = np.bincount(part, weights=lengths, minlength=len(names)).astype(np.int64)
    order = np.argsort(-sizes, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    line, within = np.divmod(starts, width)
    return Parts(mask, sizes[order], line * nk + within - 1, lengths, rank[part])


def _is_fortran(mask: NDArray[np.bool_]) -> bool:
    return mask.flags.f_contiguous and not mask.flags.c_contiguous


def _along_memory(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask with its axes in memory order: neighbours stay neighbours, and nothing is copied."""
    return mask.T if _is_fortran(mask) else np.ascontiguousarray(mask)


def _touching(
    starts: NDArray[np.int64], stops: NDArray[np.int64], ni: int, nj: int, width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs of runs in neighbouring lines that touch, each once, as two arrays of run numbers."""
    line = starts // width
    i, j = np.divmod(line, nj)
    pairs = []
    for di, dj in _LATER_NEIGHBOURS:
        there = np.flatnonzero((i + di < ni) & (j + dj >= 0) & (j + dj < nj))
        shift = (di * nj + dj) * width
        low = np.searchsorted(stops, starts[there] + shift, side="left")
        high = np.searchsorted(starts, stops[there] + shift, side="right")
        count = np.maximum(high - low, 0)
        pairs.append((np.repeat(there, count), _spread(low, count)))
    return np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])


def _joined(count: int, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each of ``count`` nodes the smallest node that it is connected with by the given edges."""
    root = np.arange(count)
    while len(first):
        one, other = root[first], root[second]
        apart = one != other
        first, second, one, other = first[apart], second[apart], one[apart], other[apart]
        root[np.maximum(one, other)] = np.minimum(one, other)
        while not np.array_equal(above := root[root], root):
            root = above
    return root


def _spread(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return ``start, start + 1, …`` for each start and length, one after the other."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    offsets: NDArray[np.int64] = np.repeat(starts - (ends - lengths), lengths)
    return offsets + np.arange(total)
