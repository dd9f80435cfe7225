"""BIDS: scans of a data set, and discrete segmentations (``*_dseg.nii.gz``) in one of its derivatives.

data/sub-01/anat/sub-01_T1w.nii.gz
data/derivatives/organs/dataset_description.json
data/derivatives/organs/desc-organs_dseg.tsv                          index, name
data/derivatives/organs/sub-01/anat/sub-01_desc-organs_dseg.nii.gz
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from textsegment.datasets.source import Source, SourceCase
from textsegment.datasets.sources.stored_labels import LabelMap
from textsegment.errors import InputError, InputNotFoundError

_DSEG = "_dseg.nii.gz"
_BACKGROUND = ("background", "unknown", "clear label")
# Entities of a segmentation that its scan does not have.
_DERIVED = re.compile(r"_(desc|label|seg|space|res)-[A-Za-z0-9]+")
_MODALITIES = {"ct": "CT", "pet": "PT"}  # suffixes; anything else is MR


def is_bids(folder: Path) -> bool:
    """Return whether a folder is a BIDS derivative with segmentations."""
    return (folder / "dataset_description.json").is_file() and any(folder.glob(f"sub-*/**/*{_DSEG}"))


def open_bids(folder: Path) -> Source:
    """Open a folder of derivatives.

    Raises:
        InputError: The description of the data set is damaged.
    """
    try:
        content = json.loads((folder / "dataset_description.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError("dataset_description.json is damaged.", "Mend the file.") from error
    return Source(
        name=str(content.get("Name") or folder.name),
        layout="BIDS",
        cases=_Cases(folder),
        licence=str(content.get("License", "")),
    )


@dataclass(frozen=True)
class _Cases:
    folder: Path

    def __iter__(self) -> Iterator[SourceCase]:
        for labels in sorted(self.folder.glob(f"sub-*/**/*{_DSEG}")):
            image = self._image(labels)
            suffix = image.name.split(".")[0].rsplit("_", 1)[-1].lower()
            numbers = _table(self.folder, labels)
            yield SourceCase(
                sample_id=labels.name.removesuffix(_DSEG),
                patient_id=labels.name.split("_")[0],
                modality=_MODALITIES.get(suffix, "MR"),
                image=image,
                labels=LabelMap(labels, numbers),
                looked_for=frozenset(numbers),
            )

    def _image(self, labels: Path) -> Path:
        stem = _DERIVED.sub("", labels.name.removesuffix(_DSEG))
        inside = labels.relative_to(self.folder).parent
        folders = [labels.parent, *(up / inside for up in self.folder.parents[:3])]
        for folder in folders:
            found = [path for path in sorted(folder.glob(f"{stem}_*.nii*")) if not path.name.endswith(_DSEG)]
            if len(found) == 1:
                return found[0]
            if found:
                raise InputError(
                    f"{labels.name} belongs to one of several scans: {', '.join(p.name for p in found)}.",
                    "Keep the one that it was drawn on in the folder.",
                )
        raise InputNotFoundError(
            f"The scan of {labels.name} is not there.", "Give the derivative inside its data set."
        )


def _table(folder: Path, labels: Path) -> dict[str, tuple[int, ...]]:
    """Read the names of the numbers from the nearest ``_dseg.tsv``."""
    own = labels.with_name(labels.name.removesuffix(".nii.gz") + ".tsv")
    shared = sorted(folder.glob("*dseg.tsv"))
    described = re.search(r"_(desc-[A-Za-z0-9]+)_dseg", labels.name)
    fitting = [path for path in shared if described and path.name == f"{described[1]}_dseg.tsv"] or shared
    path = own if own.is_file() else (fitting[0] if len(fitting) == 1 else None)
    if path is None:
        raise InputNotFoundError(
            f"{labels.name}: there is no table of its numbers.",
            "Add one that ends in _dseg.tsv (index, name).",
        )
    found: dict[str, tuple[int, ...]] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            try:
                name, number = row["name"], int(row["index"])
            except (KeyError, ValueError, TypeError) as error:
                raise InputError(
                    f"{path.name} lacks the columns index and name.", "Mend the file."
                ) from error
            if name.lower() not in _BACKGROUND and number != 0:
                found[name] = (*found.get(name, ()), number)
    return found
