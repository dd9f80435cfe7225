"""Layouts with one ``dataset.json`` and label maps: the Medical Segmentation Decathlon and nnU-Net.

Task03_Liver/dataset.json  imagesTr/liver_0.nii.gz       labelsTr/liver_0.nii.gz        (MSD)
Dataset003/dataset.json    imagesTr/liver_0_0000.nii.gz  labelsTr/liver_0.nii.gz        (nnU-Net)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textsegment.datasets.source import Source, SourceCase
from textsegment.datasets.sources.stored_labels import LabelMap
from textsegment.errors import InputError
from textsegment.modality import modality_code

_BACKGROUND = ("background", "ignore")
_MODALITY_WORDS = {"t1": "MR", "t2": "MR", "flair": "MR", "adc": "MR", "t1w": "MR", "t1gd": "MR", "t2w": "MR"}
_SPLITS = {"Tr": "train", "Ts": "test"}


def is_numbered(folder: Path) -> bool:
    """Return whether a folder has this layout."""
    return (folder / "dataset.json").is_file() and (folder / "labelsTr").is_dir()


def open_numbered(folder: Path) -> Source:
    """Open a folder.

    Raises:
        InputError: ``dataset.json`` is damaged, or lacks labels or modality.
    """
    try:
        content = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        numbers = _numbers(content["labels"])
        channels = content.get("channel_names") or content.get("modality") or {}
        modality = _modality(str(next(iter(channels.values()))))
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise InputError(
            f"{folder.name}/dataset.json lacks labels or modality, or is damaged.", "Mend the file."
        ) from error
    ending = str(content.get("file_ending", ".nii.gz"))
    return Source(
        name=str(content.get("name") or folder.name),
        layout="nnU-Net" if "channel_names" in content else "MSD",
        cases=_Cases(folder, ending, modality, numbers),
        licence=str(content.get("licence") or content.get("license") or ""),
    )


def _numbers(labels: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the numbers of each name; MSD maps numbers to names, nnU-Net names to numbers (or several)."""
    if all(key.isdigit() for key in labels):
        labels = {str(name): int(number) for number, name in labels.items()}
    found = {
        name: tuple(int(n) for n in number) if isinstance(number, list) else (int(number),)
        for name, number in labels.items()
    }
    return {
        name: numbers
        for name, numbers in found.items()
        if name.lower() not in _BACKGROUND and numbers != (0,)
    }


def _modality(name: str) -> str:
    word = name.strip().lower()
    return _MODALITY_WORDS.get(word) or modality_code(word)


@dataclass(frozen=True)
class _Cases:
    folder: Path
    ending: str
    modality: str
    numbers: Mapping[str, tuple[int, ...]]

    def __iter__(self) -> Iterator[SourceCase]:
        for part, split in _SPLITS.items():
            for labels in sorted((self.folder / f"labels{part}").glob(f"*{self.ending}")):
                if labels.name.startswith("."):
                    continue
                name = labels.name.removesuffix(self.ending)
                yield SourceCase(
                    sample_id=name,
                    patient_id=name,
                    modality=self.modality,
                    image=self._image(part, name),
                    labels=LabelMap(labels, self.numbers),
                    looked_for=frozenset(self.numbers),
                    split=split if split == "test" else None,
                )

    def _image(self, part: str, name: str) -> Path:
        images = self.folder / f"images{part}"
        first = images / f"{name}_0000{self.ending}"  # of several channels, the first
        return first if first.is_file() else images / f"{name}{self.ending}"
