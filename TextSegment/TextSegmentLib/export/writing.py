"""Puts masks on the grid of their DICOM series and writes them; in the Python of the engine."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import numpy as np
from textsegment.errors import TextSegmentError
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.dicom.series import list_series
from textsegment.files.results import write_result
from textsegment.files.scan import Scan
from textsegment.geometry import Geometry
from textsegment.origin import Maker, Origin
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.wire.mask_codec import decode_mask

# Slicer and the reader here compute the same grid in different ways; in voxels.
_SAME_GRID = 0.1
# Below this correlation of their voxels, two images are not the same.
_SAME_IMAGE = 0.9


class Mismatch(Exception):  # noqa: N818 - no sentence for users
    """The DICOM images are not those of the grid; which sentence says so is up to Slicer, in its language.

    Attributes:
        reason: ``moved``: the images are on another grid; ``none``: no series of the folder is on the grid;
            ``other``: one is, but shows something else.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def write(order: dict[str, Any]) -> list[str]:
    """Write one DICOM object.

    Args:
        order: ``path``; ``files`` or ``folder`` of the DICOM images; ``shape`` and ``affine`` of the grid;
            ``sample``: indices and values of voxels; ``masks``: structure and encoded mask of each;
            ``names`` by structure; ``short_names``; ``append_to``; ``provenance``;
            ``makers``: who made each mask, see ``Maker``.

    Returns:
        Sentences for the user.

    Raises:
        Mismatch: There are no such images on this grid.
        TextSegmentError: The images cannot be read, or the object cannot be written.
    """
    grid = Geometry(tuple(order["shape"]), np.array(order["affine"]))
    scan, move = _find_scan(order, grid)
    masks = []
    for (structure, encoded), maker in zip(order["masks"], order["makers"], strict=True):
        mask = move.apply(decode_mask(base64.b64decode(encoded), grid.spatial_shape), scan.volume.geometry)
        masks.append(replace(mask, structure=structure, origin=Origin(Maker(maker))))
    said: list[str] = []
    write_result(
        Segmentation(scan.volume.geometry, tuple(masks), order["provenance"]),
        order["path"],
        names=order["names"],
        source=scan.source,
        short_names=order["short_names"],
        append_to=order["append_to"],
        on_warning=said.append,
    )
    return said


class Move:
    """How the voxels of one grid become those of another: axes in another order, or turned round.

    Args:
        turn: 3×3, one ±1 in each row and column.
        shift: Index of the first voxel on the other grid.
    """

    def __init__(self, turn: Any, shift: Any) -> None:
        self._turn, self._shift = turn, shift

    def apply(self, mask: StructureMask, geometry: Geometry) -> StructureMask:
        """Return a mask on the other grid."""
        axes = np.abs(self._turn).argmax(axis=1)
        backward = [axis for axis in range(3) if self._turn[axis, axes[axis]] < 0]
        region = np.flip(mask.mask.transpose(axes), backward)
        ends = np.array([mask.box.start, np.maximum(mask.box.stop, 1)]) - [[0], [1]]
        start = np.minimum(*(ends @ self._turn.T + self._shift))
        i, j, k = (int(value) for value in start)
        return StructureMask.measured(
            mask.structure, region, geometry, start=(i, j, k), warnings=mask.warnings
        )

    def index(self, index: Any) -> tuple[Any, ...]:
        """Return indices (n, 3) on the other grid, as an expression for arrays."""
        return tuple((np.asarray(index) @ self._turn.T + self._shift).astype(int).T)


def move_between(grid: Geometry, other: Geometry) -> Move | None:
    """Return how a grid becomes another one with the same voxels at the same places; None if it does not."""
    to_other = np.linalg.inv(other.affine) @ grid.affine
    turn, shift = np.rint(to_other[:3, :3]), np.rint(to_other[:3, 3])
    if not ((np.abs(turn).sum(axis=0) == 1).all() and (np.abs(turn).sum(axis=1) == 1).all()):
        return None
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(grid.spatial_shape) - 1)
    whole = corners @ turn.T + shift
    exact = corners @ to_other[:3, :3].T + to_other[:3, 3]
    is_same = (
        np.abs(exact - whole).max() < _SAME_GRID
        and (whole.min(axis=0) == 0).all()
        and (whole.max(axis=0) == np.array(other.spatial_shape) - 1).all()
    )
    return Move(turn, shift) if is_same else None


def _find_scan(order: dict[str, Any], grid: Geometry) -> tuple[Scan, Move]:
    """Read the images; of several series in a folder, the one that is on the grid and has its voxels."""
    if "files" in order:
        scan = read_dicom(order["files"])
        move = move_between(grid, scan.volume.geometry)
        if move is None:
            raise Mismatch("moved")
        return scan, move
    series = list_series(order["folder"])
    has_grid = False
    for number, one in enumerate(series, start=1):
        try:
            scan = read_dicom(order["folder"], series=one.key)
        except TextSegmentError:
            if number == len(series) == 1:
                raise
            continue  # another one may be the right one
        move = move_between(grid, scan.volume.geometry)
        has_grid |= move is not None
        if move is not None and _is_same_image(order["sample"], scan, move):
            return scan, move
    raise Mismatch("other" if has_grid else "none")


def _is_same_image(sample: dict[str, Any], scan: Scan, move: Move) -> bool:
    """Whether voxels are alike, up to a factor and a constant: activity may have become an uptake value."""
    ours = np.array(sample["values"], dtype=np.float64)
    theirs = scan.volume.voxels[move.index(sample["index"])].astype(np.float64)
    if ours.std() == 0 or theirs.std() == 0:
        return bool(ours.std() == theirs.std())
    return float(np.corrcoef(ours, theirs)[0, 1]) > _SAME_IMAGE
