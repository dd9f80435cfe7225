"""Outlines, checked with other ideas of what lies inside a polygon: crossings of rays, and turns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from made_scans import structure_mask
from matplotlib.path import Path as Polygon

from textsegment.files.rtstruct.contours import outlines_at


def filled(polygons, shape):
    """Pixels whose centre lies inside an odd number of polygons, by crossings of a ray along j."""
    i, j = np.indices(shape)
    inside = np.zeros(shape, dtype=bool)
    for polygon in polygons:
        for (ai, aj), (bi, bj) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
            if ai == bi:
                continue
            # The shift keeps rays from running along channels and through corners.
            at = i + 1e-7
            crosses = (ai <= at) != (bi <= at)
            inside ^= crosses & (aj + (at - ai) / (bi - ai) * (bj - aj) > j)
    return inside


def mask_of(picture):
    return structure_mask("liver", np.asarray(picture, dtype=bool)[:, :, None])


def area(polygon):
    i, j = polygon.T
    return 0.5 * float(i @ np.roll(j, -1) - j @ np.roll(i, -1))


def disc(shape, centre, radius, spacing=(1.0, 1.0)):
    i, j = np.indices(shape)
    return np.hypot((i - centre[0]) * spacing[0], (j - centre[1]) * spacing[1]) <= radius


@settings(max_examples=300)
@given(
    arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))),
    st.sampled_from([(1.0, 1.0), (0.5, 2.0), (3.0, 0.9)]),
)
def test_pixel_centres_inside_the_outlines_are_the_mask(picture, spacing):
    polygons = outlines_at(mask_of(picture), 0, spacing)
    assert np.array_equal(filled(polygons, picture.shape), picture)


def test_union_and_winding_agree_with_the_mask_too():
    """Keyholes mean the same to readers that count turns or join contours, not only by even and odd."""
    ring = disc((60, 50), (29, 24), 20) & ~disc((60, 50), (25, 20), 6) & ~disc((60, 50), (36, 30), 7)
    ring[40:43, 3:48:5] ^= True
    (joined,) = [p for p in outlines_at(mask_of(ring), 0, (1, 1)) if abs(area(p)) > 100]
    path = Polygon(np.append(joined, joined[:1], axis=0), closed=True)
    centres = np.stack(np.indices(ring.shape), axis=-1).reshape(-1, 2) + 1e-7
    alone = filled([joined], ring.shape)
    assert np.array_equal(path.contains_points(centres).reshape(ring.shape), alone)


def test_one_pixel_has_an_outline():
    (polygon,) = outlines_at(mask_of([[False, False], [False, True]]), 0, (1, 1))
    assert np.allclose(sorted(map(tuple, polygon)), [(0.5, 1), (1, 0.5), (1, 1.5), (1.5, 1)], atol=0.01)


def test_parts_are_separate_and_an_island_lies_in_its_hole():
    picture = disc((40, 40), (20, 20), 18) & ~disc((40, 40), (20, 20), 12) | disc((40, 40), (20, 20), 5)
    polygons = outlines_at(mask_of(picture), 0, (1, 1))
    assert len(polygons) == 2
    assert np.array_equal(filled(polygons, picture.shape), picture)


def test_outline_at_the_border_of_the_image_goes_around_its_pixels():
    (polygon,) = outlines_at(mask_of(np.ones((7, 5))), 0, (1, 1))
    assert np.allclose([polygon.min(axis=0), polygon.max(axis=0)], [[-0.5, -0.5], [6.5, 4.5]], atol=0.01)


def test_outline_of_a_disc_is_near_and_of_the_right_area():
    picture, radius, spacing = disc((90, 90), (45.3, 44.8), 60.0, (1.5, 1.5)), 60.0, (1.5, 1.5)
    (polygon,) = outlines_at(mask_of(picture), 0, spacing)
    assert len(polygon) < 140
    distance = np.linalg.norm((polygon - [45.3, 44.8]) * 1.5, axis=1)
    assert np.abs(distance - radius).max() < 1.5 * 0.75
    assert area(polygon) * 2.25 == pytest.approx(np.pi * radius**2, rel=0.01)


def test_between_two_slices_the_outline_is_in_between():
    whole = np.stack([disc((50, 50), (25, 25), 8), disc((50, 50), (25, 25), 18)], axis=-1)
    mask = structure_mask("liver", whole)
    for place, radius in ((0.0, 8), (0.25, 10.5), (0.5, 13), (0.75, 15.5), (1.0, 18)):
        (polygon,) = outlines_at(mask, place, (1, 1))
        assert area(polygon) == pytest.approx(np.pi * radius**2, rel=0.06)


def test_beyond_its_end_a_structure_ends_half_a_slice_further():
    mask = structure_mask("liver", np.pad(np.ones((4, 4, 2), dtype=bool), 2))
    found = [place for place in np.arange(0, 6, 0.25) if outlines_at(mask, place, (1, 1))]
    assert found == [1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0, 3.25]


def test_points_on_straight_lines_are_left_out():
    box = np.zeros((20, 30), dtype=bool)
    box[4:15, 3:27] = True
    (polygon,) = outlines_at(mask_of(box), 0, (1, 1))
    assert len(polygon) == 8
    (polygon,) = outlines_at(mask_of(np.add.outer(np.arange(12), np.arange(12)) < 12), 0, (1, 1))
    assert len(polygon) == 6
