"""What is true of every segmentation, whoever made it."""

import numpy as np
import pytest


def masks_of(result):
    return {mask.structure: result.full_mask(mask.structure) for mask in result}


def require_consistent(volume, result):
    """Check that each mask is on the grid of the volume: statistics tell whether its voxels are meant."""
    assert result.geometry.spatial_shape == volume.geometry.spatial_shape
    assert np.array_equal(result.geometry.affine, volume.geometry.affine)
    for mask in result:
        whole, told = mask.full(volume.geometry.spatial_shape), mask.statistics
        assert told.voxel_count == whole.sum()
        assert told.volume_ml == pytest.approx(told.voxel_count * volume.geometry.voxel_volume_ml)
        assert told.is_empty == (not whole.any())
        if not told.is_empty:
            assert told.mean_intensity == pytest.approx(volume.voxels[whole].mean(), rel=1e-5)
            assert 0.5 <= told.mean_confidence <= 1
        inner = whole[1:-1, 1:-1, 1:-1].sum()
        assert told.touches_border == (inner < told.voxel_count)
