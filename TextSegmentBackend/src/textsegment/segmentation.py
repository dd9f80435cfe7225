"""Segmentation results: one mask per structure, on the grid of the image."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsegment.errors import GeometryError
from textsegment.geometry import Box, Geometry
from textsegment.origin import BY_MODEL, Origin


class MaskState(str, Enum):
    """Outcome of the search for a structure."""

    FOUND = "found"
    NOT_FOUND = "not found"
    CUT_OFF = "cut off"
    """Found, but touching the border of the image, so a part of it may be missing."""


@dataclass(frozen=True)
class MaskStatistics:
    """Measurements of a mask.

    Attributes:
        voxel_count: Number of true voxels on the original grid.
        volume_ml: Volume in millilitres.
        mean_intensity: Mean of the image inside the mask, in the unit of the image (HU for CT); NaN if empty.
        mean_confidence: Mean probability inside the mask, 0.5 to 1; NaN if empty.
        touches_border: Whether the mask touches the border of the image and so may be cut off.
        unsure_share: Fraction of the mask whose probability is below 0.7.
        part_count: Number of connected parts, not counting specks; None if not measured.
        second_part_share: Volume of the second largest part as a fraction of the largest; 0 if there is one.
        second_part_distance_mm: Distance between the surfaces of the two largest parts; NaN if there is one.
        wrong_side_share: Fraction of a left or right structure that lies beyond the midline of the body.
        height_offset_mm: Height of the centre of the mask in the body above the height at which the other
            structures of the scan place it; negative if it lies below.
        claimed_share: Fraction of the mask that another structure claims with a higher probability.
        whole_agreement: Dice coefficient of the mask and the union of its parts, for structures that have
            parts.
        shift_agreement: Dice coefficient of the mask and that of a second computation on a shifted image.

    All of the numbers after ``touches_border`` help to judge a mask (see ``doubt``). They are measured by the
    engine; NaN, or None, means not measured.
    """

    voxel_count: int
    volume_ml: float
    mean_intensity: float
    mean_confidence: float
    touches_border: bool
    unsure_share: float = math.nan
    part_count: int | None = None
    second_part_share: float = math.nan
    second_part_distance_mm: float = math.nan
    wrong_side_share: float = math.nan
    height_offset_mm: float = math.nan
    claimed_share: float = math.nan
    whole_agreement: float = math.nan
    shift_agreement: float = math.nan

    @property
    def is_empty(self) -> bool:
        """Whether the mask is empty: the structure was not found in this image."""
        return self.voxel_count == 0

    @property
    def state(self) -> MaskState:
        """Outcome of the search for the structure.

        >>> MaskStatistics(10, 0.1, 40.0, 0.9, touches_border=True).state.value
        'cut off'
        """
        if self.is_empty:
            return MaskState.NOT_FOUND
        return MaskState.CUT_OFF if self.touches_border else MaskState.FOUND


@dataclass(frozen=True, eq=False)
class StructureMask:
    """Mask of one structure, stored only inside its bounding box.

    Attributes:
        structure: Name of the structure (its prompt).
        box: Position of ``mask`` on the original grid; its shape has a zero if the mask is empty.
        mask: Boolean array ``[i, j, k]`` with the shape of ``box``, in either memory order: engines take
            that of the image.
        statistics: Measurements of this mask.
        warnings: Messages for the user about this mask.
        origin: Who made the mask, and from which structures.
    """

    structure: str
    box: Box
    mask: NDArray[np.bool_]
    statistics: MaskStatistics
    warnings: tuple[str, ...] = ()
    origin: Origin = BY_MODEL

    def __post_init__(self) -> None:
        if self.mask.dtype != np.bool_ or self.mask.shape != self.box.shape:
            raise GeometryError("A mask is boolean and has the shape of its box.")

    @classmethod
    def measured(
        cls,
        structure: str,
        region: NDArray[np.bool_],
        geometry: Geometry,
        *,
        start: tuple[int, int, int] = (0, 0, 0),
        voxels: NDArray[Any] | None = None,
        warnings: tuple[str, ...] = (),
    ) -> StructureMask:
        """Measure the true voxels in a part of a grid and return them as a mask; its confidence is NaN.

        Args:
            structure: Name of the structure.
            region: Boolean array ``[i, j, k]``: the part of the grid that begins at ``start``.
            geometry: Geometry of the whole grid.
            start: Index (i, j, k) of the first voxel of ``region``.
            voxels: Image on the whole grid, for the mean intensity, which is NaN without it.
            warnings: Messages for the user about this mask.
        """
        inside = Box.around(region) or Box((0, 0, 0), (0, 0, 0))
        i, j, k = start
        box = Box(
            (inside.start[0] + i, inside.start[1] + j, inside.start[2] + k),
            (inside.stop[0] + i, inside.stop[1] + j, inside.stop[2] + k),
        )
        mask = region[inside.slices].copy(order="K")
        count = int(np.count_nonzero(mask))
        edges = zip(box.start, box.stop, geometry.spatial_shape, strict=True)
        statistics = MaskStatistics(
            voxel_count=count,
            volume_ml=count * geometry.voxel_volume_ml,
            mean_intensity=math.nan
            if voxels is None or count == 0
            else float(values_inside(voxels[box.slices], mask).mean()),
            mean_confidence=math.nan,
            touches_border=count > 0 and any(first == 0 or stop == size for first, stop, size in edges),
        )
        return cls(structure, box if count else inside, mask, statistics, warnings)

    def full(self, spatial_shape: tuple[int, int, int]) -> NDArray[np.bool_]:
        """Return the mask on the whole grid of the given shape, as a boolean array ``[i, j, k]``."""
        whole = np.zeros(spatial_shape, dtype=bool)
        whole[self.box.slices] = self.mask
        return whole


def values_inside(voxels: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[Any]:
    """Return the voxel values inside a mask of the same shape, in the order in which the mask lies in memory.

    >>> values_inside(np.arange(6).reshape(2, 3), np.array([[True, False, True], [False, True, False]]))
    array([0, 2, 4])
    """
    is_fortran = mask.flags.f_contiguous and not mask.flags.c_contiguous
    inside: NDArray[Any] = voxels.T[mask.T] if is_fortran else voxels[mask]
    return inside


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Masks of several structures in one image; they may be nested or overlap.

    Attributes:
        geometry: Grid of the segmented image.
        masks: One mask per prompt, in the order of the prompts, including empty masks.
        provenance: What produced the masks: model, weights digest, version, device, precision. Contains no
            patient data.
        warnings: Messages for the user that concern the whole image.
    """

    geometry: Geometry
    masks: tuple[StructureMask, ...]
    provenance: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    warnings: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[StructureMask]:
        return iter(self.masks)

    def __len__(self) -> int:
        return len(self.masks)

    def __getitem__(self, structure: str) -> StructureMask:
        for mask in self.masks:
            if mask.structure == structure:
                return mask
        raise KeyError(structure)

    def full_mask(self, structure: str) -> NDArray[np.bool_]:
        """Return the mask of one structure on the whole grid, as a boolean array ``[i, j, k]``."""
        return self[structure].full(self.geometry.spatial_shape)

    def named(self, names: Mapping[str, str] | None) -> tuple[str, ...]:
        """Return the name of each mask: the one given for its structure, or else the structure's own name."""
        return tuple((names or {}).get(mask.structure, mask.structure) for mask in self.masks)
