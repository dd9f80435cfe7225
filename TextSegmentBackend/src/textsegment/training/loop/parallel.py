"""Several processes that train one model together, each on its share of every batch (DDP)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.multiprocessing.spawn import spawn

from textsegment.errors import SettingsError
from textsegment.training.network.learner import Learner

Work = Callable[..., None]
"""Function of a module that takes the processes, a callback for lines of progress, and arguments."""


@dataclass(frozen=True)
class Processes:
    """The processes of a run, and which of them this is.

    Attributes:
        count: Number of processes.
        rank: Number of this one.
    """

    count: int = 1
    rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this process validates, reports and writes."""
        return self.rank == 0

    def places(self, batch: int) -> Sequence[int]:
        """Return the places of a batch that this process computes.

        Raises:
            SettingsError: The batch cannot be divided among the processes.
        """
        if batch % self.count:
            raise SettingsError(
                f"A batch of {batch} patches cannot be divided among {self.count} processes.",
                "Make it a multiple of their number.",
            )
        return range(self.rank, batch, self.count)

    def wrapped(self, learner: Learner) -> nn.Module:
        """Return a module that averages gradients over all processes."""
        if self.count == 1:
            return learner
        device = next(learner.parameters()).device
        ids = [device.index] if device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(learner, device_ids=ids)

    def without_exchange(self, module: nn.Module, wait: bool) -> Any:
        """Return a context in which gradients are not exchanged yet, if ``wait``."""
        return module.no_sync() if wait and self.count > 1 else nullcontext()  # type: ignore[operator]

    def gathered(self, value: Any) -> list[Any]:
        """Return the values of all processes, in order."""
        if self.count == 1:
            return [value]
        values: list[Any] = [None] * self.count
        dist.all_gather_object(values, value)
        return values

    def from_first(self, value: Any) -> Any:
        """Return the value of the first process."""
        if self.count == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values)
        return values[0]


def device_of(processes: Processes) -> torch.device:
    """Return the device of a process: a GPU of its own, or the processor."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", processes.rank)) % torch.cuda.device_count())


@contextmanager
def joined() -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started, on this machine or several; alone if it did not."""
    if "WORLD_SIZE" not in os.environ:
        yield Processes()
        return
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield Processes(dist.get_world_size(), dist.get_rank())
    finally:
        dist.destroy_process_group()


def launch(count: int, work: Work, *arguments: Any) -> None:
    """Run ``work(processes, report, *arguments)`` in several processes on this machine, and wait for them.

    The first process prints what it reports.

    Args:
        count: Number of processes.
        work: Function of a module, which each process imports.
        arguments: Further arguments, which are pickled.
    """
    with tempfile.TemporaryDirectory() as folder:
        meeting = (Path(folder) / "meeting").as_uri()
        spawn(_joined_work, (count, meeting, work, arguments), nprocs=count)  # type: ignore[no-untyped-call]


def _joined_work(rank: int, count: int, meeting: str, work: Work, arguments: tuple[Any, ...]) -> None:
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    torch.set_num_threads(max(1, torch.get_num_threads() // count))
    dist.init_process_group(backend, init_method=meeting, world_size=count, rank=rank)
    try:
        work(Processes(count, rank), _say if rank == 0 else say_nothing, *arguments)
    finally:
        dist.destroy_process_group()


def say_nothing(line: str) -> None:
    """Leave the report to the first process."""


def _say(line: str) -> None:
    print(line, flush=True)
