"""One training run from the command line, in one process or several."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from textsegment.datasets.data_set import DataSet
from textsegment.files.disk.atomic import make_folder
from textsegment.model.config import SATConfig
from textsegment.training.loop.parallel import Processes, joined, launch, say_nothing
from textsegment.training.loop.ray_processes import launch_on_ray
from textsegment.training.loop.resumable_run import Report
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

    def anywhere(self) -> Run:
        """Return the same run with paths that hold in any folder."""
        start = self.start_from
        if start is not None and Path(start).exists():
            start = str(Path(start).resolve())
        sets, replay = (tuple(each.resolve() for each in folders) for folders in (self.sets, self.replay))
        return replace(self, sets=sets, replay=replay, folder=self.folder.resolve(), start_from=start)


def train(run: Run, report: Report, *, processes: int = 1, on_ray: bool = False) -> Path:
    """Train, and return the weights file.

    Args:
        run: What to train.
        report: Callback for one line of progress at a time.
        processes: Number of processes on this machine, or of Ray. Processes that ``torchrun`` started find
            each other by themselves.
        on_ray: Whether the processes are those of Ray Train; see ``launch_on_ray``.
    """
    Processes(processes).places(run.settings.batch)  # refused here rather than in every process
    if on_ray:
        run = run.anywhere()
        make_folder(run.folder)
        launch_on_ray(processes, work, run, folder=run.folder, report=report)
    elif processes > 1:
        launch(processes, work, run)
    else:
        with joined() as together:
            work(together, report if together.is_first else say_nothing, run)
    return run.folder / f"{run.config.name}.safetensors"


def work(processes: Processes, report: Report, run: Run) -> None:
    """Train as one of several processes, or alone."""
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
