"""Edits that nobody planned for: the engine answers, and what was drawn stays to the voxel."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_engine import tiny_model

from textsegment.correction import Edit
from textsegment.correction.edit import merged
from textsegment.errors import ModalityError
from textsegment.geometry import Box, Geometry
from textsegment.inference.engine import LocalSegmenter
from textsegment.segmentation import StructureMask
from textsegment.volume import Volume

SHAPE, SPACING = (30, 26, 20), (2.0, 2.0, 5.0)


@pytest.fixture(scope="module")
def engine():
    return LocalSegmenter(tiny_model(), device="cpu", precision="fp32", threads=1)


def lump(centre, radius_mm, shape=SHAPE, spacing=SPACING):
    away = [(axis - c) * s for axis, c, s in zip(np.indices(shape), centre, spacing, strict=True)]
    return sum(np.square(part) for part in away) <= radius_mm**2


def scan(bright, spacing=SPACING, modality="CT"):
    noise = np.random.default_rng(0).normal(0, 15, bright.shape)
    return Volume(100 * bright + noise, Geometry(bright.shape, np.diag([*spacing, 1.0])), modality)


def corrected(engine, volume, edits, base=None, **options):
    """Correct, and require that nothing of the drawing was lost and that the old mask is as it was."""
    shape = volume.geometry.spatial_shape
    old = None if base is None else StructureMask.measured("it", base.copy(), volume.geometry)
    new = engine.correct(volume, edits=edits, base=old, name="it", **options)
    known, inside, _ = merged(edits, Box((0, 0, 0), shape))
    full = new.full(shape)
    assert np.array_equal(full[known], inside[known])
    assert old is None or np.array_equal(old.full(shape), base)
    assert new.statistics.voxel_count == full.sum()
    return full


TRUE, OLD = lump((15, 13, 10), 20), lump((18, 13, 10), 18)
NOTHING = np.zeros(SHAPE, dtype=bool)
ALL_BUT_ONE = ~NOTHING
ALL_BUT_ONE[0, 0, 0] = False
HOLLOW = TRUE & ~lump((15, 13, 10), 10)
HALF = np.broadcast_to((np.arange(30) < 15)[:, None, None], SHAPE)
WHOLE = Box((0, 0, 0), SHAPE)
AROUND = Box.around(OLD)


def slices(mask, *numbers, axis=2):
    return [Edit.slice_of(mask, axis, n) for n in numbers]


@pytest.mark.parametrize(
    ("edits", "base"),
    [
        (slices(TRUE, 10) + slices(NOTHING, 15, axis=0) + slices(TRUE, 13, axis=1), OLD),
        (slices(NOTHING, *range(20)), OLD),
        (slices(~NOTHING, 0, 19), OLD),
        (slices(~NOTHING, 10), ALL_BUT_ONE),
        (slices(TRUE, 10), ALL_BUT_ONE),
        (slices(HALF, 4, 16), None),
        (slices(HALF, 10), HALF & (np.arange(20) > 3)),
        (slices(HOLLOW, 8, 10, 12), TRUE),
        (slices(HOLLOW, 8, 10, 12), None),
        (slices(np.indices(SHAPE).sum(axis=0) % 2 == 0, 10), OLD),
        (slices(lump((15, 13, 10), 1), 10), OLD),
        (slices(lump((2, 2, 1), 4), 1), lump((26, 22, 18), 8)),
        ([Edit.block(AROUND, belongs=False)], OLD),
        ([Edit.block(AROUND, belongs=True)], OLD),
        ([Edit.block(AROUND, belongs=True)], None),
        ([Edit.block(WHOLE, belongs=False)], OLD),
        ([Edit.block(WHOLE, belongs=False), *slices(TRUE, 10)], OLD),
    ],
    ids=[
        "crossing slices disagree",
        "every slice erased",
        "full slices at both ends",
        "full slice of nearly everything",
        "nearly everything",
        "touches the border",
        "touches the border, mended",
        "holes",
        "holes from nothing",
        "chequered",
        "one voxel",
        "far from the mask",
        "box erases all",
        "box fills all around",
        "box from nothing",
        "box erases the image",
        "box erases the image, one slice drawn",
    ],
)
def test_what_was_drawn_stays(engine, edits, base):
    corrected(engine, scan(TRUE), edits, base)


@pytest.mark.parametrize("axis", range(3))
def test_an_image_of_one_slice(engine, axis):
    shape = tuple(1 if a == axis else 40 for a in range(3))
    centre = tuple(n / 2 for n in shape)
    true, old = lump(centre, 25, shape, (2, 2, 2)), lump(centre, 15, shape, (2, 2, 2))
    volume = scan(true, (2, 2, 2))
    across = (axis + 1) % 3
    assert corrected(engine, volume, slices(true, 20, axis=across)).sum() > true.sum() / 2
    corrected(engine, volume, slices(true, 20, axis=across), old)
    point = Edit.stroke(volume.geometry.to_ras([n // 2 for n in shape]), volume.geometry, belongs=False)
    assert corrected(engine, volume, [point], old).any()


@pytest.mark.parametrize("drawn", ["stroke", "slice"])
def test_edits_far_outside_of_everything_change_nothing(engine, drawn):
    volume = scan(TRUE)
    old = lump((15, 13, 16), 12)
    point = Edit.stroke(volume.geometry.to_ras((15, 13, 0)), volume.geometry, belongs=False)
    edits = [point] if drawn == "stroke" else slices(NOTHING, 0)
    assert np.array_equal(corrected(engine, volume, edits, old), old)


def test_thirty_corrections_in_a_row_keep_every_drawing(engine):
    """Each begins with all that was drawn so far; every third draws a slice, the others click."""
    volume, edits = scan(TRUE), []
    for n in range(30):
        at = (15, 13, n % 20)
        click = Edit.stroke(volume.geometry.to_ras(at), volume.geometry, belongs=bool(TRUE[at]))
        edits += [click] if n % 3 or n < 15 else slices(TRUE, at[2])
        new = corrected(engine, volume, edits, OLD)
    assert (new ^ TRUE).sum() < (OLD ^ TRUE).sum()


def test_a_modality_that_the_model_does_not_know(engine):
    with pytest.raises(ModalityError):
        corrected(engine, scan(TRUE, modality="PT"), slices(TRUE, 10))
