"""Labelled scans by which doubt is judged, and what is done to them: flips, crops, noise, another unit.

The description (``data/doubt_scans.json``) is that of ``training.dataset`` with more entries for each case:
``person``, ``changes`` (names of ``CHANGES``), and ``partly``, structures of which only a part is drawn. A
case without ``labels`` knows only what is absent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from textsegment.files.reading import read_volume
from textsegment.geometry import Box, Geometry, closest_axes
from textsegment.inference.image.canonical import resample
from textsegment.volume import Volume

_LEAST_ML = 0.5

Labels = NDArray[np.int32] | None


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """An image, and what is known of it.

    Attributes:
        name: Path of the scan in its folder, and the change.
        person: Name of the person.
        volume: The image.
        truth: Masks of the structures that are in it.
        absent: Structures that are not in it.
        is_changed: Whether it is not the scan as it came.
    """

    name: str
    person: str
    volume: Volume
    truth: Mapping[str, NDArray[np.bool_]]
    absent: frozenset[str]
    is_changed: bool


def read_set(description: Path, folder: Path) -> Iterator[tuple[str, Callable[[], LabelledImage]]]:
    """Yield the name of each image, and a function that reads it; scans that are not there are left out."""
    content = json.loads(description.read_text(encoding="utf-8"))
    for case in content["cases"]:
        if not (folder / case["image"]).exists() or not (folder / case.get("labels", "")).exists():
            print(f"not there: {case['image']}")
            continue
        for change in ("", *case.get("changes", ())):
            name = f"{case['image']} {change}".strip()
            yield name, lambda case=case, change=change: _read(case, change, folder, content["groups"])


def people(description: Path) -> dict[str, str]:
    """Return the person of each scan, by its path."""
    content = json.loads(description.read_text(encoding="utf-8"))
    return {case["image"]: case["person"] for case in content["cases"]}


def _read(
    case: Mapping[str, Any], change: str, folder: Path, groups: Mapping[str, list[str]]
) -> LabelledImage:
    volume = read_volume(folder / case["image"], modality=case["modality"])
    labels: Labels = None
    if "labels" in case:
        drawn = read_volume(folder / case["labels"], modality=case["modality"])
        labels = _on_grid(drawn, volume.geometry)
    if change:
        volume, labels = CHANGES[change](volume, labels)
    truth, absent = _known(case, labels, groups, volume.geometry.voxel_volume_ml)
    name = f"{case['image']} {change}".strip()
    return LabelledImage(name, case["person"], volume, truth, absent, bool(change))


def _known(
    case: Mapping[str, Any], labels: Labels, groups: Mapping[str, list[str]], voxel_ml: float
) -> tuple[dict[str, NDArray[np.bool_]], frozenset[str]]:
    names: Mapping[str, str] = case.get("names", {})
    truth: dict[str, NDArray[np.bool_]] = {}
    if labels is not None:
        for structure in dict.fromkeys(names.values()):
            numbers = [int(number) for number, name in names.items() if name == structure]
            truth[structure] = np.isin(labels, numbers)
        for group, parts in groups.items():
            there = [part for part in (*parts, group) if part in truth]
            if len(there) > 1:
                truth[group] = np.any([truth[part] for part in there], axis=0)
    partly = set(case.get("partly", ()))
    annotated = set(case["annotated"]) | set(truth)
    absent = {name for name in annotated - partly if name not in truth or not truth[name].any()}
    whole = {
        name: mask
        for name, mask in truth.items()
        if name not in partly and mask.sum() * voxel_ml >= _LEAST_ML
    }
    return whole, frozenset(absent)


def _on_grid(labels: Volume, geometry: Geometry) -> NDArray[np.int32]:
    numbers = labels.voxels.astype(np.int32)
    matrix = np.linalg.inv(labels.geometry.affine) @ geometry.affine
    if numbers.shape == geometry.spatial_shape and np.allclose(matrix, np.eye(4), atol=1e-3):
        return numbers
    shape = geometry.spatial_shape
    return np.asarray(resample(numbers, matrix, shape, order=0, dtype=np.int32, outside="zero"))


def _axis(volume: Volume, anatomical: int) -> tuple[int, bool]:
    """Return the voxel axis that follows R (0), A (1) or S (2), and whether it increases that way."""
    axis = closest_axes(volume.geometry.affine).index(anatomical)
    return axis, bool(volume.geometry.affine[anatomical, axis] > 0)


def _flip(anatomical: int) -> Callable[[Volume, Labels], tuple[Volume, Labels]]:
    def change(volume: Volume, labels: Labels) -> tuple[Volume, Labels]:
        axis, _ = _axis(volume, anatomical)
        flipped = np.ascontiguousarray(np.flip(volume.voxels, axis))
        return _with(volume, flipped), None if labels is None else np.flip(labels, axis)

    return change


def _crop(anatomical: int, low: float, high: float) -> Callable[[Volume, Labels], tuple[Volume, Labels]]:
    """Keep a share of the image, measured from the left, back or feet."""

    def change(volume: Volume, labels: Labels) -> tuple[Volume, Labels]:
        axis, up = _axis(volume, anatomical)
        size = volume.voxels.shape[axis]
        first, last = (round(size * share) for share in ((low, high) if up else (1 - high, 1 - low)))
        start, stop = [0, 0, 0], list(volume.voxels.shape)
        start[axis], stop[axis] = first, last
        box = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
        voxels = np.ascontiguousarray(volume.voxels[box.slices])
        cropped = Volume(voxels, volume.geometry.cropped(box), volume.modality)
        return cropped, None if labels is None else labels[box.slices]

    return change


def _voxels(
    function: Callable[[NDArray[np.float32], Volume], NDArray[np.float32]],
) -> Callable[[Volume, Labels], tuple[Volume, Labels]]:
    def change(volume: Volume, labels: Labels) -> tuple[Volume, Labels]:
        return _with(volume, function(volume.voxels.astype(np.float32), volume)), labels

    return change


def _with(volume: Volume, voxels: NDArray[Any]) -> Volume:
    return Volume(voxels, volume.geometry, volume.modality)


def _noisy(voxels: NDArray[np.float32], volume: Volume) -> NDArray[np.float32]:
    strength = 200.0 if volume.modality == "CT" else 0.35 * float(voxels.std())
    noise = np.random.default_rng(0).normal(0, strength, voxels.shape)
    return (voxels + noise).astype(np.float32)


def _halved(voxels: NDArray[np.float32], volume: Volume) -> NDArray[np.float32]:
    """Keep every second voxel, and every third slice, on the same grid."""
    upright, _ = _axis(volume, 2)
    steps = [3 if axis == upright else 2 for axis in range(3)]
    kept = [np.arange(n) // step * step for n, step in zip(voxels.shape, steps, strict=True)]
    return voxels[np.ix_(*kept)]


def _as(modality: str) -> Callable[[Volume, Labels], tuple[Volume, Labels]]:
    def change(volume: Volume, labels: Labels) -> tuple[Volume, Labels]:
        lowest = volume.voxels.min() if modality == "MR" else 0
        return replace(_with(volume, volume.voxels - lowest), modality=modality), labels

    return change


CHANGES: dict[str, Callable[[Volume, Labels], tuple[Volume, Labels]]] = {
    "fliplr": _flip(0),
    "flipap": _flip(1),
    "flipsi": _flip(2),
    "lower": _crop(2, 0, 0.35),
    "upper": _crop(2, 0.65, 1),
    "middle": _crop(2, 0.38, 0.62),
    "leftside": _crop(0, 0, 0.5),
    "blur": _voxels(lambda v, volume: ndimage.gaussian_filter(v, 6 / np.array(volume.geometry.spacing))),
    "noise": _voxels(_noisy),
    "half": _voxels(_halved),
    "unit": _voxels(lambda v, _: v + 1024),
    "window": _voxels(lambda v, _: np.clip((v + 160) / 400, 0, 1) * 255),
    "mr": _as("MR"),
    "ct": _as("CT"),
}
"""What is done to scans: flipped along an axis of the patient, cropped, made worse, in another unit."""
