"""Scores of one structure in one case, and the file that keeps them while an evaluation runs."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from textsegment.compare.metrics import Measures
from textsegment.errors import InputUnreadableError, OutputError

_CHECK = "Check the folder and its permissions."


@dataclass(frozen=True)
class Score:
    """Agreement of a model with the truth about one structure in one case.

    Attributes:
        dataset: Data set that the case comes from.
        sample_id: Name of the case.
        patient_id: Pseudonym of the patient.
        modality: DICOM modality code.
        structure: Name of the structure (its prompt).
        truth_is_empty: Whether the structure was looked for and is not in the scan.
        partly_known: Whether the truth is known in a part of the scan only, which alone counts.
        measures: Agreement of the two masks on the grid of the scan.
    """

    dataset: str
    sample_id: str
    patient_id: str
    modality: str
    structure: str
    truth_is_empty: bool
    partly_known: bool
    measures: Measures

    def to_json(self) -> dict[str, Any]:
        """Return the score as JSON-compatible values, all on one level; what is not defined is None."""
        content = asdict(self)
        measures = content.pop("measures")
        return content | {key: None if math.isnan(value) else value for key, value in measures.items()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Score:
        """Return the score of ``to_json``.

        Raises:
            KeyError: A value is missing.
        """
        measures = {
            each.name: math.nan if content[each.name] is None else float(content[each.name])
            for each in fields(Measures)
        }
        own = {each.name: content[each.name] for each in fields(cls) if each.name != "measures"}
        return cls(measures=Measures(**measures), **own)


class ScoreFile:
    """Scores of an evaluation, appended case by case so that an interrupted evaluation can go on.

    Args:
        path: File; a last line that was cut short is removed.

    Raises:
        InputUnreadableError: The file contains something else.
        OutputError: The file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._cases: dict[str, tuple[Score, ...]] = {}
        try:
            content = path.read_bytes() if path.is_file() else b""
            whole = content[: content.rfind(b"\n") + 1]
            if len(whole) < len(content):
                with path.open("rb+") as file:
                    file.truncate(len(whole))
        except OSError as error:
            raise OutputError(
                "The scores cannot be read.", "Check the folder and its permissions."
            ) from error
        for line in whole.splitlines():
            try:
                entry = json.loads(line)
                self._cases[entry["sample_id"]] = tuple(Score.from_json(score) for score in entry["scores"])
            except (ValueError, KeyError, TypeError) as error:
                raise InputUnreadableError(
                    "The scores of the earlier evaluation cannot be read.", "Choose another folder."
                ) from error

    def __contains__(self, sample_id: object) -> bool:
        return sample_id in self._cases

    def add(self, sample_id: str, scores: Sequence[Score]) -> None:
        """Append the scores of one case.

        Raises:
            OutputError: The file cannot be written.
        """
        line = json.dumps(
            {"sample_id": sample_id, "scores": [score.to_json() for score in scores]}, ensure_ascii=False
        )
        try:
            with self._path.open("ab") as file:
                file.write(line.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(
                "The scores cannot be written.", "Check the folder and its permissions."
            ) from error
        self._cases[sample_id] = tuple(scores)

    def of_cases(self, sample_ids: Iterable[str]) -> tuple[Score, ...]:
        """Return the scores of these cases, in their order; cases that have none yet are left out."""
        return tuple(score for name in sample_ids for score in self._cases.get(name, ()))

    def all(self) -> tuple[Score, ...]:
        """Return all scores, in the order in which they were added."""
        return self.of_cases(self._cases)
