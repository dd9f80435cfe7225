"""Installs what the engine needs, after the user has agreed, without making Slicer wait.

In Slicer's own Python by Slicer's own functions; in another Python by its pip. PyTorch comes by
light-the-torch, as in Slicer's extension PyTorch, which chooses the build for the graphics driver; a PyTorch
that is there, such as one of that extension, is kept.
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
    """One call of a Python module: ``python -m module arguments``."""

    module: str
    arguments: tuple[str, ...]


class InstallState(StrEnum):
    """How an installation stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


def question(requirements: Sequence[str], interpreter: Interpreter, wheels: Path | None) -> str:
    """Return what the user has to agree to: what is installed, from where, and into what."""
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
    """Return what has to be run.

    Args:
        requirements: What is missing or broken, such as ``torch>=2.10``.
        broken: Those of them that are there and have to be installed anew.
        wheels: Folder with all wheels, to stay off the network.
        proxy: Such as ``http://proxy:3128``; empty for the system's.
    """
    options = ["install", "--no-input", "--disable-pip-version-check"]
    if set(requirements) & set(broken):
        options.append("--force-reinstall")  # else pip is content with what is there
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
    """Runs steps one after the other; call ``look`` now and then until the state is no more ``running``.

    Args:
        interpreter: Where to.
        steps: From ``steps_for``, at least one.

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
        """What was printed so far."""
        return "\n".join([*self._lines, *(self._process.lines if self._process else ())])

    @property
    def last_line(self) -> str:
        """What it is at."""
        if self._is_cancelled:
            return _("Stopping when this step has ended…")
        return self.log.rpartition("\n")[2]

    @property
    def error(self) -> DependencyMissingError | None:
        """Why it failed; None if it did not."""
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
        """Go on with the next step where one has ended; return how it stands."""
        code = self._process.exit_code if self._process else self._exit_code
        if self.state is InstallState.RUNNING and code is not None:
            self._end_step(code)
        return self.state

    def cancel(self) -> None:
        """Stop. A step that Slicer itself runs goes on to its end; no other one begins."""
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

        arguments = list(step.arguments[1:])  # it says "install" itself
        try:
            packaging.pip_install(arguments, blocking=False, show_progress=False, **callbacks)
        except (subprocess.CalledProcessError, RuntimeError) as error:  # such as another one that runs
            self._lines.append(str(error))
            self._exit_code = 1
        if slicer.app.testingEnabled() and self._exit_code is None:
            self._exit_code = 0  # in its test mode Slicer waits for pip, and calls nothing back

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
        """Begin the next step; if that cannot be, it is over, and not for ever at it."""
        try:
            self._begin()
        except Exception as error:  # noqa: BLE001 - it is in the log, and the installation has failed
            self._lines.append(f"{type(error).__name__}: {error}")
            self.state = InstallState.FAILED
