"""The layout of TotalSegmentator's data sets.

meta.csv   s0001/ct.nii.gz (or mri.nii.gz)   s0001/segmentations/kidney_right.nii.gz
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from textsegment.datasets.source import Source, SourceCase
from textsegment.datasets.sources.stored_labels import MaskFolder

_IMAGES = {"ct.nii.gz": "CT", "mri.nii.gz": "MR"}
_SPLITS = {"train": "train", "val": "validation", "test": "test"}


def is_totalsegmentator(folder: Path) -> bool:
    """Return whether a folder has this layout."""
    return any(True for _ in _case_folders(folder))


def open_totalsegmentator(folder: Path) -> Source:
    """Open a folder."""
    return Source(name=folder.name, layout="TotalSegmentator", cases=_Cases(folder))


def _case_folders(folder: Path) -> Iterator[Path]:
    for each in sorted(folder.iterdir()):
        if (each / "segmentations").is_dir() and any((each / name).is_file() for name in _IMAGES):
            yield each


@dataclass(frozen=True)
class _Cases:
    folder: Path

    def __iter__(self) -> Iterator[SourceCase]:
        splits = self._splits()
        for case in _case_folders(self.folder):
            files = {
                path.name.removesuffix(".nii.gz"): path
                for path in sorted((case / "segmentations").glob("*.nii.gz"))
                if not path.name.startswith(".")
            }
            image = next(case / name for name in _IMAGES if (case / name).is_file())
            yield SourceCase(
                sample_id=case.name,
                patient_id=case.name,
                modality=_IMAGES[image.name],
                image=image,
                labels=MaskFolder(case / "segmentations", files),
                looked_for=frozenset(files),
                split=splits.get(case.name),
            )

    def _splits(self) -> dict[str, str]:
        path = self.folder / "meta.csv"
        if not path.is_file():
            return {}
        with path.open(encoding="utf-8-sig", newline="") as file:
            dialect = ";" if ";" in file.readline() else ","
            file.seek(0)
            rows = list(csv.DictReader(file, delimiter=dialect))
        return {
            row["image_id"]: _SPLITS[row["split"]]
            for row in rows
            if row.get("image_id") and row.get("split") in _SPLITS
        }
