"""Bring a scan to the canonical grid: oriented, resampled, and cropped to the foreground.

The semantics are those of MONAI's ``Orientationd``, ``Spacingd(mode="bilinear", padding_mode="border")`` and
``CropForegroundd``, with which SAT was trained; here they are one pass that does not copy the scan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy.ndimage import affine_transform

from textsegment.caution import Caution
from textsegment.geometry import Box, Geometry
from textsegment.inference.image.grid import axis_order, index_map, oriented, respaced
from textsegment.volume import Volume

# Off-diagonal terms that shift no voxel by more than this (in voxels) are rounding errors of the header.
_NEGLIGIBLE_SHIFT = 1e-4


@dataclass(frozen=True, eq=False)
class CanonicalImage:
    """A scan on the canonical grid, before its intensities are normalised.

    Attributes:
        voxels: float32 ``[x, y, z]`` along the canonical axes (R, A, S by default), in raw units.
        geometry: Grid of ``voxels``.
        full_shape: Shape of the canonical grid before it was cropped.
        crop: Position of ``voxels`` in the uncropped canonical grid.
        original: Grid of the scan.
        orientation: Directions in which the axes increase: ``"RAS"`` or ``"ASR"``.
        modality: DICOM code of the modality.
        warnings: Sentences that the user should see.
    """

    voxels: NDArray[np.float32]
    geometry: Geometry
    full_shape: tuple[int, int, int]
    crop: Box
    original: Geometry
    orientation: str
    modality: str
    warnings: tuple[str, ...] = ()


def to_canonical(
    volume: Volume, *, spacing: tuple[float, float, float], orientation: str = "RAS"
) -> CanonicalImage:
    """Bring a scan to the canonical grid of a model.

    Args:
        volume: Scan in any orientation.
        spacing: Voxel size of the model in millimetres, along the canonical axes.
        orientation: ``"RAS"``, or ``"ASR"`` for sagittal MR of the spine.

    Returns:
        The image, cropped to the bounding box of voxels above zero; uncropped, with a warning, if there are
        none.

    Raises:
        LimitExceededError: The canonical grid would be too large.
    """
    axes, signs = axis_order(volume.geometry, orientation)
    turned = oriented(volume.geometry, axes, signs)
    grid = respaced(turned, spacing)
    turned_voxels = _without_padding(volume).transpose(axes)[tuple(slice(None, None, sign) for sign in signs)]
    voxels = resample(turned_voxels, index_map(turned, grid), grid.spatial_shape, order=1, dtype=np.float32)
    box = Box.around(voxels > 0)
    warnings: tuple[str, ...] = ()
    if box is None:
        box = Box((0, 0, 0), grid.spatial_shape)
        warnings = (Caution("nothing_above_zero"),)
    return CanonicalImage(
        voxels=np.ascontiguousarray(voxels[box.slices]),
        geometry=grid.cropped(box),
        full_shape=grid.spatial_shape,
        crop=box,
        original=volume.geometry,
        orientation=orientation,
        modality=volume.modality,
        warnings=warnings,
    )


def _without_padding(volume: Volume) -> NDArray[Any]:
    """Return the voxels without padding values, which interpolation would spread to neighbouring voxels."""
    bounds = volume.plausibility.bounds
    if bounds is None:
        return volume.voxels
    low, high = (volume.voxels.dtype.type(bound) for bound in bounds)
    return np.asarray(np.clip(volume.voxels, low, high))


def labels_to_canonical(labels: NDArray[Any], geometry: Geometry, canonical: CanonicalImage) -> NDArray[Any]:
    """Bring a label map to the grid of a canonical image by nearest-neighbour interpolation.

    Args:
        labels: Integers or booleans ``[i, j, k]`` on the grid ``geometry``.
        geometry: Grid of the labels: usually that of the scan, but any grid in the same patient space.
        canonical: Image to which the labels belong.

    Returns:
        Labels of the same type on ``canonical.geometry``; zero outside the label map.
    """
    axes, signs = axis_order(geometry, canonical.orientation)
    turned = oriented(geometry, axes, signs)
    turned_labels = labels.transpose(axes)[tuple(slice(None, None, sign) for sign in signs)]
    matrix = index_map(turned, canonical.geometry)
    return resample(
        turned_labels, matrix, canonical.geometry.spatial_shape, order=0, dtype=labels.dtype, outside="zero"
    )


def resample(
    voxels: NDArray[Any],
    matrix: NDArray[np.float64],
    shape: tuple[int, int, int],
    *,
    order: Literal[0, 1],
    dtype: DTypeLike,
    outside: Literal["clamp", "zero"] = "clamp",
) -> NDArray[Any]:
    """Resample an array through an affine map of indices, in double precision, allocating only the result.

    Args:
        voxels: Real numbers ``[i, j, k]``; strided views are read in place.
        matrix: 4×4 matrix from an index of the result to a (fractional) index of ``voxels``.
        shape: Shape of the result.
        order: 0 for nearest neighbour, 1 for trilinear interpolation.
        dtype: Data type of the result.
        outside: Values outside ``voxels``: the nearest border voxel (like MONAI's ``border``), or zero.

    Returns:
        Array of ``shape``.
    """
    if voxels.dtype == np.bool_:
        voxels = voxels.view(np.uint8)
    elif voxels.dtype.kind == "f" and voxels.dtype.itemsize not in (4, 8):
        voxels = voxels.astype(np.float32)
    linear, offset = matrix[:3, :3], matrix[:3, 3]
    # Traverse the result in the memory order of the source, which is 5 times faster.
    walk = np.argsort([-abs(stride) for stride in voxels.strides], kind="stable")
    result = np.empty([shape[axis] for axis in walk], dtype=np.uint8 if dtype == np.bool_ else dtype)
    linear = linear[np.ix_(walk, walk)]
    shifts = np.abs(linear - np.diag(np.diag(linear))) @ np.asarray(result.shape)
    affine_transform(
        voxels.transpose(walk),
        np.diag(linear) if shifts.max() < _NEGLIGIBLE_SHIFT else linear,
        offset[walk],
        output=result,
        output_shape=result.shape,
        order=order,
        mode="nearest" if outside == "clamp" else "grid-constant",
        prefilter=False,
    )
    restored = result.transpose(np.argsort(walk))
    return restored.view(np.bool_) if dtype == np.bool_ else restored
