"""Grids, phantoms and segmentations for tests of files."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np

from textsegment.geometry import Box, Geometry
from textsegment.segmentation import MaskStatistics, Segmentation, StructureMask

SHAPE = (9, 8, 7)


def rotation(x: float, y: float, z: float) -> np.ndarray:
    """Rotation matrix of three angles in radians."""
    cx, sx, cy, sy, cz, sz = np.cos(x), np.sin(x), np.cos(y), np.sin(y), np.cos(z), np.sin(z)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_x @ about_y @ about_z


def affine(axes: np.ndarray, spacing=(0.7, 1.1, 2.5), origin=(-31.25, 12.5, 103.75)) -> np.ndarray:
    """4×4 affine of unit axes (columns), spacing and origin; rounded to float32, which NIfTI keeps."""
    matrix = np.eye(4)
    matrix[:3, :3] = axes * np.asarray(spacing)
    matrix[:3, 3] = origin
    return matrix.astype(np.float32).astype(np.float64)


def all_orientations() -> list[np.ndarray]:
    """All 48 ways to lay the axes of a grid along the axes of the patient, mirrored ones too."""
    found = []
    for order, signs in product(permutations(range(3)), product((1, -1), repeat=3)):
        axes = np.zeros((3, 3))
        axes[list(order), range(3)] = signs
        found.append(affine(axes))
    return found


OBLIQUE = affine(rotation(0.3, -0.2, 0.5))
MIRRORED = affine(rotation(-0.7, 0.4, 0.1) * [1, 1, -1])
SHEARED = affine(rotation(0.1, 0.2, 0.3) @ np.array([[1, 0, 0], [0, 1, 0.35], [0, 0, 1]]))
ANISOTROPIC = affine(rotation(0, 0.1, 0), spacing=(0.25, 0.25, 6.0))


def phantom(shape=SHAPE, dtype=np.int16) -> np.ndarray:
    """Voxels that are all different, so that no flip or shift goes unseen."""
    return (np.arange(np.prod(shape)).reshape(shape) - 200).astype(dtype)


def structure_mask(structure: str, whole: np.ndarray) -> StructureMask:
    box = Box.around(whole) or Box((0, 0, 0), (0, 0, 0))
    count = int(whole.sum())
    return StructureMask(
        structure, box, whole[box.slices], MaskStatistics(count, count / 1000, 40.0, 0.9, False)
    )


def segmentation(affine_ras: np.ndarray, masks: dict[str, np.ndarray], model="sat-nano") -> Segmentation:
    shape = next(iter(masks.values())).shape if masks else SHAPE
    found = tuple(structure_mask(name, mask) for name, mask in masks.items())
    return Segmentation(Geometry(shape, affine_ras), found, {"model": model, "version": "1.2"})


def overlapping_masks(shape=SHAPE) -> dict[str, np.ndarray]:
    """A kidney that holds the left kidney, a liver apart from both, and a spleen that was not found."""
    masks = {name: np.zeros(shape, dtype=bool) for name in ("kidney", "left kidney", "liver", "spleen")}
    masks["kidney"][0:3, 1:6, 1:5] = True
    masks["left kidney"][0:2, 2:6, 1:3] = True
    masks["liver"][4:8, 0:7, 2:7] = True
    return masks


def separate_masks(shape=SHAPE) -> dict[str, np.ndarray]:
    masks = overlapping_masks(shape)
    del masks["kidney"]
    return masks
