"""What drawn slices teach must not spoil what was right, even if they are the worst ones of a mask."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_engine import tiny_model

from textsegment.correction import Edit
from textsegment.geometry import Geometry
from textsegment.inference.correct.erased import beyond_erased
from textsegment.inference.engine import LocalSegmenter
from textsegment.segmentation import StructureMask
from textsegment.volume import Volume

GEOMETRY = Geometry((44, 40, 60), np.diag([2.0, 2.0, 3.0, 1.0]))
ACROSS, ALONG, K = np.indices(GEOMETRY.spatial_shape)
RADIUS = np.hypot(ACROSS - 22, ALONG - 20)


@pytest.fixture(scope="module")
def engine():
    return LocalSegmenter(tiny_model(), device="cpu", precision="fp32", threads=1)


def corrected(engine, image, old, true, slices):
    noise = np.random.default_rng(0).normal(0, 15, true.shape)
    volume = Volume(20 + 100 * image + noise, GEOMETRY, "CT")
    base = StructureMask.measured("it", old, GEOMETRY)
    edits = [Edit.slice_of(true, 2, n) for n in slices]
    new = engine.correct(volume, edits=edits, base=base).full(true.shape)
    assert all(np.array_equal(new[edit.box.slices], edit.inside) for edit in edits)
    return new


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def test_slices_between_vertebrae_do_not_make_the_vertebrae_narrow(engine):
    """A user draws the slices in which a mask is most wrong; most of the others are right."""
    between = (K % 8 < 2) & (RADIUS > 4)
    column = (RADIUS < 9) & (K > 8) & (K < 52)
    true = column & ~between
    image = np.where(K % 8 < 2, 0.7, 1.0) * column
    new = corrected(engine, image, column, true, (16, 32, 41))
    assert dice(new, true) >= dice(column, true)


@pytest.mark.parametrize("erased", [(20, 34), (20,), (34,), (12, 20, 34)])
def test_what_was_erased_at_both_ends_leaves_what_lies_between(engine, erased):
    """The erased slices look like the structure: they say where it ends, not what it looks like."""
    tube = RADIUS < 9
    old, true = tube & (K > 10) & (K < 44), tube & (K > 20) & (K < 34)
    new = corrected(engine, tube, old, true, erased)
    middle = slice(26, 29)
    assert dice(new[:, :, middle], true[:, :, middle]) > 0.97
    assert dice(new, true) > dice(old, true)


def test_a_part_beyond_an_erased_slice_goes_if_it_looks_different(engine):
    """A mask leaks from a thin cord into something wide, far beyond the slice that was erased."""
    cord, wide = (RADIUS < 4) & (K > 4) & (K < 30), (RADIUS < 14) & (K >= 30) & (K < 56)
    old = cord | wide
    new = corrected(engine, cord, old, cord, (12, 33))
    assert new[:, :, 34:].sum() < 0.1 * old[:, :, 34:].sum()
    assert dice(new[:, :, :30], cord[:, :, :30]) > 0.95


@pytest.mark.parametrize("axis", range(3))
def test_pieces_without_anything_drawn_lie_beyond(axis):
    base = np.ones((10, 10, 10), dtype=bool)
    known, inside = np.zeros_like(base), np.zeros_like(base)
    along = [np.moveaxis(array, axis, 0) for array in (known, inside)]
    assert not beyond_erased(base, known, inside).any()
    along[0][[2, 7]] = True
    found = np.moveaxis(beyond_erased(base, known, inside), axis, 0)
    assert found.any(axis=(1, 2)).tolist() == [
        True,
        True,
        False,
        False,
        False,
        False,
        False,
        False,
        True,
        True,
    ]
    along[0][8] = True
    along[1][8, 3:5, 3:5] = True
    found = np.moveaxis(beyond_erased(base, known, inside), axis, 0)
    assert found.any(axis=(1, 2)).tolist() == [True, True, False, True, True, True, True, False, False, False]
