"""Self-test of a model on this computer: weights, numbers, and masks of a real scan."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import textsegment
from textsegment.caution import Caution
from textsegment.errors import SelfTestError, WeightsError
from textsegment.files.reading import read_volume
from textsegment.files.report.summary import make_report
from textsegment.files.sample import sample_scan
from textsegment.inference.engine import LocalSegmenter
from textsegment.inference.estimate import Estimate, estimate
from textsegment.inference.selftest.check import Check
from textsegment.inference.selftest.machine import describe_machine, peak_memory_bytes
from textsegment.inference.selftest.numbers import SHAPE, compare_numbers
from textsegment.inference.selftest.sample import EXPECTED
from textsegment.inference.selftest.sense import judge
from textsegment.inference.weights.models import LoadedModel
from textsegment.segmentation import Segmentation
from textsegment.volume import Volume

MOST_FAILED = 3
"""Number of checks that may fail if none of them is vital: a weak organ is no fault of an installation."""

OnStep = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class SelfTest:
    """Outcome of a self-test.

    Attributes:
        passed: Whether the model can be used.
        checks: What was checked, in order.
        report: Everything about it for a bug report, without paths, names of computers or data of patients.
        volume: The sample scan.
        segmentation: Its masks; None if there are none to show.
    """

    passed: bool
    checks: tuple[Check, ...]
    report: dict[str, Any]
    volume: Volume
    segmentation: Segmentation | None

    def require_passed(self) -> None:
        """Refuse a model that failed.

        Raises:
            SelfTestError: The model failed; the message names the checks.
        """
        if self.passed:
            return
        failed = [check for check in self.checks if not check.passed]
        vital = [check for check in failed if check.is_vital] or failed
        reasons = "; ".join(f"{check.name}: {check.finding}" for check in vital)
        raise SelfTestError(
            f"Do not use this model as it is: {len(failed)} of {len(self.checks)} checks failed ({reasons}).",
            "Fetch or import its weights again: a network and its text encoder belong together. If that does "
            "not help, attach selftest.json to a report.",
        )


def run_selftest(
    model: LoadedModel | str = "sat-demo",
    *,
    device: str = "auto",
    precision: str = "auto",
    on_step: OnStep = lambda sentence: None,
) -> SelfTest:
    """Test a model.

    Checksums and layout are checked as the weights are loaded. Then numbers of a fixed input are compared,
    and the sample chest CT is segmented and judged.

    Args:
        model: Name of the model, or a loaded one.
        device: Device to compute on; see ``LocalSegmenter``.
        precision: Precision of the image network; see ``LocalSegmenter``.
        on_step: Callback for sentences about what comes next, how long it takes and how much memory.

    Raises:
        WeightsError: The weights are missing, changed, or do not fit the network.
        DeviceError: The device is not available.
        DependencyMissingError: The package with the sample scan is not installed.
        OutOfMemoryError: There is not enough memory for the model.
    """
    volume = read_volume(sample_scan(), modality="CT")
    watch = _Watch()
    segmenter = LocalSegmenter(model, device=device, precision=precision)
    watch.lap("load")
    checks = [Check("checksum and layout of the weights", True, segmenter.model.digest, is_vital=True)]
    cost = estimate(volume, segmenter.config, segmenter)
    on_step(f"{segmenter.model.name} on {segmenter.device.type}: {_said_of(cost)}.")
    segmentation, seconds = None, cost.seconds
    try:
        numbers = compare_numbers(segmenter)
        checks += numbers.checks
        watch.seconds |= {"numbers_plain": numbers.plain_s, "numbers_chosen": numbers.chosen_s}
        watch.restart()
        if seconds is None:
            seconds = numbers.chosen_s * cost.patches * _patch_ratio(segmenter)
            on_step(f"The scan takes {_duration(seconds)}.")
        segmentation = segmenter.segment(volume, [one.structure for one in EXPECTED])
        watch.lap("segment")
        checks += judge(segmentation)
    except WeightsError as error:
        checks.append(Check("numbers are finite", False, error.message, is_vital=True))
    passed = is_good(checks)
    report = {
        "format": 1,
        "passed": passed,
        "model": segmenter.model.name,
        "weights_sha256": segmenter.model.digest,
        "version": textsegment.__version__,
        "precision": str(segmenter.precision).removeprefix("torch."),
        "machine": describe_machine(segmenter.device),
        "checks": [vars(check) for check in checks],
        "scan": None if segmentation is None else _of_scan(volume, segmentation),
        "expected": {"patches": cost.patches, "seconds": seconds, "memory_bytes": cost.memory_bytes},
        "timings_s": {step: round(value, 2) for step, value in watch.seconds.items()},
        "peak_memory_bytes": peak_memory_bytes(segmenter.device),
    }
    return SelfTest(passed, tuple(checks), report, volume, segmentation)


def is_good(checks: Sequence[Check]) -> bool:
    """Return whether no vital check failed, and no more than ``MOST_FAILED`` of the others."""
    failed = [check for check in checks if not check.passed]
    return len(failed) <= MOST_FAILED and not any(check.is_vital for check in failed)


def _of_scan(volume: Volume, segmentation: Segmentation) -> dict[str, Any]:
    report = make_report(volume, segmentation)
    expected = {one.structure for one in EXPECTED if not one.is_present}
    for entry in report["structures"]:  # that a structure is not found is right for those
        name = entry["name"]
        if name in expected:
            entry["warnings"] = [w for w in entry["warnings"] if w != Caution("not_found", structure=name)]
    return report


def _said_of(cost: Estimate) -> str:
    memory = "" if cost.memory_bytes is None else f", about {cost.memory_bytes / 2**30:.1f} GiB of memory"
    later = "the time is said when the numbers of a small input are there"
    return f"{cost.patches} patches{memory}, {later if cost.seconds is None else _duration(cost.seconds)}"


def _duration(seconds: float) -> str:
    return f"about {seconds:.0f} s" if seconds < 90 else f"about {seconds / 60:.0f} min"


def _patch_ratio(segmenter: LocalSegmenter) -> float:
    """Return how much larger a patch is than the fixed input."""
    ratio = 1.0
    for size, fixed in zip(segmenter.config.patch_size, SHAPE, strict=True):
        ratio *= size / fixed
    return ratio


class _Watch:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.restart()

    def restart(self) -> None:
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self.seconds[step] = now - self._last
        self._last = now
