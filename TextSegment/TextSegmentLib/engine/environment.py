"""Contents of the Python that runs the engine: packages, devices, memory, models."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slicer.i18n import tr as _
from textsegment.errors import SettingsError
from textsegment.model.needs import needed_gb

from TextSegmentLib.background import BackgroundTask
from TextSegmentLib.engine.child_process import launch
from TextSegmentLib.engine.interpreter import Interpreter
from TextSegmentLib.engine.requirements import engine_requirements

_OLDEST = (3, 10)
_PATIENCE_S = 180.0  # PyTorch on a slow disk


@dataclass(frozen=True)
class Device:
    """Device that the engine can compute on.

    Attributes:
        name: Name of the device, such as ``cpu``, ``cuda:0`` or ``mps``.
        free_gb: Free memory, in GB.
        total_gb: Total memory, in GB.
    """

    name: str
    free_gb: float
    total_gb: float


@dataclass(frozen=True)
class Environment:
    """Packages, devices and models that a Python has.

    Attributes:
        python: Version of Python.
        missing: Requirements that are not met.
        devices: Devices that it can compute on; empty while packages are missing or broken.
        models: Names of the models whose weights are installed.
        broken: Requirements that are met by packages which cannot be imported.
        problems: Sentences for the user about what does not work, such as a busy graphics card.
        log: Failures and output of the probe.
    """

    python: tuple[int, ...]
    missing: tuple[str, ...]
    devices: tuple[Device, ...]
    models: tuple[str, ...]
    broken: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    log: str = ""

    @property
    def to_install(self) -> tuple[str, ...]:
        """Requirements to install or reinstall before the engine can start."""
        return (*self.missing, *self.broken)

    def memory_sentence(self, model: str, device: str) -> tuple[bool, str]:
        """Compare the memory that a model needs with the free memory of a device.

        Args:
            model: ``sat-demo``, ``sat-nano`` or ``sat-pro``.
            device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.

        Returns:
            Whether the model fits, and a sentence for the user.
        """
        place = self._place(device)
        if place is None:
            return False, _("There is no device {device} here.").format(device=device)
        needed = needed_gb(model, place.name)
        text = _("Needs about {needed:.0f} GB, {free:.0f} GB free ({device}).")
        return place.free_gb >= needed, text.format(needed=needed, free=place.free_gb, device=place.name)

    def _place(self, device: str) -> Device | None:
        by_name = {place.name: place for place in self.devices}
        wanted = {"auto": ("cuda:0", "mps", "cpu"), "cuda": ("cuda:0",)}.get(device, (device,))
        return next((by_name[name] for name in wanted if name in by_name), None)


def look_at(interpreter: Interpreter) -> BackgroundTask[Environment]:
    """Probe an interpreter in the background; the result of the task is an ``Environment``.

    The task fails with ``ProbeError`` if the executable is no Python, is too old, or does not answer.
    """
    command = [interpreter.executable, str(Path(__file__).with_name("probe.py"))]
    command.append(json.dumps(engine_requirements()))
    variables = interpreter.environment()
    return BackgroundTask(lambda _report, _cancel: _probe(command, variables)).start()


class ProbeError(SettingsError):
    """The chosen Python cannot be used.

    Attributes:
        log: Output that it printed.
    """

    def __init__(self, message: str, hint: str, log: str = "") -> None:
        super().__init__(message, hint)
        self.log = log


def _probe(command: Sequence[str], variables: dict[str, str]) -> Environment:
    process = launch(command, variables, errors_apart=True)
    try:
        output, printed = process.communicate(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired as error:
        process.kill()
        _output, printed = process.communicate()
        raise ProbeError(
            _("This Python has not answered for {seconds} seconds.").format(seconds=round(_PATIENCE_S)),
            _("Try again; if that does not help, choose another one."),
            printed,
        ) from error
    try:
        found = json.loads(output.splitlines()[-1])
        python = tuple(found["python"])
    except (ValueError, LookupError, TypeError) as error:
        raise ProbeError(
            _("This is no Python that can be used (exit code {code}).").format(code=process.returncode),
            _("Choose the executable of Python 3.10 or newer."),
            printed,
        ) from error
    if python < _OLDEST:
        version = ".".join(map(str, python))
        raise ProbeError(
            _("This is Python {version}.").format(version=version), _("Choose Python 3.10 or newer.")
        )
    failures: dict[str, str] = found.get("failures", {})
    return Environment(
        python=python,
        missing=tuple(found["missing"]),
        devices=tuple(
            Device(name, free / 1e9, total / 1e9) for name, free, total in found.get("devices", ())
        ),
        models=tuple(name for name, ready, _size in found.get("models", ()) if ready),
        broken=tuple(found.get("broken", ())),
        problems=tuple(_problem(what, why) for what, why in failures.items()),
        log="\n".join([*(f"{what}: {why}" for what, why in failures.items()), printed]).strip(),
    )


def _problem(what: str, why: str) -> str:
    """Return a sentence for the user on a failure, by the probe's name for it; ``why`` is in the log too."""
    sentences = {
        "models": _("The weights of the models cannot be looked at: {why}"),
        "memory": _("How much memory is free is not known: {why}"),
        "mps": _("Apple graphics does not answer: {why}"),
    }
    if what.startswith("cuda"):
        text = _("The graphics card {what} does not answer; another program may be using it: {why}")
    else:
        text = sentences.get(what, _("The package {what} is installed, but cannot be loaded: {why}"))
    return text.format(what=what, why=why)
