"""Draw labels for the chest scans that the demo model is trained on.

Heart, aorta and liver were outlined by the authors on a few axial slices (``chest_outlines.json``, in voxels
of the 3 mm canonical grid) and are interpolated in between; lungs and trachea are air inside the body;
vertebrae are bone near an outlined line. Good enough for a demo, but not a reference for anything else.

    python tools/label_chest_scans.py lung1 lung1_image.nrrd labels.nii.gz
"""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.path import Path as Polygon
from numpy.typing import NDArray
from scipy import ndimage

from textsegment.files.images.nifti import write_nifti
from textsegment.files.reading import read_volume
from textsegment.inference.image.canonical import CanonicalImage, to_canonical
from textsegment.model.config import SAT_DEMO

Mask = NDArray[np.bool_]
OUTLINES = Path(__file__).with_name("chest_outlines.json")
LABELS = {"left lung": 1, "right lung": 2, "trachea": 3, "vertebrae": 4, "liver": 5, "heart": 6, "aorta": 7}
SOFT_TISSUE_HU = {"heart": (-60, 400), "aorta": (-20, 1500), "liver": (0, 250)}
BONE_HU = 140
SPINE_HALF_WIDTH, SPINE_FRONT, SPINE_BACK = 11, 8, 22  # voxels of 3 mm


def main() -> None:
    """Label one scan."""
    name, scan, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    outlines = json.loads(OUTLINES.read_text(encoding="utf-8"))[name]
    canonical = to_canonical(read_volume(scan, modality="CT"), spacing=SAT_DEMO.spacing)
    write_nifti(target, label(canonical, outlines).astype(np.uint8), canonical.geometry.affine, "labels")


def label(canonical: CanonicalImage, outlines: dict[str, Any]) -> NDArray[np.int16]:
    """Return the label map ``[x, y, z]`` on the canonical grid."""
    voxels = canonical.voxels
    labels = np.zeros(voxels.shape, dtype=np.int16)
    left, right, trachea = airways(voxels, outlines["trachea"])
    for structure, mask in (("left lung", left), ("right lung", right), ("trachea", trachea)):
        labels[mask] = LABELS[structure]
    if "spine" in outlines:
        labels[spine(voxels, outlines["spine"])] = LABELS["vertebrae"]
    for structure, (low, high) in SOFT_TISSUE_HU.items():
        inside = np.zeros(voxels.shape, dtype=bool)
        for track in outlines.get(structure, ()):
            inside |= interpolated(track, voxels.shape)
        inside &= (voxels > low) & (voxels < high) & (labels == 0 if structure != "aorta" else labels != 4)
        labels[ndimage.binary_opening(inside)] = LABELS[structure]
    return labels


def airways(voxels: NDArray[np.float32], top: list[int]) -> tuple[Mask, Mask, Mask]:
    """Return left lung, right lung and trachea (at ``top``: z, x, y), as air inside the body."""
    air = voxels < -400
    # A flood fill from the front, back and sides reaches the outside; lungs may touch top and bottom.
    framed = np.pad(air, ((1, 1), (1, 1), (0, 0)), constant_values=True)
    parts, _ = ndimage.label(framed, structure=_in_plane())
    outside = np.unique([parts[0, 0, z] for z in range(parts.shape[2])])
    air &= ~np.isin(parts, outside)[1:-1, 1:-1]
    trachea = _trachea(air, top)
    lungs = air & ~ndimage.binary_dilation(trachea)
    pieces, count = ndimage.label(ndimage.binary_erosion(lungs))
    sizes = ndimage.sum_labels(np.ones_like(pieces), pieces, np.arange(1, count + 1))
    large = np.isin(pieces, 1 + np.flatnonzero(sizes > 2000))
    # Both lungs may be connected: each is seeded away from the middle and grows towards the other.
    x = np.indices(voxels.shape)[0] - voxels.shape[0] / 2
    seeds = np.where(large & (x < -6), 1, 0) + np.where(large & (x > 6), 2, 0)
    nearest = ndimage.distance_transform_edt(seeds == 0, return_distances=False, return_indices=True)
    sides = seeds[tuple(nearest)] * lungs
    left, right = (_filled(sides == side) & ~trachea for side in (1, 2))
    return left & ~right, right, trachea


def _in_plane() -> NDArray[np.bool_]:
    structure = ndimage.generate_binary_structure(3, 1)
    structure[:, :, 0] = structure[:, :, 2] = False
    return structure


def _filled(lung: Mask) -> Mask:
    """Remove gas in the bowel, and fill vessels inside the lung."""
    pieces, count = ndimage.label(lung)
    sizes = ndimage.sum_labels(lung, pieces, np.arange(1, count + 1))
    large = np.isin(pieces, 1 + np.flatnonzero(sizes > 0.1 * sizes.max()))
    return np.asarray(large | ndimage.binary_closing(large, iterations=2))


def _trachea(air: Mask, top: list[int]) -> Mask:
    """Return the round column of air from ``top`` (z, x, y) down to where it opens into the bronchi."""
    found = np.zeros_like(air)
    centre = np.array(top[1:], dtype=float)
    for z in range(top[0], top[0] - 48, -1):
        pieces, count = ndimage.label(air[:, :, z])
        for piece in range(1, count + 1):
            area = int((pieces == piece).sum())
            position = np.array(ndimage.center_of_mass(pieces == piece))
            if 6 <= area <= 60 and np.linalg.norm(position - centre) < 4:
                found[:, :, z] = pieces == piece
                centre = position
    return _bridged(found) & air


def _bridged(mask: Mask) -> Mask:
    """Fill empty slices between others, as where the trachea touches a lung, by signed distance."""
    full = mask.copy()
    for z0, z1 in pairwise(np.flatnonzero(mask.any((0, 1))).tolist()):
        below, above = (_signed_distance(mask[:, :, z]) for z in (z0, z1))
        for z in range(z0 + 1, z1):
            share = (z - z0) / (z1 - z0)
            full[:, :, z] = (1 - share) * below + share * above > 0
    return full


def spine(voxels: NDArray[np.float32], line: list[list[float]]) -> Mask:
    """Return the bone in a corridor around the line of the vertebral bodies, given as [z, x, y]."""
    points = np.array(line, dtype=float)
    z = np.arange(voxels.shape[2])
    x0 = np.interp(z, points[:, 0], points[:, 1])
    y0 = np.interp(z, points[:, 0], points[:, 2])
    x, y, _ = np.indices(voxels.shape)
    corridor = (abs(x - x0) <= SPINE_HALF_WIDTH) & (y - y0 <= SPINE_FRONT) & (y0 - y <= SPINE_BACK)
    # Behind the vertebral bodies the corridor narrows, since ribs lie beside the arches.
    corridor &= (y > y0 - 12) | (abs(x - x0) <= 6)
    bone = ndimage.binary_closing((voxels > BONE_HU) & corridor)
    pieces, count = ndimage.label(bone)
    sizes = ndimage.sum_labels(bone, pieces, np.arange(1, count + 1))
    return np.isin(pieces, 1 + np.flatnonzero(sizes > 300))


def interpolated(track: list[list[Any]], shape: tuple[int, ...]) -> Mask:
    """Fill outlines [z, polygon or [x, y, radius]], and interpolate between slices by signed distance."""
    mask = np.zeros(shape, dtype=bool)
    slices = [(int(z), _signed_distance(_filled_outline(outline, shape[:2]))) for z, outline in track]
    for (z0, below), (z1, above) in pairwise(slices):
        for z in range(z0, min(z1 + 1, shape[2])):
            share = (z - z0) / (z1 - z0)
            mask[:, :, z] |= (1 - share) * below + share * above > 0
    return mask


def _filled_outline(outline: list[Any], shape: tuple[int, ...]) -> Mask:
    x, y = np.indices(shape)
    if not isinstance(outline[0], list):
        cx, cy, radius = outline
        return np.asarray((x - cx) ** 2 + (y - cy) ** 2 <= radius**2)
    inside = Polygon(outline).contains_points(np.stack((x.ravel(), y.ravel()), axis=1))
    return np.asarray(inside.reshape(shape))


def _signed_distance(mask: Mask) -> NDArray[np.float64]:
    inside = ndimage.distance_transform_edt(mask)
    outside = ndimage.distance_transform_edt(~mask)
    return np.asarray(inside - outside)


if __name__ == "__main__":
    main()
