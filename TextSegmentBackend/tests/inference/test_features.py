"""The bounds of the feature cache, and who leaves first."""

import numpy as np
import torch

from textsegment.geometry import Box, Geometry
from textsegment.inference.features import FeatureCache, PreparedScan
from textsegment.inference.image.canonical import CanonicalImage
from textsegment.inference.image.patches import PatchGrid
from textsegment.model.sat import PatchFeatures

CPU = torch.device("cpu")
# A device that holds no data, but on which tensors can be counted.
META = torch.device("meta")
VOXELS = 8 * 8 * 8
PATCH_BYTES = 4 * (2 * 3 + 4 * VOXELS)


def scan() -> PreparedScan:
    geometry = Geometry((8, 8, 8), np.eye(4))
    image = CanonicalImage(
        np.ones((8, 8, 8), np.float32), geometry, (8, 8, 8), Box((0, 0, 0), (8, 8, 8)), geometry, "RAS", "CT"
    )
    return PreparedScan(image, PatchGrid((8, 8, 8), (4, 4, 4)))


def features(value: float = 1.0, device: torch.device = CPU) -> PatchFeatures:
    pixels = torch.full((4, 8, 8, 8), value, device=device)
    return PatchFeatures(torch.ones((2, 3), device=device), (2, 1, 1), pixels)


def test_the_scan_used_longest_ago_leaves_first() -> None:
    cache = FeatureCache(CPU, 0, 3 * PATCH_BYTES)
    a, b, c = scan(), scan(), scan()
    for key, one in (("a", a), ("b", b)):
        cache.put(key, one)
        cache.keep_patch(one, 0, features(), half=False)
    assert cache.get("a") is a  # b is the oldest now
    cache.put("c", c)
    cache.keep_patch(c, 0, features(), half=False)
    assert cache.get("b") is None
    assert cache.get("a") is a
    assert cache.patch(c, 0) is not None
    assert cache.used_bytes(on_device=False) <= cache.host_bytes


def test_patches_of_the_scan_in_use_do_not_push_each_other_out() -> None:
    cache = FeatureCache(CPU, 0, 3 * PATCH_BYTES)
    one = scan()
    cache.put("one", one)
    for number in range(5):
        cache.keep_patch(one, number, features(float(number)), half=False)
    assert sorted(one.patches) == [0, 1]
    assert cache.used_bytes(on_device=False) <= cache.host_bytes


def test_a_scan_that_is_too_large_is_not_kept() -> None:
    cache = FeatureCache(CPU, 0, 100)
    one = scan()
    cache.put("one", one)
    cache.keep_patch(one, 0, features(), half=False)
    assert cache.get("one") is None
    assert cache.used_bytes(on_device=False) == 0


def test_half_precision_takes_half_but_not_if_it_overflows() -> None:
    cache = FeatureCache(CPU, 0, 10 * PATCH_BYTES)
    one = scan()
    cache.put("one", one)
    cache.keep_patch(one, 0, features(1.0), half=True)
    cache.keep_patch(one, 1, features(1e5), half=True)
    assert one.patches[0].pixel_features.dtype == torch.float16
    assert one.patches[1].pixel_features.dtype == torch.float32


def test_the_device_is_filled_first() -> None:
    cache = FeatureCache(META, PATCH_BYTES + 10, 3 * PATCH_BYTES)
    old = scan()
    cache.put("old", old)
    cache.keep_patch(old, 0, features(device=META), half=False)
    assert cache.used_bytes(on_device=True) == PATCH_BYTES
    assert cache.used_bytes(on_device=False) == old.image.voxels.nbytes
    assert old.patches[0].pixel_features.device == META


def test_clear_forgets_everything() -> None:
    cache = FeatureCache(CPU, 0, 10 * PATCH_BYTES)
    one = scan()
    cache.put("one", one)
    cache.keep_patch(one, 0, features(), half=False)
    cache.clear()
    assert cache.get("one") is None
    assert cache.patch(one, 0) is None
    assert cache.used_bytes(on_device=False) == 0
