"""Tiling and weights against their definition and against the plain pipeline."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from textsegment.inference.image.patches import (
    FAST_OVERLAP,
    OVERLAP,
    PatchGrid,
    cut_patch,
    patch_starts,
    patch_weight,
)


@pytest.mark.parametrize(
    ("size", "patch", "starts"),
    [
        (364, 288, (0, 76)),
        (286, 288, (0,)),
        (112, 96, (0, 16)),
        (288, 288, (0,)),
        (289, 288, (0, 1)),  # one voxel more costs a whole patch
        (432, 288, (0, 144)),
        (433, 288, (0, 144, 145)),
        (1, 96, (0,)),
    ],
)
def test_starts(size: int, patch: int, starts: tuple[int, ...]) -> None:
    assert patch_starts(size, patch) == starts


@given(
    st.integers(1, 900), st.integers(1, 150).map(lambda n: 2 * n), st.sampled_from([OVERLAP, FAST_OVERLAP])
)
def test_patches_cover_the_image_and_stay_inside(size: int, patch: int, overlap: float) -> None:
    starts = patch_starts(size, patch, overlap)
    covered = np.zeros(size, dtype=bool)
    for start in starts:
        assert start >= 0
        assert start + patch <= max(size, patch)
        covered[start : start + patch] = True
    assert covered.all()
    assert list(starts) == sorted(set(starts))


@pytest.mark.parametrize("size", [(64, 32, 32), (48, 80, 96), (32, 32, 32)])
def test_weight_is_the_blurred_impulse_in_half_precision(size: tuple[int, int, int]) -> None:
    impulse = np.zeros(size)
    impulse[tuple(n // 2 for n in size)] = 1
    blurred = gaussian_filter(impulse, [n / 8 for n in size], mode="constant")
    expected = (blurred / blurred.max() * 10).astype(np.float16)
    expected[expected == 0] = expected[expected > 0].min()
    weight = patch_weight(size)
    assert weight.max() == 10
    assert weight.min() > 0
    # A rounding of the filter may tip a tie of half precision: one unit in the last place.
    np.testing.assert_allclose(weight, expected.astype(np.float32), rtol=2**-10, atol=2**-24)
    assert (weight == expected).mean() > 0.999


def test_boxes_come_in_sweep_order_and_end_with_the_image() -> None:
    grid = PatchGrid((70, 20, 150), (64, 32, 32))
    assert grid.sweep_axis == 2
    along = [box.start[2] for box in grid.boxes]
    assert along == sorted(along)
    assert len(set(grid.boxes)) == len(grid.boxes) == 2 * 1 * 9
    assert {box.shape for box in grid.boxes} == {(64, 20, 32)}


def test_small_images_are_filled_with_zeros_at_the_end() -> None:
    image = np.ones((10, 40, 5), dtype=np.float32)
    grid = PatchGrid(image.shape, (32, 32, 32))
    patch = cut_patch(image, grid.boxes[-1], grid.patch_size)
    assert patch.shape == (32, 32, 32)
    assert patch[:10, :, :5].all()
    assert patch.sum() == 10 * 32 * 5
