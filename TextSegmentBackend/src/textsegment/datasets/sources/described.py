"""Labelled scans of any origin, described by one JSON file.

    {"name": "chest", "licence": "CC BY 4.0",
     "structures": {"CT": ["liver", "left kidney", "kidney"], "MR": ["liver"]},
     "groups": {"kidney": ["left kidney", "right kidney"]},
     "cases": [{"image": "a.nii.gz", "labels": "a_labels.nii.gz", "modality": "CT", "weight": 2,
                "patient": "a", "split": "train",
                "names": {"5": "liver", "3": "left kidney"}, "other": [7], "annotated": "all"}]}

Paths are relative to the folder of the scans. ``names`` maps numbers of the label map to structures;
several numbers may mean one structure. ``other`` lists the numbers that are not to be learnt: a number
that is neither named nor listed there is refused, since it would be learnt as absent. Voxels of numbers
in ``unknown`` are learnt as nothing at all. ``annotated`` lists the structures that were searched for:
where they are not drawn, they are absent. All other structures are unknown in that scan and are not
learnt from it. ``"all"`` means every structure of the modality; without the entry, the named ones are
annotated. Structures in ``partly`` were drawn over a part of their length only: below and above it they
are unknown. ``groups`` are unions of structures and of voxels drawn under the group's own name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from textsegment.datasets.record import UNKNOWN_VOXELS
from textsegment.datasets.source import Source, SourceCase
from textsegment.datasets.sources.stored_labels import LabelMap
from textsegment.errors import InputError, InputNotFoundError, ModalityError
from textsegment.modality import modality_code

_USUAL_NAMES = ("image", "dicom", "ct", "mr", "mri", "pet")


def open_described(path: Path, scans: Path | None = None) -> Source:
    """Open a JSON file; the paths in it are relative to the folder ``scans``, by default that of the file.

    Raises:
        InputNotFoundError: The file does not exist.
        InputError: The file does not have the format described above.
    """
    if not path.is_file():
        raise InputNotFoundError("The description of the data set is not there.", "Give a JSON file.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        structures = {modality_code(m): tuple(names) for m, names in content["structures"].items()}
        groups = {name: tuple(parts) for name, parts in content.get("groups", {}).items()}
        entries = [_case(entry, scans or path.parent, structures, groups) for entry in content["cases"]]
    except (json.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError, ModalityError) as error:
        raise InputError(f"{path.name}: the description of the data set is not valid: {error!r}.") from error
    names = {name for known in structures.values() for name in known}
    return Source(
        name=str(content.get("name", path.stem)),
        layout="description",
        cases=entries,
        licence=str(content.get("licence", "")),
        groups=groups,
        answers={name: name for name in names},
    )


def _case(
    entry: Mapping[str, Any],
    folder: Path,
    structures: Mapping[str, Sequence[str]],
    groups: Mapping[str, Sequence[str]],
) -> SourceCase:
    modality = modality_code(entry["modality"])
    known = frozenset(structures[modality])
    numbers: dict[str, tuple[int, ...]] = {}
    for number, name in entry["names"].items():
        numbers[str(name)] = (*numbers.get(str(name), ()), int(number))
    drawn = frozenset(numbers)
    annotated = entry.get("annotated", sorted(drawn))
    looked_for = known if annotated == "all" else frozenset(annotated) | drawn
    for name in (*numbers, *sorted(looked_for)):
        _require_known(name, known, modality, str(entry["labels"]))
    if unknown := tuple(int(number) for number in entry.get("unknown", ())):
        numbers[UNKNOWN_VOXELS] = unknown
    labels = Path(entry["labels"])
    return SourceCase(
        sample_id=str(entry.get("id", _name_of(Path(entry["image"])))),
        patient_id=str(entry.get("patient", _name_of(Path(entry["image"])))),
        modality=modality,
        image=folder / entry["image"],
        labels=LabelMap(
            folder / labels, numbers, frozenset(int(number) for number in entry.get("other", ()))
        ),
        looked_for=looked_for,
        partly=frozenset(entry.get("partly", ())) & drawn,
        split=entry.get("split"),
        weight=float(entry.get("weight", 1.0)),
    )


def _name_of(image: Path) -> str:
    """Return a name for a case: that of the file, or of its folder if the file is just called image."""
    stem, folder = image.name.split(".")[0], image.parent.name
    if not folder:
        return stem
    return folder if stem.lower() in _USUAL_NAMES else f"{folder}_{stem}"


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
