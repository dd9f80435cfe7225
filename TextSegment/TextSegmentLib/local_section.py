"""The engine on this computer: model, device, start and stop, log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _
from textsegment.errors import TextSegmentError
from textsegment.segmenter import ModelInfo, Segmenter

from TextSegmentLib import settings
from TextSegmentLib.interpreter import chosen_interpreter
from TextSegmentLib.log_window import LogWindow
from TextSegmentLib.server_process import ServerState, local_server

_MODELS = ("sat-demo", "sat-nano", "sat-pro")
_DEVICES = ("auto", "cpu", "cuda", "mps")
_WATCH_MS = 300


class LocalSection:
    """A server of our own on this computer; see ``Engine``.

    Args:
        ui: Widgets of the panel by name.
        on_changed: Called when anything about it has changed.
        on_error: Called when something cannot be done.
    """

    def __init__(
        self, ui: Any, on_changed: Callable[[], None], on_error: Callable[[TextSegmentError], None]
    ) -> None:
        self._ui = ui
        self._on_changed = on_changed
        self._on_error = on_error
        self._server = local_server()
        self._seen: tuple[ServerState, ModelInfo | None] | None = None
        self._log = LogWindow(ui.logButton, lambda: self._server.log)
        _fill(ui.modelBox, _MODELS, _MODELS, settings.model())
        names = (_("Automatic"), _("Processor (CPU)"), _("Graphics card (CUDA)"), _("Apple graphics (MPS)"))
        _fill(ui.deviceBox, names, _DEVICES, settings.device())
        ui.modelBox.connect("activated(int)", lambda index: settings.set_model(_MODELS[index]))
        ui.deviceBox.connect("activated(int)", lambda index: settings.set_device(_DEVICES[index]))
        ui.startButton.connect("clicked()", self._start)
        ui.stopButton.connect("clicked()", self._stop)
        self._timer = qt.QTimer(ui.localPage)
        self._timer.setInterval(_WATCH_MS)
        self._timer.connect("timeout()", self.look)
        self._timer.start()

    @property
    def model(self) -> ModelInfo | None:
        """What answers; None while it does not run."""
        return self._server.model

    @property
    def is_starting(self) -> bool:
        """Whether it was asked to start and has not answered yet."""
        return self._server.state is ServerState.STARTING

    @property
    def status(self) -> str:
        """How it stands."""
        name = settings.model()
        return {
            ServerState.STOPPED: _("{model} on this computer, not started").format(model=name),
            ServerState.STARTING: _("starting {model} on this computer…").format(model=name),
            ServerState.READY: self._running(),
            ServerState.FAILED: _("stopped: {reason}").format(reason=self._reason()),
        }[self._server.state]

    @property
    def obstacle(self) -> str:
        """Why nothing can be segmented; empty if it can be tried."""
        return _("The engine is starting.") if self.is_starting else ""

    def agreed_segmenter(self) -> Segmenter | None:
        """Return what asks it; None if it has to start first, which begins here.

        Raises:
            TextSegmentError: It cannot be started.
        """
        if self._server.state is ServerState.READY:
            return self._server.segmenter()
        self._begin()
        return None

    def look(self) -> None:
        """Notice what has changed."""
        seen = (self._server.state, self._server.model)
        if seen != self._seen:
            self._seen = seen
            self._show()
            self._on_changed()

    def stop(self) -> None:
        """Watch no more; the engine goes on until Slicer ends, also when the module is reloaded."""
        self._timer.stop()

    def _begin(self) -> None:
        interpreter = chosen_interpreter(settings.interpreter())
        self._server.start(interpreter, model=settings.model(), device=settings.device())
        self.look()

    def _start(self) -> None:
        try:
            self._begin()
        except TextSegmentError as error:
            self._on_error(error)

    def _stop(self) -> None:
        self._server.stop()
        self.look()

    def _show(self) -> None:
        runs = self._server.state in (ServerState.STARTING, ServerState.READY)
        self._ui.startButton.enabled = not runs
        self._ui.stopButton.enabled = runs
        for box in (self._ui.modelBox, self._ui.deviceBox, self._ui.interpreterEdit):
            box.enabled = not runs
        if self._server.state is ServerState.FAILED:
            self._on_error(self._server.error)

    def _running(self) -> str:
        model = self._server.model
        return (
            _("{model} on this computer ({device})").format(model=model.model, device=model.device)
            if model
            else ""
        )

    def _reason(self) -> str:
        return self._server.error.message if self._server.error else ""


def _fill(box: Any, texts: tuple[str, ...], values: tuple[str, ...], chosen: str) -> None:
    box.addItems(list(texts))
    box.currentIndex = values.index(chosen) if chosen in values else 0
