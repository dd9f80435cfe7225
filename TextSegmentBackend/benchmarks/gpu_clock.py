"""Time and memory of work on a device, and rows of tables, within the time limit of a whole run."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable

import torch

from textsegment.errors import TextSegmentError
from textsegment.inference.device import release_memory

RUNS = 3
LIMIT_S = 450.0


class Clock:
    """Measures time and memory on a device, and keeps the time limit of the whole run."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._start = time.perf_counter()

    @property
    def is_over(self) -> bool:
        """Whether the time limit is reached, so that no further row may begin."""
        return time.perf_counter() - self._start > LIMIT_S

    def seconds(self, action: Callable[[], object], runs: int = RUNS) -> tuple[float, float, float]:
        """Return the seconds of the first call and of later ones (median), and the peak memory in GB."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        times = []
        for _ in range(runs + 1):
            start = time.perf_counter()
            action()
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            times.append(time.perf_counter() - start)
        peak = torch.cuda.max_memory_allocated(self.device) / 1e9 if self.device.type == "cuda" else 0.0
        return times[0], statistics.median(times[1:]), peak

    def row(self, name: str, make: Callable[[], str]) -> None:
        """Print a row of a table, or why it failed."""
        if self.is_over:
            print(f"| {name} | left out: no time |")
            return
        try:
            answer = make()
        except (RuntimeError, TextSegmentError, MemoryError, ImportError) as error:
            answer = f"failed: {type(error).__name__}: {str(error).splitlines()[0][:150]}"
        gc.collect()
        release_memory(self.device)
        print(f"| {name} | {answer} |", flush=True)
