"""Masks of segments in a small, compressed form, to be kept for as long as the scene is open or saved."""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from textsegment.correction.drawn import changes

from TextSegmentLib.scene.segment.content import Content, content_in, has_voxels, voxels_kji, whole_shift
from TextSegmentLib.scene.volume_node import matrix_of, vtk_matrix

# Masks are packed after every stroke, so speed counts for more than size.
_LEVEL = 1
# A mask in a file that somebody has changed must not fill the memory.
_MOST_VOXELS = 2**33


@dataclass(frozen=True, eq=False)
class PackedMask:
    """Mask of a segment in its bounding box, compressed.

    Attributes:
        content: Place, shape and digest of the mask.
        bits: Voxels ``[k, j, i]``, one bit each, compressed with zlib.
        axes: 3×3 matrix whose columns are the steps along i, j, k in the space of the segmentation, in mm.
    """

    content: Content
    bits: bytes
    axes: NDArray[np.float64]

    @classmethod
    def of(cls, mask_kji: NDArray[np.bool_], to_ras: NDArray[np.float64]) -> PackedMask | None:
        """Pack a mask; None if it is empty. Slow for large images: call it in a worker.

        Args:
            mask_kji: Mask ``[k, j, i]``.
            to_ras: 4×4 matrix from the index (i, j, k) in the mask to the space of the segmentation, in mm.
        """
        found = content_in(mask_kji, to_ras)
        if found is None:
            return None
        content, inside = found
        return cls(content, zlib.compress(np.packbits(inside).data, _LEVEL), to_ras[:3, :3].copy())

    def moved(self, matrix: vtk.vtkMatrix4x4) -> PackedMask:
        """Return the same mask in the space that a 4×4 matrix maps to."""
        turn = matrix_of(lambda out: out.DeepCopy(matrix))[:3, :3]
        return PackedMask(self.content.moved(matrix), self.bits, turn @ self.axes)

    @property
    def volume_ml(self) -> float:
        """Volume in millilitres."""
        return float(np.count_nonzero(self.mask_kji()) * abs(np.linalg.det(self.axes)) / 1000)

    def mask_kji(self) -> NDArray[np.bool_]:
        """Return the mask in its box, as a boolean array ``[k, j, i]``.

        Raises:
            ValueError: The mask was damaged.
        """
        i, j, k = self._shape
        count = i * j * k
        try:
            packed = zlib.decompressobj().decompress(self.bits, (count + 7) // 8 + 1)
        except zlib.error as error:
            raise ValueError from error
        if len(packed) != (count + 7) // 8:
            raise ValueError
        return np.unpackbits(np.frombuffer(packed, np.uint8), count=count).view(bool).reshape(k, j, i)

    @property
    def to_ras(self) -> NDArray[np.float64]:
        """4×4 matrix from an index in the box to the space of the segmentation, in mm."""
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = self.axes, self.content.corner_ras
        return matrix

    def to_labelmap(self, neighbor: Any = None) -> slicer.vtkOrientedImageData:
        """Return the mask as a label map of its own, in the space of the segmentation.

        Args:
            neighbor: Label map on whose grid the new one is placed if it is the same but for its extent;
                Slicer then combines the two without resampling. None for a grid that begins at the box.
        """
        i, j, k = self._shape
        to_ras, first = self.to_ras, np.zeros(3, np.int64)
        if has_voxels(neighbor):
            theirs = matrix_of(neighbor.GetImageToWorldMatrix)
            extent = (0, i - 1, 0, j - 1, 0, k - 1)
            shift = whole_shift(np.linalg.inv(theirs) @ to_ras, extent)
            if shift is not None:
                to_ras, first = theirs, shift
        image = slicer.vtkOrientedImageData()
        ends = ((int(start), int(start) + size - 1) for start, size in zip(first, (i, j, k), strict=True))
        image.SetExtent([end for pair in ends for end in pair])
        image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
        voxels_kji(image)[:] = self.mask_kji()
        image.SetGeometryFromImageToWorldMatrix(vtk_matrix(to_ras))
        return image

    def to_text(self) -> str:
        """Return the mask as text that ``from_text`` can read."""
        shape = " ".join(map(str, self._shape))
        axes = " ".join(f"{value:.9g}" for value in self.axes.ravel())
        bits = base64.b64encode(self.bits).decode("ascii")
        return f"{self.content.to_text()} {shape} {axes} {bits}"

    @classmethod
    def from_text(cls, text: str) -> PackedMask:
        """Parse the text that ``to_text`` returned.

        Raises:
            ValueError: The text has another format.
        """
        *head, bits = text.split(" ")
        i, j, k = (int(part) for part in head[4:7])
        if min(i, j, k) < 1 or i * j * k > _MOST_VOXELS:
            raise ValueError
        axes = np.array([float(part) for part in head[7:]]).reshape(3, 3)
        try:
            data = base64.b64decode(bits, validate=True)
        except binascii.Error as error:
            raise ValueError from error
        return cls(Content.from_text(" ".join(head[:4]), (i, j, k)), data, axes)

    @property
    def _shape(self) -> tuple[int, int, int]:
        assert self.content.shape is not None
        return self.content.shape


def are_same(one: PackedMask | None, other: PackedMask | None) -> bool:
    """Return whether two masks have the same voxels at the same place; None is an empty mask."""
    if one is None or other is None:
        return one is other
    return one.content.equals(other.content)


def changes_between(before: PackedMask, after: PackedMask | None) -> int | None:
    """Return in how many slices, or solid pieces, two masks differ; None if they lie on different grids."""
    i, j, k = before._shape
    old, new, start = before.mask_kji(), np.zeros((0, 0, 0), dtype=bool), np.zeros(3, np.int64)
    if after is not None:
        p, q, r = after._shape
        shift = whole_shift(np.linalg.inv(before.to_ras) @ after.to_ras, (0, p - 1, 0, q - 1, 0, r - 1))
        if shift is None:
            return None
        new, start = after.mask_kji(), shift
    low = np.minimum(0, start)
    high = np.maximum((i, j, k), start + new.shape[::-1])
    changed = np.zeros((high - low)[::-1], dtype=bool)
    _part(changed, -low, old.shape)[:] = old
    part = _part(changed, start - low, new.shape)
    part ^= new
    spacing = np.linalg.norm(before.axes, axis=0)
    x, y, z = (float(size) for size in spacing)
    return sum(1 for _change in changes(changed.transpose(2, 1, 0), None, (x, y, z)))


def _part(
    voxels_kji: NDArray[np.bool_], start: NDArray[np.int64], shape_kji: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Return a view of the part of an array that begins at (i, j, k)."""
    ends = zip(reversed(start.tolist()), shape_kji, strict=True)
    return voxels_kji[tuple(slice(first, first + size) for first, size in ends)]
