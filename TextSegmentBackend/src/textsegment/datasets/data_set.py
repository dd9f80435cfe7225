"""A prepared set of labelled scans: a folder with ``set.json``, ``cases.jsonl`` and one folder a case."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from textsegment.datasets.case import LabelledCase
from textsegment.datasets.record import Record
from textsegment.errors import InputError, InputNotFoundError

SET_FILE, CASES_FILE, CASES_FOLDER = "set.json", "cases.jsonl", "cases"
FORMAT, FORMAT_VERSION = "textsegment-data-set", 1


@dataclass(frozen=True)
class SetCard:
    """What a set says about itself in ``set.json``.

    Attributes:
        name: Name of the set.
        spacing: Voxel size of the canonical grid in millimetres, along R, A, S.
        licences: Licences of what it was made from, keyed by data set.
        groups: Parts of each union, keyed by its name.
        weights: Relative frequency with which a case is drawn in training, keyed by its ``sample_id``; 1 for
            others.
    """

    name: str
    spacing: tuple[float, float, float]
    licences: dict[str, str] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write ``set.json``."""
        content = {"format": FORMAT, "format_version": FORMAT_VERSION, **asdict(self)}
        (folder / SET_FILE).write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


class DataSet(Sequence[LabelledCase]):
    """A prepared set. Cases are read from disk one by one, so sets may be larger than memory.

    Args:
        folder: Folder of the set.

    Raises:
        InputNotFoundError: There is no such set.
        InputError: The folder is no set of this version.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.card = _read_card(self.folder)
        self._starts: list[int] = []
        with self._lines.open("rb") as file:
            start = 0
            for line in file:
                if line.strip():
                    self._starts.append(start)
                start += len(line)

    @property
    def _lines(self) -> Path:
        return self.folder / CASES_FILE

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, index: Any) -> Any:
        """Return one case, or a list of cases for a slice."""
        if isinstance(index, slice):
            return [self[n] for n in range(*index.indices(len(self)))]
        start = self._starts[index]
        with self._lines.open("rb") as file:
            file.seek(start)
            return LabelledCase(self.folder, Record.from_line(file.readline(), index % len(self)))

    def of_split(self, split: str) -> Iterator[LabelledCase]:
        """Yield the cases of ``train``, ``validation`` or ``test``, in the order of the set."""
        return (case for case in self if case.split == split)

    def of_patient(self, patient_id: str) -> Iterator[LabelledCase]:
        """Yield the cases of one patient."""
        return (case for case in self if case.patient_id == patient_id)

    def weight(self, case: LabelledCase) -> float:
        """Return the relative frequency with which a case is drawn in training."""
        return self.card.weights.get(case.sample_id, 1.0)


def _read_card(folder: Path) -> SetCard:
    path = folder / SET_FILE
    if not path.is_file() or not (folder / CASES_FILE).is_file():
        raise InputNotFoundError(
            f"{folder.name} is no prepared data set.",
            "Make one with `textsegment data prepare SOURCE -o SET`.",
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if (content.pop("format"), content.pop("format_version")) != (FORMAT, FORMAT_VERSION):
            raise ValueError("another version")
        x, y, z = content.pop("spacing")
        return SetCard(spacing=(float(x), float(y), float(z)), **content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{folder.name} is no data set of this version of TextSegment.",
            "Make it again with `textsegment data prepare`.",
        ) from error
