"""The canonical grid against MONAI, with which SAT was trained."""

from typing import Any

import numpy as np
import pytest
import torch

from textsegment.errors import LimitExceededError
from textsegment.geometry import Geometry
from textsegment.inference.image.canonical import labels_to_canonical, to_canonical
from textsegment.volume import Volume


def rotation(x: float, y: float, z: float) -> np.ndarray:
    """Rotation matrix of three angles in degrees."""
    cx, cy, cz = np.cos(np.radians([x, y, z]))
    sx, sy, sz = np.sin(np.radians([x, y, z]))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def affine_of(matrix: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = np.asarray(matrix, dtype=float) @ np.diag(spacing)
    affine[:3, 3] = (-31.5, 12.25, 70.125)
    return affine


SHEAR = np.array([[1, 0, 0], [0, 1, 0.2], [0, 0, 0.98]])
TURN = np.array([[0, -1, 0], [0, 0, 1], [-1, 0, 0]])
GRIDS = {
    "plain": ((21, 18, 9), affine_of(np.eye(3), (1.7, 1.3, 4.1))),
    "LPS": ((21, 18, 9), affine_of(np.diag([-1, -1, 1]), (1.7, 1.3, 4.1))),
    "sagittal": ((9, 21, 18), affine_of(TURN, (3.6, 0.8, 0.8))),
    "finer": ((30, 31, 32), affine_of(np.eye(3), (0.4, 0.5, 0.6))),
    "coarser": ((12, 11, 6), affine_of(np.diag([1, -1, -1]), (4.0, 3.0, 9.0))),
    "same": ((12, 11, 6), affine_of(np.diag([-1, 1, 1]), (1.0, 1.0, 3.0))),
    "nearly the same": ((12, 11, 6), affine_of(np.eye(3), (1.0004, 1.3, 2.9995))),
    "oblique": ((21, 18, 9), affine_of(rotation(12, -7, 20), (1.7, 1.3, 4.1))),
    "very oblique": ((21, 18, 9), affine_of(rotation(40, 30, 44), (1.7, 1.3, 4.1))),
    "oblique, turned": ((21, 18, 9), affine_of(rotation(5, 9, -14) @ TURN, (1.7, 1.3, 4.1))),
    "sheared": ((21, 18, 9), affine_of(SHEAR, (1.7, 1.3, 4.1))),
    "sheared, oblique": ((21, 18, 9), affine_of(rotation(12, -7, 20) @ SHEAR @ TURN, (1.7, 1.3, 4.1))),
    "sheared both ways": ((21, 18, 9), affine_of(SHEAR @ SHEAR.T @ rotation(3, 4, 5), (1.7, 1.3, 4.1))),
    "one slice": ((21, 18, 1), affine_of(np.eye(3), (1.7, 1.3, 4.1))),
    "one column": ((1, 18, 7), affine_of(np.diag([-1, 1, -1]), (1.7, 1.3, 4.1))),
    "one voxel": ((1, 1, 1), affine_of(rotation(5, 9, -14), (1.7, 1.3, 4.1))),
    "half a voxel left": ((6, 4, 3), affine_of(np.eye(3), (1.5, 1.5, 1.5))),  # rounds half to even
}


def volume_on(grid: str, dtype: str = "int16", modality: str = "CT") -> Volume:
    shape, affine = GRIDS[grid]
    rng = np.random.default_rng(3)
    voxels = rng.integers(-900, -1, shape)
    inner = tuple(slice(n // 5, n - n // 4) for n in shape)
    voxels[inner] = rng.integers(-200, 900, voxels[inner].shape)
    voxels.flat[voxels.size // 2] = 500
    if np.dtype(dtype).kind == "u":
        voxels = np.clip(voxels, 0, 255)
    return Volume(voxels.astype(dtype), Geometry(shape, affine), modality)


def monai_canonical(volume: Volume, spacing: tuple[float, float, float], orientation: str) -> Any:
    from monai.data import MetaTensor  # takes a second, in every process that collects tests
    from monai.transforms import CropForeground, Orientation, Spacing

    image = MetaTensor(
        torch.from_numpy(volume.voxels.astype(np.float64))[None], affine=volume.geometry.affine.copy()
    )
    labels = (("L", "R"), ("P", "A"), ("I", "S"))
    image = Orientation(axcodes=orientation, labels=labels)(image)
    image = Spacing(pixdim=spacing, mode="bilinear")(image)
    return CropForeground(allow_smaller=True)(image)


@pytest.mark.parametrize("orientation", ["RAS", "ASR"])
@pytest.mark.parametrize("grid", GRIDS)
def test_equals_monai(grid: str, orientation: str) -> None:
    volume = volume_on(grid)
    ours = to_canonical(volume, spacing=(1, 1, 3), orientation=orientation)
    theirs = monai_canonical(volume, (1, 1, 3), orientation)
    assert ours.voxels.shape == tuple(theirs.shape[1:])
    np.testing.assert_allclose(ours.voxels, theirs[0].numpy(), atol=2e-3)
    np.testing.assert_allclose(ours.geometry.affine, theirs.affine.numpy(), atol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "float32", "float64", "float16", ">i2", "bool"])
def test_voxel_types(dtype: str) -> None:
    volume = volume_on("oblique", "int16")
    voxels = np.clip(volume.voxels, 0, 100).astype(dtype)
    same = Volume(voxels.astype(np.float64), volume.geometry, "MR")
    typed = Volume(voxels, volume.geometry, "MR")
    expected = to_canonical(same, spacing=(2, 2, 2))
    np.testing.assert_array_equal(to_canonical(typed, spacing=(2, 2, 2)).voxels, expected.voxels)


def test_memory_layout_does_not_matter() -> None:
    volume = volume_on("sheared, oblique")
    for array in (np.asfortranarray(volume.voxels), volume.voxels[::-1].copy()[::-1]):
        again = to_canonical(Volume(array, volume.geometry, "CT"), spacing=(1, 1, 3))
        np.testing.assert_array_equal(again.voxels, to_canonical(volume, spacing=(1, 1, 3)).voxels)


def test_input_stays_as_it_is() -> None:
    volume = volume_on("same")
    before = volume.voxels.copy()
    canonical = to_canonical(volume, spacing=(1, 1, 3))
    canonical.voxels[:] = 0
    np.testing.assert_array_equal(volume.voxels, before)


def test_nothing_above_zero_keeps_the_whole_image_and_warns() -> None:
    volume = Volume(np.full((8, 8, 8), -1000) + np.arange(8), Geometry((8, 8, 8), np.eye(4)), "CT")
    canonical = to_canonical(volume, spacing=(1, 1, 1))
    assert canonical.voxels.shape == (8, 8, 8)
    assert len(canonical.warnings) == 1


def test_padding_does_not_spread_to_its_neighbours() -> None:
    """io4: interpolated with -32768, the voxels beside the padding were none of the body any more."""
    hu = np.random.default_rng(0).normal(40, 20, (40, 36, 20))
    hu[:, :12] = np.random.default_rng(1).normal(-1000, 5, (40, 12, 20))
    geometry = Geometry(hu.shape, np.diag([1.3, 1.3, 2.5, 1.0]))
    clean, padded = hu.copy(), hu.copy()
    clean[:6], padded[:6] = -1024, -32768
    expected, found = (
        to_canonical(Volume(v, geometry, "CT"), spacing=(1.5, 1.5, 3.0)) for v in (clean, padded)
    )
    assert np.array_equal(found.voxels, expected.voxels)
    assert padded.min() == -32768


def test_crop_is_part_of_the_full_grid() -> None:
    canonical = to_canonical(volume_on("plain"), spacing=(1, 1, 3))
    assert canonical.crop.shape == canonical.voxels.shape
    assert all(a >= 0 for a in canonical.crop.start)
    assert all(b <= n for b, n in zip(canonical.crop.stop, canonical.full_shape, strict=True))
    assert canonical.crop.shape != canonical.full_shape


def test_absurd_voxel_size_is_refused_before_memory_is_taken() -> None:
    volume = Volume(np.arange(8).reshape(2, 2, 2), Geometry((2, 2, 2), np.diag([1e6, 1e4, 1e4, 1])), "MR")
    with pytest.raises(LimitExceededError):
        to_canonical(volume, spacing=(1, 1, 3))


@pytest.mark.parametrize("grid", ["plain", "LPS", "oblique", "sheared, oblique", "finer", "one slice"])
def test_labels_follow_the_image(grid: str) -> None:
    volume = volume_on(grid)
    centres = volume.geometry.to_ras(np.moveaxis(np.indices(volume.voxels.shape), 0, -1))
    middle = centres.reshape(-1, 3).mean(axis=0)
    labels = np.where(centres[..., 0] > middle[0], 7, 3).astype(np.uint8)  # the patient's right is 7
    canonical = to_canonical(volume, spacing=(1, 1, 3))
    mapped = labels_to_canonical(labels, volume.geometry, canonical)
    assert mapped.dtype == np.uint8
    assert mapped.shape == canonical.voxels.shape
    x = canonical.geometry.to_ras(np.moveaxis(np.indices(mapped.shape), 0, -1))[..., 0] - middle[0]
    clear = np.abs(x) > 2.5  # farther from the plane than half a voxel of either grid
    inside = mapped > 0
    np.testing.assert_array_equal(mapped[clear & inside], np.where(x > 0, 7, 3)[clear & inside])
    assert inside.mean() > 0.9


def test_labels_on_another_grid_are_zero_where_it_ends() -> None:
    volume = volume_on("same")
    part = Geometry((4, 11, 6), volume.geometry.affine)
    canonical = to_canonical(volume, spacing=(1, 1, 3))
    mapped = labels_to_canonical(np.ones(part.spatial_shape, dtype=bool), part, canonical)
    assert mapped.dtype == np.bool_
    expected = np.zeros(canonical.full_shape, dtype=bool)
    expected[-4:] = True  # the grid is flipped: its first voxels are the patient's rightmost
    np.testing.assert_array_equal(mapped, expected[canonical.crop.slices])
