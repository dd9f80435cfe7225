"""Segmenters that fail in the ways that hardware and programs do; made by name in worker processes."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from textsegment.doubt import Calibration
from textsegment.effort import WHOLE_IMAGE
from textsegment.errors import DeviceError, OutOfMemoryError
from textsegment.geometry import Box
from textsegment.segmentation import MaskStatistics, Segmentation, StructureMask
from textsegment.segmenter import CancelToken, MaskReady
from textsegment.testing import FakeSegmenter


class Failing(FakeSegmenter):
    """Fails behind the first mask, as often as its note in a file says.

    Args:
        note: File with the number of failures left, and of which kind they are if not of this one; shared
            by all workers.
        kind: ``device``, ``memory``, ``defect`` or ``killed``.
    """

    def __init__(self, note: str, kind: str = "device") -> None:
        super().__init__()
        self._note = Path(note)
        self._kind = kind

    def segment(self, volume, prompts, *, effort=WHOLE_IMAGE, on_event, cancel=None):
        def watched(event):
            on_event(event)
            if isinstance(event, MaskReady):
                self._fail_or_not()

        return super().segment(volume, prompts, on_event=watched, cancel=cancel)

    def _fail_or_not(self) -> None:
        left, *named = self._note.read_text().split()
        if left == "0":
            return
        self._note.write_text(" ".join([str(int(left) - 1), *named]))
        kind = named[0] if named else self._kind
        if kind == "device":
            raise DeviceError("The device has failed.", "It is being restarted.")
        if kind == "memory":
            raise OutOfMemoryError("Memory did not suffice.", "Ask for fewer structures.")
        if kind == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise ZeroDivisionError("PATIENT^NAME")


class Hanging(FakeSegmenter):
    """Says nothing more behind the first event, and does not end when told to, as often as its note says.

    Args:
        note: File with the number of jobs left that hang.
    """

    def __init__(self, note: str) -> None:
        super().__init__()
        self._note = Path(note)

    def segment(self, volume, prompts, *, effort=WHOLE_IMAGE, on_event, cancel=None):
        def watched(event):
            on_event(event)
            left = int(self._note.read_text())
            self._note.write_text(str(max(0, left - 1)))
            while left:
                time.sleep(1)

        return super().segment(volume, prompts, on_event=watched, cancel=cancel)


class Refused(FakeSegmenter):
    """Is refused memory in the ways that a CPU knows.

    Args:
        kind: ``numpy`` or ``python``.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._kind = kind

    def segment(self, volume, prompts, *, effort=WHOLE_IMAGE, on_event, cancel=None):
        if self._kind == "numpy":
            np.empty(2**55)
        return bytearray(2**62)


class Unloadable(FakeSegmenter):
    """Cannot be made."""

    def __init__(self) -> None:
        raise DeviceError("There is no such device.", "Choose another one.")


class Deaf(FakeSegmenter):
    """Does not hear that it should stop."""

    def segment(self, volume, prompts, *, effort=WHOLE_IMAGE, on_event, cancel=None):
        return super().segment(volume, prompts, on_event=on_event, cancel=CancelToken())


class Silent(FakeSegmenter):
    """Says nothing for a while, then works.

    Args:
        silence_s: How long.
    """

    def __init__(self, silence_s: float) -> None:
        super().__init__()
        self._silence_s = silence_s

    def segment(self, volume, prompts, *, effort=WHOLE_IMAGE, on_event, cancel=None):
        time.sleep(self._silence_s)
        return super().segment(volume, prompts, on_event=on_event, cancel=cancel)


class Doubtful(FakeSegmenter):
    """Finds what is as large as a kidney, and is unsure of all structures on the left."""

    def info(self):
        return replace(super().info(), calibration=Calibration(0.3, 0.4, 12, 200))

    def segment(self, volume, prompts, *, effort=WHOLE_IMAGE, on_event, cancel=None):
        def unsure(mask):
            share = 0.75 if "left" in mask.structure else 0.0
            return replace(mask, statistics=replace(mask.statistics, unsure_share=share, volume_ml=150.0))

        def say(event):
            on_event(MaskReady(unsure(event.mask)) if isinstance(event, MaskReady) else event)

        found = super().segment(volume, prompts, on_event=say, cancel=cancel)
        found = replace(found, masks=tuple(map(unsure, found)))
        calibration = self.info().calibration.to_values()
        return replace(found, provenance={**found.provenance, "calibration": calibration})


class Noisy(FakeSegmenter):
    """Finds noise all over the image: masks that do not shrink."""

    def segment(self, volume, prompts, *, effort=WHOLE_IMAGE, on_event, cancel=None):
        shape = volume.geometry.spatial_shape
        noise = np.random.default_rng(0).random(shape) < 0.5
        count = int(noise.sum())
        for prompt in prompts:
            statistics = MaskStatistics(count, 1.0, 0.0, 0.75, True)
            on_event(MaskReady(StructureMask(prompt.text, Box((0, 0, 0), shape), noise, statistics)))
            cancel.raise_if_cancelled()
        return Segmentation(volume.geometry, (), {"model": "noise"})
