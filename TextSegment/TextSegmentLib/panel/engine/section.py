"""The engine section: an engine on this computer, on a server, or given by a script, and its status line."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import qt
from slicer.i18n import tr as _
from textsegment.errors import TextSegmentError
from textsegment.segmenter import ModelInfo, Segmenter

from TextSegmentLib import settings
from TextSegmentLib.background import let_workers_run
from TextSegmentLib.engine.given import GivenEngine
from TextSegmentLib.engine.source import EngineSource
from TextSegmentLib.panel.engine.local_section import LocalSection
from TextSegmentLib.panel.engine.server_section import ServerSection
from TextSegmentLib.panel.theme import colors_of

_WATCH_MS = 250
_BUSY_MS = 20
_REMEDY, _SECTION = "remedy", "section"


class EngineSection:
    """Lets the user choose the engine.

    Args:
        ui: Widgets of the panel, by name.
        on_changed: Called when the model changes, or when the engine becomes usable or unusable.
        on_error: Called with the error when an action fails.
    """

    def __init__(
        self, ui: Any, on_changed: Callable[[], None], on_error: Callable[[TextSegmentError], None]
    ) -> None:
        self._ui = ui
        self._on_changed = on_changed
        self._local = LocalSection(ui, self._tell, on_error)
        self._server = ServerSection(ui, self._tell)
        self._given: GivenEngine | None = None
        button = ui.serverButton if settings.uses_server() else ui.localButton
        button.checked = True
        ui.serverButton.connect("toggled(bool)", self._choose)
        ui.engineStatusLabel.connect("linkActivated(QString)", self._follow)
        self._timer = qt.QTimer(ui.engineButton)
        self._timer.setInterval(_WATCH_MS)
        self._timer.connect("timeout()", self._watch)
        self._is_looked_at = False
        self._show()

    @property
    def model(self) -> ModelInfo | None:
        """Model of the chosen engine; None if it is not known."""
        return self._engine.model

    @property
    def obstacle(self) -> str:
        """Reason why nothing can be segmented; empty if it can be tried."""
        return self._engine.obstacle

    @property
    def is_starting(self) -> bool:
        """Whether the engine is starting."""
        return self._engine.is_starting

    @property
    def is_busy(self) -> bool:
        """Whether the obstacle will go away by itself."""
        return self._engine.is_busy

    def agreed_segmenter(self) -> Segmenter | None:
        """Return the segmenter for the next run.

        Returns:
            The segmenter; None if the user did not consent, or if the engine has to start first.

        Raises:
            TextSegmentError: If the engine cannot be used.
        """
        return self._engine.agreed_segmenter()

    def use(self, segmenter: Segmenter) -> None:
        """Use a segmenter given by a script, until the user chooses another engine."""
        self._given = GivenEngine(segmenter)
        self._tell()

    def enter(self) -> None:
        """Check the state of the engine and start following it; called when the user enters the panel."""
        self._is_looked_at = True
        self._engine.look()
        self._timer.start()

    def leave(self) -> None:
        """Stop following the engine once it is idle; called when the user leaves the panel."""
        self._is_looked_at = False

    def look(self) -> None:
        """Check the state of the engine."""
        self._engine.look()

    def open(self) -> None:
        """Expand this section."""
        self._ui.engineButton.collapsed = False

    def _follow(self, link: str) -> None:
        if link == _REMEDY:
            self._engine.remove_obstacle()
        if link == _SECTION or self._engine.is_busy:  # it shows the progress and the Cancel button
            self.open()

    def stop(self) -> None:
        """Stop the timer and all connections that belong to the panel."""
        self._timer.stop()
        for engine in (self._local, self._server):
            engine.stop()

    @property
    def _engine(self) -> EngineSource:
        return self._given or (self._server if self._ui.serverButton.checked else self._local)

    def _watch(self) -> None:
        self._engine.watch()
        is_busy = self._engine.is_busy
        if is_busy:
            let_workers_run()
        self._timer.interval = _BUSY_MS if is_busy else _WATCH_MS
        if not (self._is_looked_at or is_busy):
            self._timer.stop()

    def _choose(self, uses_server: bool) -> None:
        self._given = None
        settings.set_uses_server(uses_server)
        self._engine.look()
        self._tell()

    def _tell(self) -> None:
        self._show()
        self._on_changed()

    def _show(self) -> None:
        uses_server = self._ui.serverButton.checked
        self._ui.localPage.visible = not uses_server
        self._ui.serverPage.visible = uses_server
        engine = self._engine
        colors = colors_of(self._ui.engineStatusLabel)
        color = colors.problem if engine.obstacle and not engine.is_busy else colors.muted
        links = [(_REMEDY, engine.remedy)] if engine.remedy else []
        links.append((_SECTION, _("Change")))
        shown = " · ".join(f"<a href='{link}'>{escape(text)}</a>" for link, text in links)
        self._ui.engineStatusLabel.text = (
            f"<span style='color:{color}'>{escape(_('Engine:'))} {escape(engine.status)}</span> {shown}"
        )
