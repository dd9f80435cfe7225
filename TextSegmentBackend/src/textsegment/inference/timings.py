"""Time that a patch takes on this machine, stored so that it can be estimated beforehand."""

from __future__ import annotations

import contextlib
import json
from math import prod
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import torch

from textsegment.inference.device import CPU
from textsegment.inference.encode import encode_patch
from textsegment.inference.weights.store import home
from textsegment.model.sat import SAT

_FILE = "patch_seconds.json"
# Patch that is timed if no figure is known: small, and of a shape that every network accepts.
_TRIED = (64, 64, 32)
# Smaller patches take so little time that timing one is not worth it.
_LEAST_WORTH_TRYING = 32 * prod(_TRIED)


class PatchTimings:
    """Seconds that one patch takes, by model, device and precision.

    Args:
        network: Network on the device, in evaluation mode.
        digest: Digest of its weights.
        device: Device on which it computes.
        path: File in which figures are stored; None for one in TextSegment's folder.
    """

    def __init__(self, network: SAT, digest: str, device: torch.device, path: Path | None = None) -> None:
        self._network = network
        self._digest = digest
        self._device = device
        self._path = path or home() / _FILE
        self._measured: dict[torch.dtype, list[float]] = {}

    def seconds(self, precision: torch.dtype) -> float | None:
        """Return the approximate time that one patch takes, in seconds; None if unknown.

        May run a small patch to find out, once per machine.
        """
        if measured := self._measured.get(precision):
            return median(measured)
        kept = self._read().get(self._key(precision))
        if kept is None and self._is_worth_trying():
            kept = self._tried(precision)
            self._keep(precision, kept)
        return kept

    def note(self, precision: torch.dtype, seconds: float) -> None:
        """Record how long a patch took, in seconds."""
        self._measured.setdefault(precision, []).append(seconds)

    def keep(self) -> None:
        """Store the figures measured in this process for other processes."""
        for precision, measured in self._measured.items():
            self._keep(precision, median(measured))

    def _is_worth_trying(self) -> bool:
        return self._device == CPU and prod(self._network.config.patch_size) >= _LEAST_WORTH_TRYING

    def _tried(self, precision: torch.dtype) -> float:
        noise = np.random.default_rng(0).random(_TRIED, dtype=np.float32)
        begin = perf_counter()
        encode_patch(self._network, noise, self._device, precision)
        return (perf_counter() - begin) * prod(self._network.config.patch_size) / prod(_TRIED)

    def _key(self, precision: torch.dtype) -> str:
        threads = torch.get_num_threads() if self._device == CPU else 0
        name = str(precision).removeprefix("torch.")
        return f"{self._digest[:16]} {self._device.type} {name} {threads}"

    def _read(self) -> dict[str, float]:
        try:
            figures = json.loads(self._path.read_text(encoding="utf-8"))
            return {key: float(value) for key, value in figures.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}  # a lost figure is measured again

    def _keep(self, precision: torch.dtype, seconds: float) -> None:
        figures = self._read() | {self._key(precision): round(seconds, 3)}
        # If the folder is not writable, only a figure is lost.
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary = self._path.with_suffix(f".{id(self)}.tmp")
            temporary.write_text(json.dumps(figures, indent=1), encoding="utf-8")
            temporary.replace(self._path)
