import numpy as np
import pytest

from textsegment.plausibility import looks_like_labels


def balls(dtype=np.uint8):
    i, j, k = np.indices((30, 28, 20))
    voxels = np.zeros((30, 28, 20), dtype=dtype)
    voxels[(i - 12) ** 2 + (j - 12) ** 2 + (k - 9) ** 2 < 49] = 1
    voxels[(i - 20) ** 2 + (j - 14) ** 2 + (k - 10) ** 2 < 25] = 7
    return voxels


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_label_maps_of_any_type(dtype):
    """io1"""
    assert looks_like_labels(balls(dtype))


def test_many_labels_and_thin_ones():
    """io1: a parcellation in stripes."""
    voxels = np.zeros((60, 60, 40), dtype=np.uint16)
    voxels[5:55, 5:55, 5:35] = (np.arange(50) // 4)[:, None, None] + 1
    assert looks_like_labels(voxels)


@pytest.mark.parametrize("peak", [255, 1000])
def test_scans_are_none(peak):
    """io1: 8 bits, a background of zero, few values."""
    rng = np.random.default_rng(0)
    voxels = np.where(balls() > 0, rng.integers(1, peak, (30, 28, 20)), 0)
    assert not looks_like_labels(voxels.astype(np.uint16))
    assert not looks_like_labels(voxels - 1000.0)
    assert not looks_like_labels(voxels / 7)


@pytest.mark.parametrize("voxels", [
    np.zeros((4, 4, 4)), np.ones((4, 4, 4)), np.full((4, 4, 4), np.nan), np.empty((0, 4, 4)),
])  # fmt: skip
def test_nothing_in_it(voxels):
    assert not looks_like_labels(voxels)
