"""What the Python that runs the engine has: packages, devices, memory, models."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slicer.i18n import tr as _
from textsegment.errors import SettingsError
from textsegment.model.needs import needed_gb

from TextSegmentLib import bundle
from TextSegmentLib.background import BackgroundTask
from TextSegmentLib.engine.child_process import launch
from TextSegmentLib.engine.interpreter import Interpreter

_EXTRAS = ("engine", "server")
_OLDEST = (3, 10)
_PATIENCE_S = 180.0  # PyTorch on a slow disk


@dataclass(frozen=True)
class Device:
    """Where the engine can compute.

    Attributes:
        name: ``cpu``, ``cuda:0``, ``mps``.
        free_gb: Free memory.
        total_gb: All its memory.
    """

    name: str
    free_gb: float
    total_gb: float


@dataclass(frozen=True)
class Environment:
    """What was found.

    Attributes:
        python: Version.
        missing: Requirements that are not met.
        devices: Where it can compute; empty while packages are missing.
        models: Names of the models whose weights are here.
    """

    python: tuple[int, ...]
    missing: tuple[str, ...]
    devices: tuple[Device, ...]
    models: tuple[str, ...]

    @property
    def lacks_torch(self) -> bool:
        """Whether PyTorch is missing, or too old."""
        return any(requirement.startswith("torch>") for requirement in self.missing)

    def memory_sentence(self, model: str, device: str) -> tuple[bool, str]:
        """Say whether a model fits the memory of a device.

        Args:
            model: ``sat-demo``, ``sat-nano`` or ``sat-pro``.
            device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.

        Returns:
            Whether it fits, and a sentence for the user.
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


def requirements() -> tuple[str, ...]:
    """Return what the engine needs, from the one list there is: the backend's own.

    Raises:
        ImportError: The extension is not complete.
    """
    text = (bundle.backend_source().parent / "pyproject.toml").read_text("utf-8")
    project = tomllib.loads(text)["project"]
    extras = project["optional-dependencies"]
    listed = [*project["dependencies"], *(line for extra in _EXTRAS for line in extras[extra])]
    return tuple(dict.fromkeys(listed))


def look_at(interpreter: Interpreter) -> BackgroundTask:
    """Find out, in the background, what an interpreter has; the result of the job is an ``Environment``.

    It fails with SettingsError where there is no Python, or one that is too old.
    """
    command = [interpreter.executable, str(Path(__file__).with_name("probe.py"))]
    command.append(json.dumps(requirements()))
    variables = interpreter.environment()
    return BackgroundTask(lambda _report, _cancel: _probe(command, variables)).start()


def _probe(command: Sequence[str], variables: dict[str, str]) -> Environment:
    process = launch(command, variables, errors_apart=True)
    try:
        output, _errors = process.communicate(timeout=_PATIENCE_S)
        found = json.loads(output.splitlines()[-1])
        python = tuple(found["python"])
    except (subprocess.TimeoutExpired, ValueError, LookupError, TypeError) as error:
        process.kill()
        process.communicate()
        raise SettingsError(
            _("This is no Python that can be used."), _("Choose the executable of Python 3.10 or newer.")
        ) from error
    if python < _OLDEST:
        version = ".".join(map(str, python))
        raise SettingsError(
            _("This is Python {version}.").format(version=version), _("Choose Python 3.10 or newer.")
        )
    return Environment(
        python=python,
        missing=tuple(found["missing"]),
        devices=tuple(
            Device(name, free / 1e9, total / 1e9) for name, free, total in found.get("devices", ())
        ),
        models=tuple(name for name, ready, _size in found.get("models", ()) if ready),
    )
