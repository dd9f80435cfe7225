"""What a run leaves to read: ``steps.csv``, ``validation.csv``, events for TensorBoard, and the time left."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from textsegment.training.outcome.validation import Score, by_structure, mean_dice

STEPS, VALIDATION, EVENTS = "steps.csv", "validation.csv", "tensorboard"
_STEP_FIELDS = ("step", "loss", "dice", "learning_rate", "seconds")
_SCORE_FIELDS = ("step", "case", "patient", "modality", "structure", "dice")


class RunLog:
    """Files of a run, which grow line by line; lines after the step that a run resumes at are dropped.

    Events for TensorBoard are written besides where tensorboardX is installed (the extra ``train``).

    Args:
        folder: Folder of the run.
        step: Step that the run begins or goes on at.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._folder = folder
        for name, fields in ((STEPS, _STEP_FIELDS), (VALIDATION, _SCORE_FIELDS)):
            kept = [row for row in read_rows(folder / name) if int(row["step"]) <= step]
            with (folder / name).open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, fields)
                writer.writeheader()
                writer.writerows(kept)
        self._events = _event_writer(folder / EVENTS, step)

    def close(self) -> None:
        """Write what is still in memory."""
        if self._events is not None:
            self._events.close()

    def add_step(self, step: int, loss: float, dice: float, learning_rate: float, seconds: float) -> None:
        """Add a line to ``steps.csv``."""
        values = (step, f"{loss:.4f}", f"{dice:.4f}", f"{learning_rate:.3g}", f"{seconds:.2f}")
        self._append(STEPS, [values])
        if self._events is not None:
            for name, value in (("loss", loss), ("dice", dice), ("learning_rate", learning_rate)):
                self._events.add_scalar(f"training/{name}", value, step)

    def add_scores(self, step: int, scores: Sequence[Score]) -> None:
        """Add the scores of a validation to ``validation.csv``."""
        self._append(
            VALIDATION, [(step, s.case, s.patient, s.modality, s.structure, f"{s.dice:.4f}") for s in scores]
        )
        if self._events is not None:
            self._events.add_scalar("held_out/mean_dice", mean_dice(scores), step)
            for (name, modality), dice in by_structure(scores).items():
                self._events.add_scalar(f"held_out/{name.replace(' ', '_')}_{modality}", dice, step)

    def _append(self, name: str, rows: Sequence[Sequence[object]]) -> None:
        with (self._folder / name).open("a", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)


def _event_writer(folder: Path, step: int) -> Any:
    """Return a writer whose reader drops events after a step; None if tensorboardX is not installed."""
    if find_spec("tensorboardX") is None:
        return None
    from tensorboardX import SummaryWriter

    return SummaryWriter(str(folder), purge_step=step + 1)


def read_scores(folder: Path) -> dict[int, list[Score]]:
    """Read the scores of all validations of a run, keyed by step."""
    rounds: dict[int, list[Score]] = {}
    for row in read_rows(folder / VALIDATION):
        score = Score(row["case"], row["patient"], row["modality"], row["structure"], float(row["dice"]))
        rounds.setdefault(int(row["step"]), []).append(score)
    return rounds


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read the lines of one of the files; none if it does not exist."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def duration(seconds: float) -> str:
    """Return a duration in words.

    >>> duration(42), duration(600), duration(8000)
    ('42 s', '10 min', '2 h 13 min')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
