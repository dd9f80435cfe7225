"""Installation of the engine's packages, after the user has agreed, without blocking Slicer.

Slicer's own Python is served by Slicer's own functions, another Python by its pip. PyTorch is installed with
light-the-torch, as in Slicer's PyTorch extension, which picks the build that suits the graphics driver; an
existing PyTorch, such as one from that extension, is kept.
"""

from __future__ import annotations

import subprocess
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import slicer
from slicer.i18n import tr as _
from textsegment.errors import DependencyMissingError

from TextSegmentLib.engine.child_process import LineProcess
from TextSegmentLib.engine.interpreter import Interpreter
from TextSegmentLib.engine.requirements import name_of, needs_torch

_TORCH_CHOOSER = "light-the-torch>=0.8"
_LINES_OF_LOG = 2000


@dataclass(frozen=True)
class Step:
    """A call of a Python module: ``python -m module arguments``."""

    module: str
    arguments: tuple[str, ...]


class InstallState(StrEnum):
    """State of an installation."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


def question(requirements: Sequence[str], interpreter: Interpreter, wheels: Path | None) -> str:
    """Return the text that the user has to agree to: which packages, from where, and into which Python."""
    source = _("the internet (pypi.org, pytorch.org)")
    size = _(" PyTorch alone has up to three gigabytes.") if needs_torch(requirements) else ""
    if wheels:
        source, size = _("the folder {folder}").format(folder=wheels), ""
    return _(
        "{count} Python packages will be installed from {source} into {target}.{size}\n\n{packages}"
    ).format(
        count=len(requirements),
        source=source,
        target=_("Slicer's own Python") if interpreter.is_slicers else interpreter.executable,
        size=size,
        packages=", ".join(requirements),
    )


def steps_for(
    requirements: Sequence[str],
    *,
    broken: Collection[str] = (),
    wheels: Path | None = None,
    proxy: str = "",
) -> tuple[Step, ...]:
    """Return the steps that install packages.

    Args:
        requirements: Missing and broken requirements, such as ``torch>=2.10``.
        broken: Those of the requirements that are installed, but have to be reinstalled.
        wheels: Folder that holds all the wheels, to install without the network; None for the package index.
        proxy: Proxy, such as ``http://proxy:3128``; empty for the system's.
    """
    options = ["install", "--no-input", "--disable-pip-version-check"]
    if set(requirements) & set(broken):
        options.append("--force-reinstall")  # else pip keeps what is installed
    if wheels:
        return (Step("pip", (*options, "--no-index", "--find-links", str(wheels), *requirements)),)
    if proxy:
        options += ["--proxy", proxy]
    torch = [line for line in requirements if name_of(line) == "torch"]
    rest = [line for line in requirements if line not in torch]
    steps = []
    if torch:
        steps.append(Step("pip", (*options, _TORCH_CHOOSER)))
        steps.append(Step("light_the_torch", (*options, *torch)))
    if rest:
        steps.append(Step("pip", (*options, *rest)))
    return tuple(steps)


class Installation:
    """Runner of installation steps, one after the other; poll ``look`` while the state is ``running``.

    Args:
        interpreter: Python to install into.
        steps: Steps to run, at least one, from ``steps_for``.

    Raises:
        SettingsError: The interpreter cannot be run.
    """

    def __init__(self, interpreter: Interpreter, steps: Sequence[Step]) -> None:
        self._interpreter = interpreter
        self._left = list(steps)
        self._lines: deque[str] = deque(maxlen=_LINES_OF_LOG)
        self._process: LineProcess | None = None
        self._exit_code: int | None = None
        self._is_cancelled = False
        self.state = InstallState.RUNNING
        self._begin()

    @property
    def log(self) -> str:
        """Output so far."""
        return "\n".join([*self._lines, *(self._process.lines if self._process else ())])

    @property
    def last_line(self) -> str:
        """Last line of the output, or a sentence saying that the installation is being stopped."""
        if self._is_cancelled:
            return _("Stopping when this step has ended…")
        return self.log.rpartition("\n")[2]

    @property
    def error(self) -> DependencyMissingError | None:
        """Error that the installation failed with; None if it did not fail."""
        if self.state is not InstallState.FAILED:
            return None
        if self._is_cancelled:
            return DependencyMissingError(
                _("The installation was stopped."), _("What was installed before stays; install again.")
            )
        return DependencyMissingError(
            _("The packages could not be installed."),
            _("The log says why: often no network, a proxy, or too little room on the disk."),
        )

    def look(self) -> InstallState:
        """Begin the next step if the current one has ended, and return the state."""
        code = self._process.exit_code if self._process else self._exit_code
        if self.state is InstallState.RUNNING and code is not None:
            self._end_step(code)
        return self.state

    def cancel(self) -> None:
        """Stop; a step that Slicer itself runs continues to its end, but no further step begins."""
        if self.state is InstallState.RUNNING:
            self._is_cancelled = True
            self._left.clear()
            if self._process is not None:
                self._process.kill()

    def _begin(self) -> None:
        step = self._left.pop(0)
        self._exit_code = None
        self._lines.append(f"python -m {step.module} {' '.join(step.arguments)}")
        if self._interpreter.is_slicers:
            self._run_in_slicer(step)
        else:
            command = [self._interpreter.executable, "-m", step.module, *step.arguments]
            self._process = LineProcess(command, self._interpreter.environment())

    def _run_in_slicer(self, step: Step) -> None:
        callbacks = {"logCallback": self._lines.append, "completedCallback": self._completed}
        if step.module != "pip":
            slicer.util.executePythonModule(step.module, list(step.arguments), blocking=False, **callbacks)
            return
        from slicer import packaging

        arguments = list(step.arguments[1:])  # pip_install adds "install" itself
        try:
            packaging.pip_install(arguments, blocking=False, show_progress=False, **callbacks)
        except (subprocess.CalledProcessError, RuntimeError) as error:  # another one may be in progress
            self._lines.append(str(error))
            self._exit_code = 1
        if slicer.app.testingEnabled() and self._exit_code is None:
            self._exit_code = 0  # in test mode Slicer waits for pip and skips the callback

    def _completed(self, exit_code: int) -> None:
        self._exit_code = exit_code

    def _end_step(self, exit_code: int) -> None:
        if self._process is not None:
            self._lines.extend(self._process.lines)
            self._process = None
        if exit_code != 0 or self._is_cancelled:
            self.state = InstallState.FAILED
        elif self._left:
            self._go_on()
        else:
            self.state = InstallState.DONE

    def _go_on(self) -> None:
        """Begin the next step; if that fails, the installation has failed rather than running forever."""
        try:
            self._begin()
        except Exception as error:  # noqa: BLE001 - logged, and reported as a failed installation
            self._lines.append(f"{type(error).__name__}: {error}")
            self.state = InstallState.FAILED
