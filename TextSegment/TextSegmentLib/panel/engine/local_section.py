"""The local engine: model, device, start and stop, and log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slicer.i18n import tr as _
from textsegment.errors import TextSegmentError
from textsegment.segmenter import ModelInfo, Segmenter

from TextSegmentLib.engine.server_process import ServerState, local_server
from TextSegmentLib.panel.engine.local_choice import MODELS, LocalChoice
from TextSegmentLib.panel.engine.local_setup import LocalSetup
from TextSegmentLib.panel.engine.log_window import LogWindow

_DEVICES = ("auto", "cpu", "cuda", "mps")


class LocalSection:
    """Engine source that runs its own server on this computer; see ``EngineSource``.

    Args:
        ui: Widgets of the panel, by name.
        on_changed: Called when the state of the engine has changed.
        on_error: Called with the error when an action fails.
    """

    def __init__(
        self, ui: Any, on_changed: Callable[[], None], on_error: Callable[[TextSegmentError], None]
    ) -> None:
        self._ui = ui
        self._on_changed = on_changed
        self._on_error = on_error
        self._server = local_server()
        self._choice = LocalChoice()
        self._setup = LocalSetup(ui, self._choice, on_error)
        self._seen: tuple[Any, ...] = ()
        self._log = LogWindow(ui.logButton, lambda: "\n".join((self._setup.log, self._server.log)).strip())
        models = (_("sat-demo (small, for a first look)"), *MODELS[1:])
        devices: tuple[str, ...] = (
            _("Automatic"),
            _("Processor"),
            _("Graphics card (CUDA)"),
            _("Apple graphics"),
        )
        self._devices: tuple[str, ...] = _DEVICES
        if self._choice.device not in self._devices:  # such as "cuda:1", set by hand
            devices, self._devices = (*devices, self._choice.device), (*self._devices, self._choice.device)
        _fill(ui.modelBox, models, MODELS, self._choice.model)
        _fill(ui.deviceBox, devices, self._devices, self._choice.device)
        ui.modelBox.connect("activated(int)", self._model_chosen)
        ui.deviceBox.connect("activated(int)", self._device_chosen)
        ui.engineButton.connect("contentsCollapsed(bool)", self._section_folded)
        ui.startButton.connect("clicked()", self._start)
        ui.stopButton.connect("clicked()", self._stop)
        self._show()

    @property
    def model(self) -> ModelInfo | None:
        """Model of the running engine; None while it is not running."""
        return self._server.model

    @property
    def is_starting(self) -> bool:
        """Whether the engine is starting."""
        return self._server.state is ServerState.STARTING

    @property
    def is_busy(self) -> bool:
        """Whether the obstacle will go away by itself."""
        return self.is_starting or self._setup.is_busy

    @property
    def status(self) -> str:
        """State of the engine, in one line."""
        state, name = self._server.state, self._choice.model
        if state is ServerState.READY and (model := self._server.model):
            return _("{model} on this computer ({device})").format(model=model.model, device=model.device)
        if state is ServerState.STARTING:
            return _("starting {model} on this computer…").format(model=name)
        if self._setup.obstacle:
            return self._setup.obstacle
        if state is ServerState.FAILED and (error := self._server.error):
            return _("stopped. {reason}").format(reason=error.message)
        status = _("{model}, starts when needed").format(model=name)
        return f"{status}. {self._setup.memory_warning}" if self._setup.memory_warning else status

    @property
    def obstacle(self) -> str:
        """Reason why nothing can be segmented; empty if it can be tried."""
        if self._server.state is ServerState.READY:
            return ""
        return _("The engine is starting.") if self.is_starting else self._setup.obstacle

    @property
    def remedy(self) -> str:
        """Label of the link that removes the obstacle; empty if there is no remedy."""
        return self._setup.remedy if self.obstacle else ""

    def remove_obstacle(self) -> None:
        """Install or download what is missing, after asking the user."""
        self._setup.remove_obstacle()

    def agreed_segmenter(self) -> Segmenter | None:
        """Return a segmenter for the engine; None if the engine has to start first, which this call begins.

        Raises:
            TextSegmentError: If the engine cannot be started.
        """
        if self._server.state is ServerState.READY:
            return self._server.segmenter()
        self._begin()
        return None

    def look(self) -> None:
        """Check what is installed and the state of the engine."""
        self._setup.look()
        self.watch()

    def watch(self) -> None:
        """Poll for changes and report them."""
        self._setup.watch()
        state = self._server.state
        seen = (state, self._server.model, self._setup.obstacle, self._setup.environment)
        if seen == self._seen:
            return
        has_failed = state is ServerState.FAILED and self._seen[:1] != (state,)
        self._seen = seen
        self._show()
        self._on_changed()
        if has_failed and self._server.error is not None:
            self._on_error(self._server.error)

    def stop(self) -> None:
        """Do nothing: the engine keeps running until Slicer exits, even when the module is reloaded."""

    def _section_folded(self, is_shut: bool) -> None:
        """Check again when the section is expanded, since the amount of free memory may have changed."""
        if not is_shut and self._ui.localButton.checked:
            self._setup.look_again()

    def _begin(self) -> None:
        choice = self._choice
        self._server.start(choice.interpreter, model=choice.model, device=choice.device)
        self.watch()

    def _start(self) -> None:
        try:
            self._begin()
        except TextSegmentError as error:
            self._on_error(error)

    def _stop(self) -> None:
        self._server.stop()
        self.watch()

    def _model_chosen(self, index: int) -> None:
        self._choice.choose_model(MODELS[index])
        self._tell()

    def _device_chosen(self, index: int) -> None:
        self._choice.choose_device(self._devices[index])
        self._tell()

    def _tell(self) -> None:
        self._show()
        self._on_changed()

    def _show(self) -> None:
        runs = self._server.state in (ServerState.STARTING, ServerState.READY)
        self._ui.startButton.enabled = not runs and self._setup.may_start
        self._ui.stopButton.enabled = runs
        for widget in (self._ui.modelBox, self._ui.deviceBox, self._ui.interpreterEdit):
            widget.enabled = not runs
        self._setup.show()
        if runs:  # the engine has the weights open
            self._ui.removeButton.enabled = False


def _fill(box: Any, texts: tuple[str, ...], values: tuple[str, ...], chosen: str) -> None:
    box.addItems(list(texts))
    box.currentIndex = values.index(chosen)
