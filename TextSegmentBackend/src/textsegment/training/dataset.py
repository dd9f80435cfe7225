"""Labelled scans to learn from, described by one JSON file.

    {"structures": {"CT": ["liver", "left kidney", "kidney"], "MR": ["liver"]},
     "groups": {"kidney": ["left kidney", "right kidney"]},
     "hidden": {"CT": ["left kidney"]},
     "cases": [{"image": "a.nii.gz", "labels": "a_labels.nii.gz", "modality": "CT", "weight": 2,
                "names": {"5": "liver", "3": "left kidney"}, "annotated": "all"}]}

Paths are relative to the folder of the scans. ``names`` maps numbers of the label map to structures;
several numbers may be one structure. ``annotated`` lists the structures that were looked for: where they are
not drawn, they are not there. Everything else in that scan is unknown, and is not learnt from. ``"all"`` is
every structure of the modality; without the entry, the named ones. Structures that are drawn are exclusive;
``groups`` are unions of structures, and of voxels drawn under the group's own name. ``hidden`` structures are
learnt, and not offered by the exported model: those that it did not learn well enough.
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
    """One labelled scan, as the JSON file names it."""

    image: Path
    labels: Path
    modality: str
    names: Mapping[int, str]
    annotated: frozenset[str]
    weight: float = 1.0


@dataclass(frozen=True)
class DatasetDescription:
    """The whole JSON file.

    Attributes:
        prompts: (structure, modality), one row of the embedding table each, in the order of the file.
        groups: Structure → its parts.
        hidden: Prompts that the exported model does not offer.
        cases: Labelled scans.
    """

    prompts: tuple[tuple[str, str], ...]
    groups: Mapping[str, tuple[str, ...]]
    hidden: frozenset[tuple[str, str]]
    cases: tuple[CaseDescription, ...]


@dataclass(frozen=True, eq=False)
class TrainingCase:
    """One labelled scan on the canonical grid.

    Attributes:
        image: float32 ``[x, y, z]``, normalised.
        labels: int16 ``[x, y, z]``: 0 nothing, n the structure ``drawn[n - 1]``.
        modality: DICOM code.
        drawn: Exclusive structures of the label map.
        annotated: Structures whose absence is known too, ``drawn`` among them.
        groups: Union → its drawn parts, two at least.
        weight: How often the case is drawn, relative to the others.
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
        InputNotFoundError: There is no such file.
        InputError: It does not have the form above.
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
    """Read one scan and its labels and bring both to the canonical grid.

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
