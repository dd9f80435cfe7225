"""Content of label maps: the voxels and place of a segment, in an image of its own or shared with others."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import vtk
from numpy.typing import NDArray
from textsegment.geometry import Box
from vtk.util import numpy_support

from TextSegmentLib.scene.volume_node import matrix_of

_SAME_PLACE_MM = 1e-3
_SAME_VOXEL = 1e-2
_MOST_LABELS = 1 << 16


@dataclass(frozen=True, eq=False)
class Content:
    """Voxels of a segment, as a digest, and their place.

    Attributes:
        corner_ras: Position (RAS, mm) of the first voxel of the box, in the space of the segmentation node.
        digest: SHA-256 of the voxels in the box.
        shape: Number of voxels in the box along i, j, k; None if an older version of this module saved it.
    """

    corner_ras: NDArray[np.float64]
    digest: bytes
    shape: tuple[int, int, int] | None = None

    def equals(self, other: Content | None) -> bool:
        """Return whether both have the same voxels at the same place."""
        return (
            other is not None
            and self.digest == other.digest
            and np.allclose(self.corner_ras, other.corner_ras, rtol=0, atol=_SAME_PLACE_MM)
        )

    def to_text(self) -> str:
        """Return the corner and digest as text that ``from_text`` can read."""
        return f"{' '.join(f'{part:.6f}' for part in self.corner_ras)} {self.digest.hex()}"

    @classmethod
    def from_text(cls, text: str, shape: tuple[int, int, int] | None = None) -> Content:
        """Parse the text that ``to_text`` returned.

        Raises:
            ValueError: The text has another format.
        """
        right, anterior, superior, digest = text.split()
        corner_ras = np.array([float(right), float(anterior), float(superior)])
        return cls(corner_ras, bytes.fromhex(digest), shape)

    def moved(self, matrix: vtk.vtkMatrix4x4) -> Content:
        """Return the same content in the space that a 4×4 matrix maps to."""
        corner = matrix.MultiplyPoint((*self.corner_ras, 1.0))
        return Content(np.array(corner[:3]), self.digest, self.shape)


class LabelImage:
    """Image that holds segments: captured on the calling thread, to be read in a worker.

    Args:
        image: A ``vtkOrientedImageData``, or None.

    Attributes:
        time: Modification time of the image; what was read is valid only while this is unchanged.
    """

    def __init__(self, image: Any) -> None:
        self._voxels_kji = voxels_kji(image) if has_voxels(image) else np.zeros((0, 0, 0), np.uint8)
        self._extent = image.GetExtent() if image is not None else (0, -1) * 3
        self._to_ras = np.eye(4) if image is None else matrix_of(image.GetImageToWorldMatrix)
        self._counts: NDArray[np.int64] | None = None
        self.time = image.GetMTime() if image is not None else 0

    @property
    def to_ras(self) -> NDArray[np.float64]:
        """4×4 matrix from the index (i, j, k) of a voxel in memory to RAS, in mm."""
        matrix = self._to_ras.copy()
        matrix[:3, 3] = (self._to_ras @ [*self._extent[::2], 1])[:3]
        return matrix

    def mask(self, label: int) -> NDArray[np.bool_]:
        """Return the voxels that have a label, ``[k, j, i]``; slow for large images."""
        return self._voxels_kji == label

    def count(self, label: int) -> int:
        """Return how many voxels have a label; the first call counts all labels at once."""
        if self._voxels_kji.dtype.kind != "u" or self._voxels_kji.dtype.itemsize > 2:
            return int(np.count_nonzero(self._voxels_kji == label))
        if self._counts is None:
            self._counts = np.zeros(_MOST_LABELS, np.int64)
            for part in self._voxels_kji:  # slice by slice: bincount takes eight bytes per voxel
                found = np.bincount(part.ravel())
                self._counts[: len(found)] += found
        return int(self._counts[label])

    def volume_ml(self, label: int) -> float:
        """Return the volume of a label in millilitres."""
        voxel_mm3 = abs(np.linalg.det(self._to_ras[:3, :3]))
        return float(self.count(label) * voxel_mm3 / 1000)

    def holds(self, label: int, content: Content) -> bool:
        """Return whether a label has exactly this content; fast if its shape is known."""
        if content.shape is None:
            return content.equals(self.content(label))
        inside = self.inside(label, content)
        if inside is None or content.digest != _digest(inside):
            return False
        return np.count_nonzero(inside) == self.count(label)

    def inside(self, label: int, content: Content) -> NDArray[np.bool_] | None:
        """Return a label's mask in a content's box, ``[k, j, i]``; None if the box is not on this grid."""
        box = self._box_kji(content)
        return None if box is None else self._voxels_kji[box.slices] == label

    def content(self, label: int) -> Content | None:
        """Return the content of a label, or None if no voxel has it; slow for large images."""
        found = content_in(self.mask(label), self.to_ras)
        return None if found is None else found[0]

    def erase(self, label: int, content: Content) -> bool:
        """Set the voxels of a label in a content's box to zero; return whether that was possible.

        No modification event is sent: this is for a label that no segment uses any more.
        """
        box = self._box_kji(content)
        if box is None:
            return False
        part = self._voxels_kji[box.slices]
        part[part == label] = 0
        return True

    def _box_kji(self, content: Content) -> Box | None:
        if content.shape is None or self._voxels_kji.size == 0:
            return None
        index = (np.linalg.inv(self._to_ras) @ [*content.corner_ras, 1])[:3]
        first = np.rint(index).astype(int)
        start = first - self._extent[::2]
        stop = start + content.shape
        if np.abs(index - first).max() > _SAME_VOXEL or (start < 0).any():
            return None
        if (stop > self._voxels_kji.shape[::-1]).any():
            return None
        i, j, k = (int(value) for value in start)
        ii, jj, kk = (int(value) for value in stop)
        return Box((k, j, i), (kk, jj, ii))


def has_voxels(image: Any) -> bool:
    """Return whether an image has any voxels allocated."""
    return (
        image is not None and image.GetNumberOfPoints() > 0 and image.GetPointData().GetScalars() is not None
    )


def voxels_kji(image: Any) -> NDArray[Any]:
    """Return the voxels of an image as a view of its memory, ``[k, j, i]``."""
    i, j, k = image.GetDimensions()
    voxels: NDArray[Any] = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    return voxels.reshape(k, j, i)


def whole_shift(to_index: NDArray[np.float64], extent: tuple[int, ...]) -> NDArray[np.int64] | None:
    """Return the shift of a label map's grid in whole voxels; None if it differs by more than a shift."""
    shift = np.rint(to_index[:3, 3])
    moved = to_index.copy()
    moved[:3, 3] -= shift
    corners = corners_of(extent[::2], extent[1::2])
    off = np.abs((moved @ corners)[:3] - corners[:3]).max()
    return shift.astype(np.int64) if off < _SAME_VOXEL else None


def corners_of(low: Any, high: Any) -> NDArray[np.float64]:
    """Return the corners of a box as homogeneous columns, shape (4, 8)."""
    sides = np.meshgrid(*zip(low, high, strict=True), [1.0], indexing="ij")
    return np.array([side.ravel() for side in sides], dtype=np.float64)


def content_in(
    mask_kji: NDArray[np.bool_], to_ras: NDArray[np.float64]
) -> tuple[Content, NDArray[np.bool_]] | None:
    """Return the content of a mask and the part of it in its bounding box; None if it is empty.

    Args:
        mask_kji: Mask ``[k, j, i]``.
        to_ras: 4×4 matrix from the index (i, j, k) in the mask to RAS, in mm.
    """
    box = Box.around(mask_kji)
    if box is None:
        return None
    inside = mask_kji[box.slices]
    k, j, i = inside.shape
    corner_ras = (to_ras @ [*reversed(box.start), 1])[:3]
    return Content(corner_ras, _digest(inside), (i, j, k)), inside


def _digest(inside_kji: NDArray[np.bool_]) -> bytes:
    digest = hashlib.sha256(f"{inside_kji.shape}".encode())
    digest.update(np.packbits(inside_kji).data)
    return digest.digest()
