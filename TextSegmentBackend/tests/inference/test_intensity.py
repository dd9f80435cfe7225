"""Normalisation of intensities against its definition."""

import numpy as np
import pytest

from textsegment.errors import VolumeInvalidError
from textsegment.inference.image.intensity import normalize


def test_ct_is_clipped_to_its_window() -> None:
    voxels = np.random.default_rng(1).integers(-1024, 3000, (12, 13, 14)).astype(np.int16)
    clipped = np.clip(voxels.astype(np.float64), -500, 1000)
    expected = (clipped - clipped.mean()) / clipped.std()
    result = normalize(voxels, "CT")
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize("modality", ["MR", "PT", "US"])
@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e6])
def test_others_are_clipped_to_percentiles(modality: str, scale: float) -> None:
    voxels = (np.random.default_rng(2).gamma(2.0, size=(20, 21, 22)) * scale).astype(np.float32)
    low, high = np.percentile(voxels.astype(np.float64), [0.5, 99.5])
    clipped = np.clip(voxels.astype(np.float64), low, high)
    expected = (clipped - clipped.mean()) / clipped.std()
    np.testing.assert_allclose(normalize(voxels, modality), expected, atol=1e-4)


@pytest.mark.parametrize(("modality", "value"), [("CT", 5000), ("CT", -2000), ("MR", 0.1), ("MR", 0)])
def test_nothing_left_is_an_error_not_nan(modality: str, value: float) -> None:
    voxels = np.full((9, 9, 9), value, dtype=np.float32)
    voxels[0, 0, 0] += 1 if modality == "CT" else 0
    with pytest.raises(VolumeInvalidError):
        normalize(voxels, modality)


def test_input_stays_as_it_is() -> None:
    voxels = np.random.default_rng(1).normal(size=(5, 5, 5)).astype(np.float32)
    before = voxels.copy()
    normalize(voxels, "MR")
    np.testing.assert_array_equal(voxels, before)
