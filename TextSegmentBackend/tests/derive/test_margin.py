"""Margins: what they reach in millimetres, on grids of any spacing and direction."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_scans import ANISOTROPIC, MIRRORED, OBLIQUE, SHEARED, affine, all_orientations, rotation
from scipy.ndimage import binary_dilation

from textsegment.derive.margin import Margin, expand, reach_of
from textsegment.derive.region import Region, difference, intersection, union, with_margin
from textsegment.errors import LimitExceededError, PromptError
from textsegment.geometry import Box, Geometry

THICK = affine(np.eye(3), spacing=(1, 1, 5))
GRIDS = [OBLIQUE, MIRRORED, SHEARED, ANISOTROPIC, THICK, *all_orientations()[::11]]
SIDES = ["left", "right", "anterior", "posterior", "superior", "inferior"]


def grid_around(matrix, extent_mm) -> Geometry:
    """A grid with its middle at the origin that holds a ball of this diameter."""
    shape = np.ceil(extent_mm / np.linalg.norm(matrix[:3, :3], axis=0)).astype(int) + 2
    centred = matrix.copy()
    centred[:3, 3] = -matrix[:3, :3] @ ((shape - 1) / 2 + [0.2, -0.3, 0.1])
    return Geometry(tuple(int(n) for n in shape), centred)


def points_of(geometry):
    return geometry.to_ras(np.moveaxis(np.indices(geometry.spatial_shape), 0, -1))


def widened(mask, margin, geometry):
    """The mask with a margin on the whole grid, and whether a part was lost."""
    region, is_cut = with_margin(Region((0, 0, 0), mask), margin, geometry)
    return region.within(Box((0, 0, 0), geometry.spatial_shape)), is_cut


@pytest.mark.parametrize("matrix", GRIDS)
@pytest.mark.parametrize(("radius", "size"), [(12, 5), (15, -5), (8, 10)])
def test_a_ball_becomes_a_larger_or_smaller_ball(matrix, radius, size):
    geometry = grid_around(matrix, 2 * (radius + max(size, 0) + 4))
    distance = np.linalg.norm(points_of(geometry), axis=-1)
    found, is_cut = widened(distance <= radius, Margin.uniform(size), geometry)
    expected = distance <= radius + size
    assert not is_cut
    # No voxel is wrong by more than one and a half of the largest voxel size.
    slack = 1.5 * max(geometry.spacing)
    assert not found[distance > radius + size + slack].any()
    assert found[distance < radius + size - slack].all()
    dice = 2 * (found & expected).sum() / (found.sum() + expected.sum())
    assert dice > (0.96 if max(geometry.spacing) < 4 else 0.88)


@pytest.mark.parametrize("matrix", GRIDS)
@pytest.mark.parametrize("side", SIDES)
def test_directions_are_those_of_the_patient(matrix, side):
    geometry = grid_around(matrix, 44)
    points = points_of(geometry)
    box = (np.abs(points) <= 9).all(axis=-1)
    found, _ = widened(box, Margin(**{**dict.fromkeys(SIDES, 0.0), side: 7.0}), geometry)
    assert found[box].all()
    axis, sign = SIDES.index(side) // 2, (-1, 1, 1, -1, 1, -1)[SIDES.index(side)]
    slack = max(geometry.spacing)
    before, after = points[box], points[found]
    reached = (sign * after[:, axis]).max() - (sign * before[:, axis]).max()
    assert abs(reached - 7) <= slack
    assert abs((sign * after[:, axis]).min() - (sign * before[:, axis]).min()) <= slack
    for other in {0, 1, 2} - {axis}:
        assert abs(after[:, other].max() - before[:, other].max()) <= slack
        assert abs(after[:, other].min() - before[:, other].min()) <= slack


@pytest.mark.parametrize("matrix", [*all_orientations()[::5], THICK])
def test_unequal_margins_of_a_box_are_exact_on_straight_grids(matrix):
    geometry = grid_around(matrix, 60)
    margin = Margin(left=7, right=3, anterior=0, posterior=5, superior=10, inferior=2)
    start = [n // 2 - 2 for n in geometry.spatial_shape]
    one = np.zeros(geometry.spatial_shape, dtype=bool)
    one[tuple(slice(a, a + 4) for a in start)] = True
    found, _ = widened(one, margin, geometry)
    after, before = points_of(geometry)[found], points_of(geometry)[one]
    spacing = np.abs(geometry.affine[:3, :3]).max(axis=1)
    low, high = np.array([7, 5, 2]), np.array([3, 0, 10])
    assert np.allclose(before.min(axis=0) - after.min(axis=0), np.floor(low / spacing + 0.5) * spacing)
    assert np.allclose(after.max(axis=0) - before.max(axis=0), np.floor(high / spacing + 0.5) * spacing)


@pytest.mark.parametrize(
    ("size", "slices"), [(0, 0), (2, 0), (2.4, 0), (2.5, 1), (3, 1), (5, 1), (7.4, 1), (7.5, 2), (10, 2)]
)
def test_a_margin_is_rounded_to_whole_slices(size, slices):
    geometry = Geometry((9, 9, 9), THICK)
    assert reach_of(Margin.uniform(size), geometry).mm[2] == (slices * 5.0, slices * 5.0)
    assert reach_of(Margin.uniform(size), geometry).asked_mm[2] == pytest.approx((size, size))


@pytest.mark.parametrize("matrix", GRIDS)
def test_no_margin_changes_nothing(matrix):
    geometry = grid_around(matrix, 20)
    mask = np.random.default_rng(0).random(geometry.spatial_shape) < 0.3
    for margin in (Margin.uniform(0), Margin.uniform(-0.0)):
        assert np.array_equal(widened(mask, margin, geometry)[0], mask)


@given(
    st.integers(0, len(GRIDS) - 1),
    st.lists(st.floats(0, 9), min_size=6, max_size=6),
    st.lists(st.floats(0, 4), min_size=6, max_size=6),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=60)
def test_more_margin_never_holds_less(grid, sizes, more, uniform, seed):
    geometry = grid_around(GRIDS[grid], 30)
    if uniform:
        small, large = Margin.uniform(sizes[0]), Margin.uniform(sizes[0] + more[0])
    else:
        small, large = Margin(*sizes), Margin(*(a + b for a, b in zip(sizes, more, strict=True)))
    mask = np.random.default_rng(seed).random(geometry.spatial_shape) < 0.02
    inner, outer = (widened(mask, margin, geometry)[0] for margin in (small, large))
    assert inner[mask].all()
    assert outer[inner].all()
    thin, thick = (
        widened(mask, Margin(*(-size for size in margin.sizes)), geometry)[0] for margin in (large, small)
    )
    assert thick[thin].all()
    assert mask[thick].all()


@given(st.integers(0, len(GRIDS) - 1), st.floats(0, 8), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_contracting_what_was_expanded_gives_at_least_the_structure(grid, size, seed):
    geometry = grid_around(GRIDS[grid], 40)
    points = points_of(geometry)
    centre = np.random.default_rng(seed).uniform(-8, 8, 3)
    mask = np.linalg.norm(points - centre, axis=-1) <= 9
    closed = widened(widened(mask, Margin.uniform(size), geometry)[0], Margin.uniform(-size), geometry)[0]
    assert closed[mask].all()


@pytest.mark.parametrize("matrix", GRIDS)
def test_expanding_is_what_scipy_calls_dilation(matrix):
    generator = np.random.default_rng(3)
    for _ in range(5):
        mask = generator.random(generator.integers(2, 14, 3)) < 0.1
        offsets = reach_of(Margin(*generator.uniform(0, 6, 6)), Geometry((9, 9, 9), matrix)).offsets
        assert np.array_equal(expand(mask, offsets), binary_dilation(mask, offsets))


def test_what_the_border_does():
    geometry = Geometry((10, 10, 10), np.eye(4))
    mask = np.zeros((10, 10, 10), dtype=bool)
    mask[:, 3:7, 3:7] = True
    grown, is_cut = widened(mask, Margin.uniform(2), geometry)
    assert is_cut
    assert grown[0, 5, 5]
    shrunk, is_cut = widened(mask, Margin.uniform(-1), geometry)
    assert not is_cut
    # Along i it goes on beyond the image, so nothing is taken away there.
    assert np.array_equal(np.argwhere(shrunk).min(axis=0), [0, 4, 4])
    assert np.array_equal(np.argwhere(shrunk).max(axis=0), [9, 5, 5])


def test_impossible_margins():
    with pytest.raises(PromptError, match="not both"):
        Margin(1, 1, 1, 1, 1, -1)
    for size in (101, float("inf"), float("nan")):
        with pytest.raises(LimitExceededError):
            Margin.uniform(size)


def regions(seed):
    generator = np.random.default_rng(seed)
    for _ in range(3):
        start = tuple(int(n) for n in generator.integers(0, 6, 3))
        yield Region(start, generator.random(generator.integers(1, 7, 3)) < generator.random())


@given(st.integers(0, 2**32 - 1))
def test_sets_behave_like_sets(seed):
    whole = Box((0, 0, 0), (13, 13, 13))
    a, b, c = regions(seed)
    x, y, z = (region.within(whole) for region in (a, b, c))
    assert np.array_equal(union(a, b).within(whole), x | y)
    assert np.array_equal(union(b, a).within(whole), x | y)
    assert np.array_equal(intersection(a, b).within(whole), x & y)
    assert np.array_equal(difference(a, b).within(whole), x & ~y)
    assert np.array_equal(union(union(a, b), c).within(whole), union(a, union(b, c)).within(whole))
    both = intersection(a, union(b, c)).within(whole)
    assert np.array_equal(both, union(intersection(a, b), intersection(a, c)).within(whole))
    assert np.array_equal(both, x & (y | z))


def test_a_rotated_grid_and_a_straight_one_agree_on_a_ball():
    volumes = []
    for angles in ((0, 0, 0), (0.3, 0.2, 0.1), (0.7, -0.4, 0.5)):
        geometry = grid_around(affine(rotation(*angles), spacing=(1, 1, 1)), 44)
        ball = np.linalg.norm(points_of(geometry), axis=-1) <= 12
        volumes.append(int(widened(ball, Margin.uniform(6), geometry)[0].sum()))
    assert max(volumes) / min(volumes) < 1.02
