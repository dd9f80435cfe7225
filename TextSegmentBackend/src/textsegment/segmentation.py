"""What a segmenter gives back: one mask a structure, on the grid of the image."""

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
    """What came of looking for a structure."""

    FOUND = "found"
    NOT_FOUND = "not found"
    CUT_OFF = "cut off"
    """Found, and it reaches the border of the image: a part of it may be missing."""


@dataclass(frozen=True)
class MaskStatistics:
    """Numbers beside a mask.

    Attributes:
        voxel_count: True voxels on the original grid.
        volume_ml: Volume in millilitres.
        mean_intensity: Mean of the image under the mask in its own unit (HU for CT); NaN if empty.
        mean_confidence: Mean probability under the mask, 0.5 to 1; NaN if empty.
        touches_border: Whether the mask reaches the border of the image, so that it may be cut off.
    """

    voxel_count: int
    volume_ml: float
    mean_intensity: float
    mean_confidence: float
    touches_border: bool

    @property
    def is_empty(self) -> bool:
        """Whether the structure was not found in this image."""
        return self.voxel_count == 0

    @property
    def state(self) -> MaskState:
        """What came of looking for the structure.

        >>> MaskStatistics(10, 0.1, 40.0, 0.9, touches_border=True).state.value
        'cut off'
        """
        if self.is_empty:
            return MaskState.NOT_FOUND
        return MaskState.CUT_OFF if self.touches_border else MaskState.FOUND


@dataclass(frozen=True, eq=False)
class StructureMask:
    """The mask of one structure, stored inside its bounding box only.

    Attributes:
        structure: Name of the structure (the prompt).
        box: Where ``mask`` lies in the original grid; of shape zero if the mask is empty.
        mask: bool ``[i, j, k]``, shape of the box.
        statistics: Numbers of this mask.
        warnings: Sentences that the user should see.
        origin: Who made it, and of what.
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
        """Return the mask of what is true in a part of a grid, without a confidence.

        Args:
            structure: Name of the structure.
            region: bool ``[i, j, k]``, the part of the grid that begins at ``start``.
            geometry: The whole grid.
            start: Index of the first voxel of ``region``.
            voxels: The image on the whole grid, for the mean intensity; NaN without it.
            warnings: Sentences that the user should see.
        """
        inside = Box.around(region) or Box((0, 0, 0), (0, 0, 0))
        i, j, k = start
        box = Box(
            (inside.start[0] + i, inside.start[1] + j, inside.start[2] + k),
            (inside.stop[0] + i, inside.stop[1] + j, inside.stop[2] + k),
        )
        mask = np.ascontiguousarray(region[inside.slices])
        count = int(np.count_nonzero(mask))
        edges = zip(box.start, box.stop, geometry.spatial_shape, strict=True)
        statistics = MaskStatistics(
            voxel_count=count,
            volume_ml=count * geometry.voxel_volume_ml,
            mean_intensity=math.nan
            if voxels is None or count == 0
            else float(voxels[box.slices][mask].mean()),
            mean_confidence=math.nan,
            touches_border=count > 0 and any(first == 0 or stop == size for first, stop, size in edges),
        )
        return cls(structure, box if count else inside, mask, statistics, warnings)

    def full(self, spatial_shape: tuple[int, int, int]) -> NDArray[np.bool_]:
        """Return the mask on the whole original grid, bool ``[i, j, k]``."""
        whole = np.zeros(spatial_shape, dtype=bool)
        whole[self.box.slices] = self.mask
        return whole


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Masks of several structures; they may nest and overlap.

    Attributes:
        geometry: Grid of the image that was segmented.
        masks: One for each prompt, in the order asked; empty masks included.
        provenance: What made it: model, weights digest, version, device, precision. No patient data.
        warnings: Sentences that concern the whole image.
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
        """Return one structure's mask on the whole grid, bool ``[i, j, k]``."""
        return self[structure].full(self.geometry.spatial_shape)

    def named(self, names: Mapping[str, str] | None) -> tuple[str, ...]:
        """Return the name of each mask: the one that is given for its structure, or the structure's own."""
        return tuple((names or {}).get(mask.structure, mask.structure) for mask in self.masks)
