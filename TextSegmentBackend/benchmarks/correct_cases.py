"""Labelled scans for the benchmark of corrections, and warped copies of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
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
# Structures of a scan that the model does not offer, of which so many are drawn from nothing.
_MOST_OTHERS = 3


@dataclass(frozen=True, eq=False)
class Case:
    """A labelled scan.

    Attributes:
        name: Name of the scan, with the number of its warp.
        person: Who it shows; several scans may show the same person.
        seen: Whether the model was trained on this person.
        volume: The scan.
        known: Truth of structures that the model offers, by prompt.
        new: Truth of structures that are drawn from nothing, by name.
    """

    name: str
    person: str
    seen: bool
    volume: Volume
    known: dict[str, NDArray[np.bool_]]
    new: dict[str, NDArray[np.bool_]]


def read_cases(
    descriptions: Sequence[Path],
    scans: Path,
    offered: Mapping[str, Sequence[str]],
    trained: Path,
    only: str = "",
) -> Iterator[Case]:
    """Yield the scans of descriptions; those that are not in the folder are left out.

    Args:
        descriptions: JSON files: lists of scans with the numbers of their labels, or data sets as
            ``textsegment data prepare`` takes them.
        scans: Folder with a folder for each scan.
        offered: Structures that the model offers, by modality.
        trained: Description of the data set that the model was trained on.
        only: Part of the names of the scans to read.
    """
    entries: list[dict[str, Any]] = []
    for path in descriptions:
        there = {entry["image"] for entry in entries}
        entries += [entry for entry in _entries(path) if entry["image"] not in there]
    images = {case["image"] for case in json.loads(trained.read_text("utf-8"))["cases"]}
    seen = {entry["person"] for entry in entries if entry["image"] in images}
    for entry in entries:
        image, labels = scans / entry["image"], scans / entry["labels"]
        if only in entry["name"] and image.exists() and labels.exists():
            yield _case(
                entry, image, labels, set(offered.get(entry["modality"], ())), entry["person"] in seen
            )


def _entries(description: Path) -> list[dict[str, Any]]:
    """Return the scans of a description, in one form."""
    given = json.loads(description.read_text("utf-8"))
    if isinstance(given, list):
        return [
            {
                **entry,
                "name": entry["scan"]
                + (f" warp {entry['warp']}" if "warp" in entry else "")
                + f" {entry['modality']}",
                "image": f"{entry['scan']}/{entry['image']}",
                "labels": f"{entry['scan']}/{entry['labels']}",
            }
            for entry in given
        ]
    return [_entry_of_set(case) for case in given["cases"]]


def _entry_of_set(case: dict[str, Any]) -> dict[str, Any]:
    """Return a scan of a data set; a structure of which only a part was labelled is left out."""
    known: dict[str, list[int]] = {}
    for value, name in case["names"].items():
        if name not in case.get("partly", ()):
            known.setdefault(name, []).append(int(value))
    folder, _, file = case["image"].partition("/")
    name = f"{folder} {file}" if folder == "pyradiomics" else folder
    return {**case, "name": name, "person": case.get("patient", name), "known": known, "new": {}}


def _case(entry: dict[str, Any], image: Path, labels: Path, offered: set[str], seen: bool) -> Case:
    warp = entry.get("warp", 0)
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
    known = {name: values for name, values in entry["known"].items() if name in offered}
    others = [name for name in entry["known"] if name not in offered and name not in entry["new"]]
    new = entry["new"] | {name: entry["known"][name] for name in others[: 0 if warp else _MOST_OTHERS]}
    truths = (
        {name: np.isin(numbers, values) for name, values in structures.items()} for structures in (known, new)
    )
    weighty = ({name: mask for name, mask in truth.items() if mask.sum() >= 100} for truth in truths)
    return Case(entry["name"], entry["person"], seen, volume, *weighty)


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
