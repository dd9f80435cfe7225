"""Setup of the local engine: its packages and the weights of the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _
from textsegment.errors import SettingsError, TextSegmentError

from TextSegmentLib.background import BackgroundTask
from TextSegmentLib.engine.environment import Environment, look_at
from TextSegmentLib.engine.installer import Installation, InstallState, question, steps_for
from TextSegmentLib.engine.weights_download import DownloadState, WeightsDownload
from TextSegmentLib.engine.weights_removal import remove_weights
from TextSegmentLib.panel.engine.local_choice import LocalChoice

_DEMO = "sat-demo"
_STEPS = 1000


class LocalSetup:
    """Inspects the engine's Python, installs packages and downloads weights, all in the background.

    Args:
        ui: Widgets of the panel, by name.
        choice: The user's choice of interpreter, model and device.
        on_error: Called with the error when an action fails.

    Attributes:
        environment: What the interpreter provides; None while that is not known.
        log: Output of the last inspection or installation.
    """

    def __init__(self, ui: Any, choice: LocalChoice, on_error: Callable[[TextSegmentError], None]) -> None:
        self._ui = ui
        self._choice = choice
        self._on_error = on_error
        self._job: BackgroundTask[Environment] | None = None
        self._installation: Installation | None = None
        self._download: WeightsDownload | None = None
        self._removal: BackgroundTask[int] | None = None
        self._failure: TextSegmentError | None = None
        self._is_asking = False
        self.environment: Environment | None = None
        self.log = ""
        ui.interpreterEdit.currentPath = choice.interpreter_path
        ui.interpreterEdit.connect("currentPathChanged(QString)", self._interpreter_chosen)
        ui.wheelsEdit.currentPath = str(choice.wheels or "")
        ui.proxyEdit.text = choice.proxy
        ui.wheelsEdit.connect("currentPathChanged(QString)", choice.choose_wheels)
        ui.proxyEdit.connect("editingFinished()", lambda: choice.choose_proxy(ui.proxyEdit.text))
        ui.installButton.connect("clicked()", self._install)
        ui.downloadButton.connect("clicked()", self._fetch)
        ui.removeButton.connect("clicked()", self._remove)
        ui.engineCancelButton.connect("clicked()", self._cancel)
        self.show()

    @property
    def obstacle(self) -> str:
        """Reason why the engine cannot start yet; empty if it can."""
        if self._installation is not None:
            return _("being installed…")
        if self._download is not None:
            return _("downloading {model}…").format(model=self._choice.model)
        if self._removal is not None:
            return _("removing {model}…").format(model=self._choice.model)
        if self._failure is not None:
            return str(self._failure)
        if self.environment is None:
            return _("looking for it on this computer…")
        if self.environment.missing:
            return _("not installed.")
        if self.environment.broken:
            return " ".join(self.environment.problems)
        if self._choice.model not in self.environment.models:
            return _("{model} has to be downloaded first.").format(model=self._choice.model)
        return ""

    @property
    def remedy(self) -> str:
        """Label of the link that removes the obstacle; empty if there is no remedy."""
        if self._has_task or self.environment is None or self._failure is not None:
            return ""
        if self.environment.to_install:
            return _("Install…")
        return "" if self._choice.model in self.environment.models else _("Download…")

    def remove_obstacle(self) -> None:
        """Install or download what is missing, after asking the user."""
        if self.remedy and self.environment is not None and self.environment.to_install:
            self._install()
        elif self.remedy:
            self._fetch()

    @property
    def is_busy(self) -> bool:
        """Whether a background task is running."""
        return self._job is not None or self._has_task

    @property
    def may_start(self) -> bool:
        """Whether the engine can start, as far as is known."""
        return not self.obstacle or (self.environment is None and not self._has_task)

    @property
    def memory_warning(self) -> str:
        """Warning if the model does not fit in memory; otherwise empty."""
        fits, sentence = self._memory()
        return "" if fits else sentence

    def look(self) -> None:
        """Inspect the interpreter, unless it is already known to be complete."""
        if self.environment is None or self.environment.to_install or self.environment.problems:
            self.look_again()

    def look_again(self) -> None:
        """Inspect the interpreter and the free memory again."""
        if self._job is None and self._installation is None:
            self._failure = None
            self._job = look_at(self._choice.interpreter)
            self.show()

    def watch(self) -> None:
        """Process the results of background tasks."""
        if self._job is not None and self._job.is_over:
            self._take_environment(self._job)
        if self._installation is not None and self._installation.look() is not InstallState.RUNNING:
            self._end_installation(self._installation)
        if self._download is not None:
            self._go_on_with_download(self._download)
        if self._removal is not None and self._removal.is_over:
            self._end_removal(self._removal)
        if self._has_task:
            self._show_progress()

    def show(self) -> None:
        """Show what is installed, and enable the actions that are currently possible."""
        environment, has_task = self.environment, self._has_task
        self._ui.installStateLabel.text = self._installed()
        lacks_packages = environment is not None and bool(environment.to_install)
        self._ui.installButton.visible = lacks_packages
        self._ui.installButton.enabled = not has_task
        has_weights = environment is not None and self._choice.model in environment.models
        self._ui.downloadButton.visible = self._choice.model != _DEMO and not has_weights
        self._ui.downloadButton.enabled = not has_task and environment is not None and not lacks_packages
        self._ui.removeButton.visible = self._choice.model != _DEMO and has_weights
        self._ui.removeButton.enabled = not has_task
        _fits, sentence = self._memory()
        self._ui.memoryStateLabel.text = sentence
        for widget in (self._ui.memoryLabel, self._ui.memoryStateLabel):
            widget.visible = bool(sentence)
        for widget in (self._ui.engineProgressBar, self._ui.engineProgressLabel):
            widget.visible = has_task
        self._ui.engineCancelButton.visible = has_task and self._removal is None

    @property
    def _has_task(self) -> bool:
        return any(task is not None for task in (self._installation, self._download, self._removal))

    def _memory(self) -> tuple[bool, str]:
        """Return whether the model fits in memory, and a sentence about it; empty if not known."""
        if self.environment is None or not self.environment.devices:
            return True, ""
        fits, sentence = self.environment.memory_sentence(self._choice.model, self._choice.device)
        return fits, sentence if fits else _("{sentence} It may fail.").format(sentence=sentence)

    def _installed(self) -> str:
        if self._failure is not None:
            return str(self._failure)
        if self.environment is None:
            return _("looking…") if self._job is not None else _("not looked at yet")
        if self.environment.missing:
            return _("packages missing: {count}").format(count=len(self.environment.missing))
        version = ".".join(map(str, self.environment.python))
        return " ".join(
            [_("installed (Python {version})").format(version=version), *self.environment.problems]
        )

    def _interpreter_chosen(self, path: str) -> None:
        """Accept a new interpreter; called on every keystroke, so only existing files are inspected."""
        path = path.strip()
        if path == self._choice.interpreter_path:
            return
        self._choice.choose_interpreter(path)
        self.environment = self._job = None
        if not path or Path(path).is_file():
            self.look()
        else:
            self._failure = SettingsError(
                _("There is no such file."), _("Choose the executable of a Python.")
            )
            self.show()

    def _take_environment(self, job: BackgroundTask[Environment]) -> None:
        try:
            self.environment = job.result()
            self.log = self.environment.log or self.log
        except TextSegmentError as error:
            self._failure = error
            self.log = getattr(error, "log", "") or self.log
        self._job = None
        self.show()

    def _install(self) -> None:
        interpreter, wheels, environment = self._choice.interpreter, self._choice.wheels, self.environment
        if environment is None:
            return
        text = question(environment.to_install, interpreter, wheels)
        if not slicer.util.confirmOkCancelDisplay(text, _("Install the engine?")):
            return
        steps = steps_for(
            environment.to_install, broken=environment.broken, wheels=wheels, proxy=self._choice.proxy
        )
        try:
            self._installation = Installation(interpreter, steps)
        except TextSegmentError as error:
            self._on_error(error)
        self.show()

    def _end_installation(self, installation: Installation) -> None:
        self.log, self._installation, self.environment = installation.log, None, None
        if installation.error is not None:
            self._on_error(installation.error)
        self.look()

    def _fetch(self) -> None:
        choice = self._choice
        try:
            self._download = WeightsDownload(choice.interpreter, choice.model, proxy=choice.proxy)
        except TextSegmentError as error:
            self._on_error(error)
        self.show()

    def _go_on_with_download(self, download: WeightsDownload) -> None:
        if download.look() is DownloadState.ASKING:
            self._ask_about(download)
        elif download.is_over:
            self._download = self.environment = None
            if download.error is not None:
                self._on_error(download.error)
            self.look()

    def _ask_about(self, download: WeightsDownload) -> None:
        """Ask for consent to a download, only once: timers keep firing while the dialog is open."""
        if self._is_asking:
            return
        self._is_asking = True
        agrees = slicer.util.confirmOkCancelDisplay(download.offer, _("Download the model?"))
        self._is_asking = False
        if agrees:
            download.agree()
        else:
            download.cancel()
            self._download = None
            self.show()

    def _remove(self) -> None:
        model = self._choice.model
        text = _("Remove the weights of {model} from this computer? They can be downloaded again.")
        if slicer.util.confirmOkCancelDisplay(text.format(model=model), _("Remove the model?")):
            self._removal = remove_weights(self._choice.interpreter, model)
            self.show()

    def _end_removal(self, removal: BackgroundTask[int]) -> None:
        self._removal = self.environment = None
        try:
            removal.result()
        except TextSegmentError as error:
            self._on_error(error)
        self.look()

    def _cancel(self) -> None:
        for task in (self._installation, self._download):
            if task is not None:
                task.cancel()

    def _show_progress(self) -> None:
        if self._download is not None:
            text = self._download.file or _("asking for the files…")
            self._ui.engineProgressBar.maximum = _STEPS
            self._ui.engineProgressBar.value = round(self._download.fraction * _STEPS)
        else:
            text = self._installation.last_line if self._installation is not None else _("removing…")
            self._ui.engineProgressBar.maximum = 0  # indeterminate
        metrics = qt.QFontMetrics(self._ui.engineProgressLabel.font)
        width = self._ui.engineProgressLabel.width
        self._ui.engineProgressLabel.text = metrics.elidedText(text, qt.Qt.ElideRight, width)
