"""One labelled scan of a data set, whose voxels and masks are read from disk when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from textsegment.datasets.record import UNKNOWN_VOXELS, Record, box_of
from textsegment.errors import InputError, InputUnreadableError
from textsegment.files.reading import read_volume
from textsegment.geometry import Geometry
from textsegment.modality import modality_code
from textsegment.volume import Volume

_HALF_SLICE_MM = 0.01


class Truth(str, Enum):
    """What a case knows about a structure."""

    DRAWN = "drawn"
    ABSENT = "absent"
    """It was looked for, and is not in the scan."""
    UNKNOWN = "unknown"
    """It was not looked for: it may be anywhere."""


@dataclass(frozen=True)
class LabelledCase:
    """A labelled scan of a data set.

    Attributes:
        folder: Folder of the set.
        record: What the set says about the case.
    """

    folder: Path
    record: Record

    @property
    def sample_id(self) -> str:
        """Name of the case, unique in its set."""
        return self.record.sample_id

    @property
    def patient_id(self) -> str:
        """Pseudonym of the patient; all cases of one patient are in the same split."""
        return self.record.patient_id

    @property
    def split(self) -> str:
        """``train``, ``validation`` or ``test``."""
        return self.record.official_split

    @property
    def dataset(self) -> str:
        """Name of the data set that the case comes from."""
        return self.record.dataset

    @cached_property
    def modality(self) -> str:
        """DICOM code of the modality."""
        return modality_code(self.record.modality)

    @property
    def structures(self) -> tuple[str, ...]:
        """Structures that are drawn, unions included."""
        return tuple(self.record.label)

    @property
    def absent(self) -> tuple[str, ...]:
        """Structures that were looked for and are not in the scan."""
        return tuple(name for name in self.record.annotated if name not in self.record.label)

    def truth(self, structure: str) -> Truth:
        """Return what is known about a structure; anything that is neither drawn nor absent is unknown."""
        if structure in self.record.label:
            return Truth.DRAWN
        return Truth.ABSENT if structure in self.record.annotated else Truth.UNKNOWN

    def volume(self) -> Volume:
        """Read the scan as it was found.

        Raises:
            InputError: The scan is no longer there, or is another one.
        """
        volume = read_volume(self.folder / self.record.image, modality=self.modality)
        if list(volume.geometry.spatial_shape) != self.record.mask_shape:
            raise InputError(
                f"{self.sample_id}: the scan has changed since the set was made.", "Make the set again."
            )
        return volume

    def mask(self, structure: str) -> NDArray[np.bool_]:
        """Read the mask of a structure on the grid of the scan, ``[i, j, k]``; empty if it is absent.

        Raises:
            InputError: Nothing is known about the structure in this scan, or the set is damaged.
        """
        if self.truth(structure) is Truth.UNKNOWN:
            raise InputError(f"{self.sample_id}: nothing is known about {structure!r} in this scan.")
        return self._stored(structure)

    def known(self, structure: str, geometry: Geometry) -> NDArray[np.bool_]:
        """Return the voxels of the scan for which the truth of a structure is known, ``[i, j, k]``.

        Args:
            structure: Name of the structure.
            geometry: Geometry of the scan.
        """
        shape = geometry.spatial_shape
        if self.truth(structure) is Truth.UNKNOWN:
            return np.zeros(shape, dtype=bool)
        known = ~self._stored(UNKNOWN_VOXELS)
        if structure in self.record.partly:
            known &= within_heights(geometry, self.record.partly[structure])
        return known

    def canonical_image(self) -> NDArray[np.float16]:
        """Read the normalised voxels on the canonical grid, ``[x, y, z]``, mapped from disk."""
        image: NDArray[np.float16] = self._array(self.record.renorm_image, mapped=True)[0]
        return image

    def canonical_mask(self, structure: str) -> tuple[tuple[slice, slice, slice], NDArray[np.bool_]] | None:
        """Read the mask of a drawn structure on the canonical grid, in its box; None if it is empty there."""
        try:
            box = box_of(self.record.renorm_y1x1z1_y2x2z2[self.record.label.index(structure)])
        except ValueError:
            raise InputError(f"{self.sample_id}: {structure!r} is not drawn in this scan.") from None
        if box is None:
            return None
        mask = self._array(canonical_file(self.record.renorm_segmentation_dir, structure))
        return box.slices, mask.astype(np.bool_)

    def canonical_unknown(self) -> NDArray[np.bool_] | None:
        """Read the voxels of the canonical grid about which nothing is known; None if there are none."""
        path = canonical_file(self.record.renorm_segmentation_dir, UNKNOWN_VOXELS)
        return self._array(path).astype(np.bool_) if (self.folder / path).is_file() else None

    def _stored(self, name: str) -> NDArray[np.bool_]:
        a, b, c = self.record.mask_shape
        whole = np.zeros((a, b, c), dtype=bool)
        box = box_of(self.record.mask_boxes.get(name, False))
        if box is not None:
            with self._opened() as archive:
                bits = archive[name]
            count = int(np.prod(box.shape))
            whole[box.slices] = np.unpackbits(bits, count=count).reshape(box.shape).astype(bool)
        return whole

    def _opened(self) -> np.lib.npyio.NpzFile:
        try:
            opened = np.load(self.folder / self.record.mask)
        except (OSError, ValueError) as error:
            raise InputUnreadableError(
                f"{self.sample_id}: its masks cannot be read.", "Make the set again."
            ) from error
        assert isinstance(opened, np.lib.npyio.NpzFile)
        return opened

    def _array(self, path: str, *, mapped: bool = False) -> NDArray[np.generic]:
        try:
            array: NDArray[np.generic] = np.load(self.folder / path, mmap_mode="r" if mapped else None)
            return array
        except (OSError, ValueError) as error:
            raise InputUnreadableError(
                f"{self.sample_id}: {Path(path).name} cannot be read.", "Make the set again."
            ) from error


def canonical_file(folder: str, structure: str) -> str:
    """Return the path of the mask of a structure on the canonical grid."""
    return f"{folder}/{structure.replace('/', '_')}.npy"


def within_heights(geometry: Geometry, heights: list[float]) -> NDArray[np.bool_]:
    """Return which voxels of a grid lie in a range of heights in the body (patient axis S), in millimetres.

    >>> within_heights(Geometry((1, 1, 4), np.diag([1, 1, 2, 1])), [2, 4])[0, 0]
    array([False,  True,  True, False])
    """
    low, high = heights
    i, j, k = (np.arange(n) for n in geometry.spatial_shape)
    x, y, z, start = geometry.affine[2]
    height = start + x * i[:, None, None] + y * j[:, None] + z * k
    return np.asarray((height >= low - _HALF_SLICE_MM) & (height <= high + _HALF_SLICE_MM))
