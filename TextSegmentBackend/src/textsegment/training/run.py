"""One training run from the command line, in one process or several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from textsegment.datasets.data_set import DataSet
from textsegment.model.config import SATConfig
from textsegment.training.loop.parallel import Processes, joined, launch
from textsegment.training.outcome.page import write_page
from textsegment.training.settings import TrainingSettings
from textsegment.training.trainer import Trainer


@dataclass(frozen=True)
class Run:
    """What is trained, from what, and where to.

    Attributes:
        config: Architecture of the network.
        settings: Recipe.
        sets: Folders of prepared sets.
        folder: Folder of the run.
        start_from: Name or path of trained weights to start from; None for random weights.
        replay: Folders of prepared sets to train on beside, against forgetting.
    """

    config: SATConfig
    settings: TrainingSettings
    sets: tuple[Path, ...]
    folder: Path
    start_from: str | None = None
    replay: tuple[Path, ...] = ()


def train(run: Run, report: Callable[[str], None], *, processes: int = 1) -> Path:
    """Train, and return the weights file.

    Args:
        run: What to train.
        report: Callback for one line of progress at a time.
        processes: Number of processes on this machine. Processes that ``torchrun`` started find each other
            by themselves.
    """
    if processes > 1:
        Processes(processes).places(run.settings.batch)  # refused here rather than in every process
        launch(processes, _work, run)
        return run.folder / f"{run.config.name}.safetensors"
    with joined() as together:
        return _trained(together, run, report if together.is_first else _say_nothing)


def _work(processes: Processes, run: Run) -> None:
    _trained(processes, run, _say if processes.is_first else _say_nothing)


def _trained(processes: Processes, run: Run, report: Callable[[str], None]) -> Path:
    trainer = Trainer(
        run.config,
        run.settings,
        [DataSet(folder) for folder in run.sets],
        run.folder,
        report,
        start_from=run.start_from,
        replay=[DataSet(folder) for folder in run.replay],
        processes=processes,
    )
    weights = trainer.run()
    report(f"The model is trained: {weights}")
    if processes.is_first:
        verdict = write_page(run.folder, run.config.name, run.settings)
        if verdict is not None:
            report(verdict.sentence)
    return weights


def _say(line: str) -> None:
    print(line, flush=True)


def _say_nothing(line: str) -> None:
    """Leave the report to the first process."""
