"""Labelled scans for the benchmark of corrections, and warped copies of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from textsegment.files.reading import read_volume
from textsegment.inference.image.canonical import labels_to_canonical, resample, to_canonical
from textsegment.inference.image.grid import index_map
from textsegment.volume import Volume

_WARP_GRID_MM = 3.0


@dataclass(frozen=True, eq=False)
class Case:
    """A labelled scan.

    Attributes:
        name: Name of the scan, with the number of its warp.
        person: Who it shows; several scans may show the same person.
        seen: Whether the demo model was trained on this person.
        volume: The scan.
        known: Truth of structures that the model knows, by prompt.
        new: Truth of structures that are drawn from nothing, by name.
    """

    name: str
    person: str
    seen: bool
    volume: Volume
    known: dict[str, NDArray[np.bool_]]
    new: dict[str, NDArray[np.bool_]]


def read_cases(description: Path, scans: Path, only: str = "") -> Iterator[Case]:
    """Yield the scans of a description; those that are not in the folder are left out.

    Args:
        description: JSON file: a list of scans with the numbers of their labels.
        scans: Folder with a folder for each scan.
        only: Part of the names of the scans to read.
    """
    for entry in json.loads(description.read_text("utf-8")):
        warp = entry.get("warp", 0)
        name = entry["scan"] + (f" warp {warp}" if warp else "") + f" {entry['modality']}"
        image, labels = (scans / entry["scan"] / entry[key] for key in ("image", "labels"))
        if only in name and image.exists() and labels.exists():
            yield _case(name, entry, image, labels, warp)


def _case(name: str, entry: dict[str, Any], image: Path, labels: Path, warp: int) -> Case:
    volume = read_volume(image, modality=entry["modality"])
    drawn = read_volume(labels, modality=entry["modality"])
    if warp:
        volume, numbers = _warped(volume, drawn, warp)
    else:
        matrix = index_map(drawn.geometry, volume.geometry)
        shape = volume.geometry.spatial_shape
        numbers = resample(
            drawn.voxels.astype(np.int32), matrix, shape, order=0, dtype=np.int32, outside="zero"
        )
    masks = [
        {structure: np.isin(numbers, values) for structure, values in entry[key].items()}
        for key in ("known", "new")
    ]
    known, new = ({s: mask for s, mask in found.items() if mask.sum() >= 100} for found in masks)
    return Case(name, entry["person"], entry["seen"], volume, known, new)


def _warped(volume: Volume, labels: Volume, seed: int) -> tuple[Volume, NDArray[np.int32]]:
    """Turn, stretch and bend a scan, and change its contrast, so that it looks like another person's."""
    canonical = to_canonical(volume, spacing=(_WARP_GRID_MM,) * 3)
    numbers = labels_to_canonical(labels.voxels.astype(np.int32), labels.geometry, canonical)
    rng = np.random.default_rng(seed)
    shape = canonical.voxels.shape
    angle = np.deg2rad(rng.uniform(14, 20)) * rng.choice([-1, 1])
    size = rng.choice([0.8, 1.2])
    turn = [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    stretch = np.diag([1 / size, 1 / (size * rng.uniform(0.85, 1.1)), 1 / rng.uniform(0.85, 1.15)])
    centre = ((np.array(shape) - 1) / 2)[:, None, None, None]
    bend = np.stack([ndimage.gaussian_filter(rng.normal(size=shape), 7) for _ in range(3)])
    bend *= 3 / bend.std()
    places = np.tensordot(np.array(turn) @ stretch, np.indices(shape) - centre, 1) + centre + bend
    image = ndimage.map_coordinates(canonical.voxels, places, order=1, mode="nearest")
    warped = ndimage.map_coordinates(numbers, places, order=0, mode="constant")
    image = ndimage.gaussian_filter(image, 0.6)
    mean, deviation = image.mean(), image.std()
    scaled = (image - mean) / deviation
    scaled = np.sign(scaled) * np.abs(scaled) ** rng.uniform(0.8, 1.25) + rng.normal(0, 0.15, shape)
    return Volume((scaled * deviation + mean).astype(np.float32), canonical.geometry, volume.modality), warped
