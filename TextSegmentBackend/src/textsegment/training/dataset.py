"""Labelled scans for training, described by one JSON file.

    {"structures": {"CT": ["liver", "left kidney", "kidney"], "MR": ["liver"]},
     "groups": {"kidney": ["left kidney", "right kidney"]},
     "hidden": {"CT": ["left kidney"]},
     "cases": [{"image": "a.nii.gz", "labels": "a_labels.nii.gz", "modality": "CT", "weight": 2,
                "names": {"5": "liver", "3": "left kidney"}, "other": [7], "annotated": "all"}]}

Paths are relative to the folder of the scans. ``names`` maps numbers of the label map to structures;
several numbers may mean one structure. ``other`` lists the numbers that are not to be learnt: a number that
is neither named nor listed there is refused, since it would be learnt as absent. ``annotated`` lists the
structures that were searched for: where they are not drawn, they are absent. All other structures are
unknown in that scan and are not learnt from it. ``"all"`` means every structure of the modality; without
the entry, the named ones are annotated. Structures in ``partly`` were drawn over a part of their length only:
below and above it they are unknown. Drawn structures are mutually exclusive; ``groups`` are unions of
structures and of voxels drawn under the group's own name. ``hidden`` structures are learnt but not offered
by the exported model, because it did not learn them well enough.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsegment.errors import InputError, InputNotFoundError
from textsegment.files.reading import read_volume
from textsegment.geometry import Box, Geometry
from textsegment.inference.image.canonical import labels_to_canonical, to_canonical
from textsegment.inference.image.grid import box_on
from textsegment.inference.image.intensity import normalize
from textsegment.modality import modality_code
from textsegment.model.config import SATConfig

# Of the scan that a label map has to cover: labels of another scan hardly ever do.
_LEAST_COVERED = 0.5


@dataclass(frozen=True)
class CaseDescription:
    """A labelled scan as described in the JSON file."""

    image: Path
    labels: Path
    modality: str
    names: Mapping[int, str]
    annotated: frozenset[str]
    weight: float = 1.0
    other: frozenset[int] = frozenset()
    unknown: frozenset[int] = frozenset()
    partly: frozenset[str] = frozenset()


@dataclass(frozen=True)
class DatasetDescription:
    """Content of the JSON file.

    Attributes:
        prompts: Pairs of (structure, modality), one for each row of the embedding table, in file order.
        groups: Parts of each group, keyed by its name.
        hidden: Prompts that the exported model does not offer.
        cases: Descriptions of the labelled scans.
    """

    prompts: tuple[tuple[str, str], ...]
    groups: Mapping[str, tuple[str, ...]]
    hidden: frozenset[tuple[str, str]]
    cases: tuple[CaseDescription, ...]


@dataclass(frozen=True, eq=False)
class TrainingCase:
    """A labelled scan on the canonical grid.

    Attributes:
        image: Normalised voxels, float32 ``[x, y, z]``.
        labels: Label map, int16 ``[x, y, z]``: 0 for nothing, n for the structure ``drawn[n - 1]``, -1 where
            nothing is known.
        modality: DICOM code of the modality.
        drawn: Mutually exclusive structures of the label map.
        annotated: Structures whose presence or absence is known, including ``drawn``.
        groups: Drawn parts of each union, at least two, keyed by its name.
        weight: Relative frequency with which the case is sampled.
        extents: First and last slice (z) between which a structure was drawn, for structures that are unknown
            below and above; other structures are known everywhere.
    """

    image: NDArray[np.float32]
    labels: NDArray[np.int16]
    modality: str
    drawn: tuple[str, ...]
    annotated: frozenset[str]
    groups: Mapping[str, tuple[str, ...]]
    weight: float
    extents: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def read_description(path: Path, scans: Path) -> DatasetDescription:
    """Read the JSON file; the paths in it are relative to the folder ``scans``.

    Raises:
        InputNotFoundError: The file does not exist.
        InputError: The file does not have the format described above.
    """
    if not path.is_file():
        raise InputNotFoundError("The description of the data set is not there.", "Give a JSON file.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        structures = {modality_code(m): tuple(names) for m, names in content["structures"].items()}
        cases = tuple(_case(entry, scans, structures) for entry in content["cases"])
        groups = {name: (*parts, name) for name, parts in content.get("groups", {}).items()}
        hidden = frozenset(
            (name, modality_code(m)) for m, names in content.get("hidden", {}).items() for name in names
        )
    except (json.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"The description of the data set is not valid: {error!r}.") from error
    prompts = tuple((name, modality) for modality, names in structures.items() for name in names)
    return DatasetDescription(prompts, groups, hidden, cases)


def _case(entry: Mapping[str, Any], folder: Path, structures: Mapping[str, Sequence[str]]) -> CaseDescription:
    modality = modality_code(entry["modality"])
    known = frozenset(structures[modality])
    names = {int(number): str(name) for number, name in entry["names"].items()}
    annotated = entry.get("annotated", list(names.values()))
    for name in (*names.values(), *(() if annotated == "all" else annotated)):
        _require_known(name, known, modality, str(entry["labels"]))
    return CaseDescription(
        image=folder / entry["image"],
        labels=folder / entry["labels"],
        modality=modality,
        names=names,
        annotated=known if annotated == "all" else frozenset(annotated),
        weight=float(entry.get("weight", 1.0)),
        other=frozenset(int(number) for number in entry.get("other", ())),
        unknown=frozenset(int(number) for number in entry.get("unknown", ())),
        partly=frozenset(entry.get("partly", ())) & set(names.values()),
    )


def _require_known(name: str, known: frozenset[str], modality: str, file: str) -> None:
    if name in known:
        return
    near = get_close_matches(name.lower(), known, n=3)
    raise InputError(
        f"{file}: {name!r} is not among the structures to learn in {modality}.",
        f"Did you mean {', '.join(near)}?"
        if near
        else 'Add it to "structures", or list its number in "other".',
    )


def load_case(
    description: CaseDescription, groups: Mapping[str, tuple[str, ...]], config: SATConfig
) -> TrainingCase:
    """Read a scan and its labels, check them against each other, and bring both to the canonical grid.

    Raises:
        InputError: A file cannot be read; a number of the label map is not described, or none of them occurs;
            the labels do not lie on the scan.
    """
    volume = read_volume(description.image, modality=description.modality)
    label_map = read_volume(description.labels, modality=description.modality)
    _require_described(description, label_map.voxels)
    _require_same_place(description, label_map.geometry, volume.geometry)
    canonical = to_canonical(volume, spacing=config.spacing)
    numbers = labels_to_canonical(label_map.voxels.astype(np.int32), label_map.geometry, canonical)
    drawn = tuple(dict.fromkeys(description.names.values()))
    labels = np.zeros(numbers.shape, dtype=np.int16)
    for number, name in description.names.items():
        labels[numbers == number] = 1 + drawn.index(name)
    labels[np.isin(numbers, list(description.unknown))] = -1
    if not (labels > 0).any():
        raise InputError(
            f"{description.labels.name}: no label lies on the scan.", "Check which scan it belongs to."
        )
    return TrainingCase(
        image=normalize(canonical.voxels, description.modality),
        labels=labels,
        modality=description.modality,
        drawn=drawn,
        annotated=description.annotated,
        groups={
            name: drawn_parts
            for name, parts in groups.items()
            if len(drawn_parts := tuple(part for part in parts if part in drawn)) > 1
        },
        weight=description.weight,
        extents={name: _extent(labels == 1 + drawn.index(name)) for name in description.partly},
    )


def _extent(mask: NDArray[np.bool_]) -> tuple[int, int]:
    slices = np.flatnonzero(mask.any((0, 1)))
    return (int(slices[0]), int(slices[-1])) if len(slices) else (0, -1)


def _require_described(description: CaseDescription, labels: NDArray[Any]) -> None:
    file = description.labels.name
    there = {int(number) for number in np.unique(labels)} - {0}
    unknown = sorted(there - set(description.names) - description.other - description.unknown)
    if unknown:
        raise InputError(
            f"{file} holds numbers without a name: {', '.join(map(str, unknown[:12]))}.",
            'Name them, or list them in "other" if they are not to be learnt.',
        )
    if not there & set(description.names):
        raise InputError(f"{file} holds none of the numbers that are named.", "Check file and numbers.")


def _require_same_place(description: CaseDescription, labels: Geometry, scan: Geometry) -> None:
    covered = box_on(scan, labels, Box((0, 0, 0), labels.spatial_shape))
    if prod(covered.shape) < _LEAST_COVERED * prod(scan.spatial_shape):
        raise InputError(
            f"{description.labels.name} does not lie where its scan lies.",
            "Labels have to be of this scan, in its patient space.",
        )
