"""A run in a folder that goes on at its last checkpoint exactly as it would have."""

from __future__ import annotations

import pickle
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from textsegment.errors import CheckpointError, SettingsError
from textsegment.files.disk.atomic import atomic_output, make_folder

LAST = "last.pt"
_DAMAGE = (pickle.UnpicklingError, RuntimeError, EOFError, OSError, KeyError, TypeError, ValueError)

Report = Callable[[str], None]


class Kept(Protocol):
    """What a checkpoint holds: a module or an optimizer."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any:
        """Restore the state."""
        ...


class ResumableRun(ABC):
    """A run of a number of steps, which is the same whether it was interrupted or not.

    A subclass says what a step learns, which must be a function of ``step`` and of what ``kept`` and
    ``progress`` return alone, and calls ``resume`` at the end of its initialiser.

    Args:
        folder: Folder of the run; an unfinished run in it goes on.
        steps: Number of steps.
        checkpoint_every: Steps between checkpoints.
        report: Callback for one line of progress at a time.
        writes: Whether this process writes checkpoints: one of several that train together does.

    Attributes:
        step: Number of steps that have been taken.
    """

    def __init__(
        self, folder: Path, *, steps: int, checkpoint_every: int, report: Report, writes: bool = True
    ) -> None:
        self.folder, self.report, self.step = folder, report, 0
        self._steps, self._checkpoint_every, self._writes = steps, checkpoint_every, writes

    @property
    @abstractmethod
    def identity(self) -> Mapping[str, str]:
        """Settings and data without which a run would be another one, by name."""

    @abstractmethod
    def kept(self) -> Mapping[str, Kept]:
        """Return the modules and optimizers of the run, by name."""

    @abstractmethod
    def learn(self) -> float:
        """Learn from the data of the present step, and return the loss."""

    @abstractmethod
    def finish(self) -> Path:
        """Finish the run after its last step, with a checkpoint, and return the file that it has made."""

    def progress(self) -> dict[str, Any]:
        """Return plain values that a checkpoint holds besides."""
        return {}

    def restore(self, progress: Mapping[str, Any]) -> None:  # noqa: B027 - a run may have none
        """Take back what ``progress`` returned."""

    def begin(self) -> None:  # noqa: B027 - optional
        """Prepare the steps, before the first one in this process."""

    def after_step(self, loss: float) -> None:  # noqa: B027 - optional
        """Report and measure after a step, before its checkpoint."""

    @property
    def is_over(self) -> bool:
        """Whether no step is left to take."""
        return self.step >= self._steps

    def run(self) -> Path:
        """Take all steps that are left; return the file that the run has made."""
        make_folder(self.folder)
        self.begin()
        while not self.is_over:
            self.after_step(self.take_step())
            if self.step % self._checkpoint_every == 0:
                self.save()
        return self.finish()

    def take_step(self) -> float:
        """Take one step and return its loss."""
        loss = self.learn()
        self.step += 1
        return loss

    def save(self) -> None:
        """Write a checkpoint; an interrupted write leaves the one before."""
        if not self._writes:
            return
        make_folder(self.folder)
        states = {name: each.state_dict() for name, each in self.kept().items()}
        content = states | {
            "step": self.step,
            "progress": self.progress(),
            "settings": dict(self.identity),
        }
        with atomic_output(self.folder / LAST) as path:
            torch.save(content, path)

    def resume(self, device: torch.device | None = None) -> None:
        """Go on at the last checkpoint of the folder, if there is one.

        Raises:
            SettingsError: It belongs to a run with other settings or data.
            CheckpointError: It is damaged, or does not fit.
        """
        content = _read(self.folder / LAST, device or torch.device("cpu"))
        if content is None:
            return
        before, now = content["settings"], self.identity
        changed = [name for name in now if before.get(name) != now[name]]
        if changed:
            raise SettingsError(
                f"The run in this folder was begun with other settings: {', '.join(changed)}.",
                "Give the same ones, or another folder.",
            )
        try:
            for name, each in self.kept().items():
                each.load_state_dict(content[name])
            self.step = int(content["step"])
            self.restore(content["progress"])
        except _DAMAGE as error:
            raise CheckpointError(
                "The run in this folder has another architecture or other structures.", "Give another folder."
            ) from error
        self.report(f"resumed at step {self.step}")


def _read(path: Path, device: torch.device) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        content: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        content["settings"], content["step"]
    except _DAMAGE as error:
        raise CheckpointError(f"{path.name} is damaged.", "Remove it to begin again.") from error
    return content


def use_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all parameters of an optimizer."""
    for group in optimizer.param_groups:
        group["lr"] = rate
