"""Labelled scans for training, described by one JSON file.

    {"structures": {"CT": ["liver", "left kidney", "kidney"], "MR": ["liver"]},
     "groups": {"kidney": ["left kidney", "right kidney"]},
     "hidden": {"CT": ["left kidney"]},
     "cases": [{"image": "a.nii.gz", "labels": "a_labels.nii.gz", "modality": "CT", "weight": 2,
                "names": {"5": "liver", "3": "left kidney"}, "annotated": "all"}]}

Paths are relative to the folder of the scans. ``names`` maps numbers of the label map to structures; several
numbers may mean one structure. ``annotated`` lists the structures that were searched for: where they are not
drawn, they are absent. All other structures are unknown in that scan and are not learnt from it. ``"all"``
means every structure of the modality; without the entry, the named ones are annotated. Drawn structures are
mutually exclusive; ``groups`` are unions of structures and of voxels drawn under the group's own name.
``hidden`` structures are learnt but not offered by the exported model, because it did not learn them well
enough.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsegment.errors import InputError, InputNotFoundError
from textsegment.files.reading import read_volume
from textsegment.inference.image.canonical import labels_to_canonical, to_canonical
from textsegment.inference.image.intensity import normalize
from textsegment.modality import modality_code
from textsegment.model.config import SATConfig


@dataclass(frozen=True)
class CaseDescription:
    """A labelled scan as described in the JSON file."""

    image: Path
    labels: Path
    modality: str
    names: Mapping[int, str]
    annotated: frozenset[str]
    weight: float = 1.0


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
        labels: Label map, int16 ``[x, y, z]``: 0 for nothing, n for the structure ``drawn[n - 1]``.
        modality: DICOM code of the modality.
        drawn: Mutually exclusive structures of the label map.
        annotated: Structures whose presence or absence is known, including ``drawn``.
        groups: Drawn parts of each union, at least two, keyed by its name.
        weight: Relative frequency with which the case is sampled.
    """

    image: NDArray[np.float32]
    labels: NDArray[np.int16]
    modality: str
    drawn: tuple[str, ...]
    annotated: frozenset[str]
    groups: Mapping[str, tuple[str, ...]]
    weight: float


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
    names = {int(number): str(name) for number, name in entry["names"].items() if name in known}
    annotated = entry.get("annotated", list(names.values()))
    return CaseDescription(
        image=folder / entry["image"],
        labels=folder / entry["labels"],
        modality=modality,
        names=names,
        annotated=known if annotated == "all" else frozenset(annotated) & known,
        weight=float(entry.get("weight", 1.0)),
    )


def load_case(
    description: CaseDescription, groups: Mapping[str, tuple[str, ...]], config: SATConfig
) -> TrainingCase:
    """Read a scan and its labels, and bring both to the canonical grid.

    Raises:
        InputError: A file cannot be read.
    """
    volume = read_volume(description.image, modality=description.modality)
    label_map = read_volume(description.labels, modality=description.modality)
    canonical = to_canonical(volume, spacing=config.spacing)
    numbers = labels_to_canonical(label_map.voxels.astype(np.int32), label_map.geometry, canonical)
    drawn = tuple(dict.fromkeys(description.names.values()))
    labels = np.zeros(numbers.shape, dtype=np.int16)
    for number, name in description.names.items():
        labels[numbers == number] = 1 + drawn.index(name)
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
    )
