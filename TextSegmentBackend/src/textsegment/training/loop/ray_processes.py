"""Processes of Ray that train one model together: on this computer, or on the machines of a cluster."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from textsegment import own_ray
from textsegment.errors import DependencyMissingError, EngineLostError, TextSegmentError
from textsegment.training.loop.parallel import Processes, Work, say_nothing
from textsegment.training.loop.resumable_run import Report

FAILURES = 3
"""Number of times that a run goes on at its last checkpoint after a process or a machine was lost."""
_STORAGE = "ray"
_END = None


def launch_on_ray(
    count: int, work: Work, *arguments: Any, folder: Path, report: Report, failures: int = FAILURES
) -> None:
    """Run ``work(processes, report, *arguments)`` in several processes of Ray, and wait for them.

    If the environment variable ``RAY_ADDRESS`` is set, they run on that cluster, and have to see ``folder``
    and the sets under the same paths. Otherwise a Ray of our own is started on this computer and removed at
    the end. If a process is lost, all are started again, so ``work`` has to go on where it was.

    Args:
        count: Number of processes; each gets a GPU if there are any.
        work: Function of a module, which each process imports.
        arguments: Further arguments, which are pickled.
        folder: Folder of the run, in which Ray keeps its notes.
        report: Callback that is told what the first process reports.
        failures: Largest number of new starts.

    Raises:
        DependencyMissingError: Ray Train is not installed.
        TextSegmentError: The work raised it.
        EngineLostError: Processes were lost more often than ``failures`` allows.
    """
    if find_spec("ray") is None or find_spec("pyarrow") is None:
        raise DependencyMissingError(
            "Ray Train is not installed.", "Run `pip install 'textsegment[engine,train]'`."
        )
    with _ray(count), _lines_to(report) as lines:
        import ray
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchTrainer

        has_gpus = ray.cluster_resources().get("GPU", 0) >= 1
        cores = max(1, (os.cpu_count() or 1) // count) if own_ray.is_wanted() else 1
        trainer = TorchTrainer(
            _in_a_process,
            train_loop_config={"work": work, "arguments": arguments, "lines": lines},
            scaling_config=ScalingConfig(
                num_workers=count, use_gpu=has_gpus, resources_per_worker={"CPU": cores, "GPU": int(has_gpus)}
            ),
            run_config=RunConfig(
                name=_STORAGE,
                storage_path=str(folder.resolve()),
                failure_config=FailureConfig(max_failures=failures),
            ),
        )
        try:
            trainer.fit()
        except ray.train.v2.api.exceptions.TrainingFailedError as error:
            raise _cause(error) from error


def _in_a_process(config: dict[str, Any]) -> None:
    """Train as one of the processes; Ray has joined them."""
    import ray.train

    context = ray.train.get_context()
    processes = Processes(context.get_world_size(), context.get_world_rank())
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    config["work"](
        processes, config["lines"].put if processes.is_first else say_nothing, *config["arguments"]
    )


def _cause(error: Exception) -> TextSegmentError:
    """Return the typed error that a process raised, or one that says that processes were lost."""
    for failure in getattr(error, "worker_failures", {}).values():
        inner: object = failure
        while inner is not None:
            if isinstance(inner, TextSegmentError):
                return inner
            inner = getattr(inner, "_base_exc", None) or getattr(inner, "__cause__", None)
    return EngineLostError(
        "Processes of the training were lost again and again.",
        "Give the command again to go on at the last checkpoint.",
    )


@contextmanager
def _ray(count: int) -> Iterator[None]:
    """Join a cluster, or start a Ray of our own with room for some processes."""
    options: dict[str, Any] = {"namespace": "textsegment", "log_to_driver": False, "logging_level": "error"}
    folder: Path | None = None
    if own_ray.is_wanted():
        own_ray.set_environment()
        folder = Path(tempfile.mkdtemp(prefix="tsray-"))
        options |= own_ray.options(folder) | {"num_cpus": max(count, os.cpu_count() or 1)}
    import ray

    own_ray.init_ray(**options)
    own_ray.restore_signals()
    logging.getLogger("ray.train").setLevel(logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _lines_to(report: Report) -> Iterator[Any]:
    """Yield a queue whose lines are reported in this process, in a thread."""
    from ray.util.queue import Queue

    lines = Queue(actor_options={"num_cpus": 0})

    def take() -> None:
        while (line := lines.get()) is not _END:
            report(line)

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    try:
        yield lines
    finally:
        lines.put(_END)
        thread.join()
        lines.shutdown()
