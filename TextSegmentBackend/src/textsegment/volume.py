"""Volumes: the images to be segmented."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsegment.caution import Caution
from textsegment.errors import GeometryError, VolumeInvalidError
from textsegment.geometry import Geometry
from textsegment.modality import modality_code
from textsegment.plausibility import Plausibility, examine

# Below this extent, or above this ratio of the voxel sizes, results are unreliable.
_TINY_EXTENT_MM = 20.0
_ANISOTROPY = 8.0
# No scan of a human body has voxels smaller or larger than these: the unit cannot be millimetres.
_SMALLEST_MM = 0.02
_LARGEST_MM = 100.0
# Voxels this small, in an image that is small overall, are probably in centimetres.
_SMALL_MM = 0.15
_SMALL_EXTENT_MM = 60.0
# The engine computes in float32, which ends at 3e38.
_LARGEST_VALUE = 1e30


def require_range(low: float, high: float) -> None:
    """Check the smallest and largest voxel value of an image; NaN means that the image contains NaN.

    Raises:
        VolumeInvalidError: A voxel is NaN, infinite or absurdly large, or the image is constant.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        raise VolumeInvalidError(
            "The image holds voxels that are NaN or infinite.",
            "Replace them, for CT by -1024, before segmenting.",
        )
    if max(abs(low), abs(high)) > _LARGEST_VALUE:
        raise VolumeInvalidError("The voxel values are too large to compute with.", "Repair the file.")
    if low == high:
        raise VolumeInvalidError("All voxels have the same value: there is nothing to segment.")


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels of one scan, with their position in the patient.

    Attributes:
        voxels: Real array ``[i, j, k]``: Hounsfield units for CT, SUV or Bq/ml for PT, arbitrary units for
            MR.
        geometry: Voxel grid; ``geometry.spatial_shape`` equals ``voxels.shape``.
        modality: DICOM code: ``CT``, ``MR``, ``PT`` or ``US``.
        warnings: Messages for the user (sheared grid, missing slices, …).
        known_digest: Digest, if it has already been verified; it is not computed again.

    Raises:
        VolumeInvalidError: The voxels are not three-dimensional or not real, or the shapes differ.
        ModalityError: The modality is unknown.

    Example:
        >>> grid = Geometry((4, 3, 2), np.diag([2.0, 2.0, 5.0, 1.0]))
        >>> volume = Volume(np.arange(24).reshape(4, 3, 2), grid, "CT")
        >>> volume.value_range
        (0.0, 23.0)
    """

    voxels: NDArray[Any]
    geometry: Geometry
    modality: str
    warnings: tuple[str, ...] = ()
    known_digest: str | None = None

    def __post_init__(self) -> None:
        voxels = np.asarray(self.voxels)
        if voxels.ndim != 3:
            hint = "Choose one time point or channel." if voxels.ndim > 3 else "A slice is not enough."
            raise VolumeInvalidError(f"The image has {voxels.ndim} dimensions, three are needed.", hint)
        if voxels.dtype.kind not in "biuf":
            raise VolumeInvalidError(
                f"The voxels are of type {voxels.dtype}, real numbers are needed.",
                "Colour and complex images cannot be segmented: convert to one grey value a voxel.",
            )
        if voxels.shape != self.geometry.spatial_shape:
            raise VolumeInvalidError(
                f"The voxels have the shape {voxels.shape}, the grid says {self.geometry.spatial_shape}."
            )
        object.__setattr__(self, "voxels", voxels)
        object.__setattr__(self, "modality", modality_code(self.modality))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of voxels, data type, shape, affine and modality; equal digests mean equal volumes."""
        if self.known_digest is not None:
            return self.known_digest
        h = hashlib.sha256()
        h.update(f"{self.modality}|{self.voxels.dtype.str}|{self.voxels.shape}|".encode())
        h.update(np.ascontiguousarray(self.geometry.affine).tobytes())
        h.update(np.ascontiguousarray(self.voxels).reshape(-1).view(np.uint8).data)
        return h.hexdigest()

    @cached_property
    def fingerprint(self) -> str:
        """Identifier of the volume within this process: the digest if known, else a cheaper hash.

        Equal fingerprints mean equal volumes, but equal volumes with different memory layouts differ in
        fingerprint.
        """
        if self.known_digest is not None:
            return self.known_digest
        h = hashlib.sha256()
        is_fortran = self.voxels.flags.f_contiguous and not self.voxels.flags.c_contiguous
        h.update(f"{is_fortran}|{self.modality}|{self.voxels.dtype.str}|{self.voxels.shape}|".encode())
        h.update(np.ascontiguousarray(self.geometry.affine).tobytes())
        # Voxels read from files are contiguous along the first index: reordering them would cost more than
        # hashing.
        flat = np.ascontiguousarray(self.voxels.T if is_fortran else self.voxels)
        h.update(flat.reshape(-1).view(np.uint8).data)
        return h.hexdigest()

    @cached_property
    def value_range(self) -> tuple[float, float]:
        """Smallest and largest voxel value; NaN if any voxel is NaN."""
        return float(self.voxels.min()), float(self.voxels.max())

    @cached_property
    def plausibility(self) -> Plausibility:
        """Findings about the voxel values: padding, an unexpected unit or modality, or a label map."""
        return examine(self.voxels, self.modality)

    def require_segmentable(self) -> tuple[str, ...]:
        """Check that the volume can be segmented and return all of its warnings, ``warnings`` first.

        Raises:
            VolumeInvalidError: A voxel is NaN, infinite or absurdly large, or the image is constant.
            GeometryError: No scan of a human body has voxels of this size.
        """
        self._require_voxel_size()
        require_range(*self.value_range)
        return self.warnings + self._geometry_warnings() + self.plausibility.cautions

    def _require_voxel_size(self) -> None:
        sizes = self.geometry.spacing
        if min(sizes) < _SMALLEST_MM or max(sizes) > _LARGEST_MM:
            shown = " × ".join(f"{size:.3g}" for size in sizes)
            raise GeometryError(
                f"The voxels are {shown} mm: no scan of a human body has such voxels.",
                "The unit in the file is probably wrong (metres, micrometres): repair the image header.",
            )

    def _geometry_warnings(self) -> tuple[str, ...]:
        found = []
        spacing = self.geometry.spacing
        if self.geometry.is_sheared:
            found.append("The voxel grid is sheared (gantry tilt?): masks follow the grid, check them.")
        if max(spacing) / min(spacing) > _ANISOTROPY:
            found.append("The voxels are very anisotropic: masks between slices are a guess.")
        extent = [n * s for n, s in zip(self.geometry.spatial_shape, spacing, strict=True)]
        if max(spacing) < _SMALL_MM and max(extent) < _SMALL_EXTENT_MM:
            found.append(Caution("unit_doubtful", size_mm=max(spacing), extent_mm=max(extent)))
        if min(extent) < _TINY_EXTENT_MM:
            found.append("The image is only a few millimetres thick: masks may be poor.")
        return tuple(found)
