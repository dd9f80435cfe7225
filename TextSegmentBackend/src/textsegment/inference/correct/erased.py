"""What slices say that were erased: where the structure ends, not what it looks like."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from textsegment.correction.propagation import drawn_slices


def beyond_erased(
    base: NDArray[np.bool_], known: NDArray[np.bool_], inside: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return the cells of the old mask that erased slices separate from the structure.

    Slices that were erased cut the old mask into pieces. The structure is those in which something was drawn;
    if nothing was, it is the largest one.

    Args:
        base: Old mask ``[i, j, k]``.
        known: Cells of which a person has said whether they belong to the structure.
        inside: Those known cells that belong to it.

    Example:
        >>> base, known = np.ones((1, 1, 6), dtype=bool), np.zeros((1, 1, 6), dtype=bool)
        >>> known[:, :, 4] = True
        >>> beyond_erased(base, known, known & False)[0, 0].tolist()
        [False, False, False, False, False, True]
    """
    found = np.zeros_like(base)
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        content = np.asarray(inside.any(axis=others))
        size = np.count_nonzero(base, axis=others)
        numbers = drawn_slices(known, axis)
        erased = numbers[~content[numbers]]
        pieces = [slice(a, b) for a, b in pairwise([0, *erased.tolist(), len(size)])]
        its = [piece for piece in pieces if content[piece].any()]
        its = its or [max(pieces, key=lambda piece: int(size[piece].sum()))]
        outside = np.ones(len(size), dtype=bool)
        for piece in its:
            outside[piece] = False
        np.moveaxis(found, axis, 0)[outside] = True
    return found & base & ~known
