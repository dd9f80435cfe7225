"""The engine on a server: address, key, a test that says what is wrong, and the user's consent."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import slicer
from slicer.i18n import tr as _
from textsegment.client.remote import RemoteSegmenter
from textsegment.errors import TextSegmentError
from textsegment.segmenter import ModelInfo

from TextSegmentLib import settings
from TextSegmentLib.background import BackgroundTask, Pump


class ServerSection:
    """A server that the user named; see ``EngineSource``.

    What the widgets show is what is asked: the settings are read once, since another Slicer may change them.

    Args:
        ui: Widgets of the panel by name.
        on_changed: Called when anything about it has changed.
    """

    is_starting = False
    remedy = ""

    def __init__(self, ui: Any, on_changed: Callable[[], None]) -> None:
        self._ui = ui
        self._on_changed = on_changed
        self._segmenter: RemoteSegmenter | None = None
        self._pump: Pump | None = None
        self._named = ("", "")  # address and key that the connection was made for
        self.model: ModelInfo | None = None
        self.status, self.obstacle = _unknown()
        ui.addressEdit.text = settings.server_address()
        ui.keyEdit.text = settings.server_key()
        ui.addressEdit.connect("editingFinished()", self._edited)
        ui.keyEdit.connect("editingFinished()", self._edited)
        ui.testButton.connect("clicked()", self.look)
        ui.consentButton.connect("clicked()", self._withdraw)
        self._show_consent()

    @property
    def is_busy(self) -> bool:
        """Whether it was asked and has not answered yet."""
        return self._pump is not None

    def agreed_segmenter(self) -> RemoteSegmenter | None:
        """Return what asks the server; None if the user did not agree to send the image."""
        segmenter = self._segmenter
        if segmenter is None or settings.has_consent(segmenter.address):
            return segmenter
        text = _consent_text(segmenter.address.url)
        if not slicer.util.confirmOkCancelDisplay(text, _("Send images to a server?")):
            return None
        settings.set_consent(segmenter.address, True)
        self._show_consent()
        # Windows live on while a question is open: what was agreed to is this server, not a later one.
        return segmenter if segmenter is self._segmenter else None

    def look(self) -> None:
        """Ask the server what it is; in a thread, no image is sent."""
        named = address, key = self._ui.addressEdit.text.strip(), self._ui.keyEdit.text.strip()
        if named != self._named:
            self._forget()
            self._named = named
        if not address:
            return
        try:
            # A run may be using the connection that there is: it is kept.
            self._segmenter = self._segmenter or RemoteSegmenter(address, key or None)
            self._show_consent()
        except TextSegmentError as error:
            self._refused(error)
            return
        self._ask(self._segmenter)
        if self.model is None:
            self._set(_("Asking {address}…").format(address=address), _("The server has not answered yet."))

    def _ask(self, segmenter: RemoteSegmenter) -> None:
        self._stop_asking()
        began = time.monotonic()
        job = BackgroundTask(lambda _report, _cancel: segmenter.server_info()).start()

        def take() -> bool:
            if not job.is_over:
                return True
            self._pump = None
            try:
                info = job.result()
            except TextSegmentError as error:
                self._refused(error)
            else:
                self._answered(info.model, info.software, time.monotonic() - began)
            return False

        self._pump = Pump(take)

    def remove_obstacle(self) -> None:
        """There is nothing that this computer could do."""

    def watch(self) -> None:
        """Nothing: what the server says comes by itself."""

    def stop(self) -> None:
        """Break the connections."""
        self._stop_asking()
        if self._segmenter is not None:
            self._segmenter.close()

    def _edited(self) -> None:
        address, key = self._ui.addressEdit.text.strip(), self._ui.keyEdit.text.strip()
        if (address, key) != self._named:
            settings.set_server_address(address)
            settings.set_server_key(key)
            self.look()

    def _forget(self) -> None:
        """Know nothing of the server, as before the first question."""
        self._stop_asking()
        self._segmenter = self.model = None
        self._show_consent()
        self._set(*_unknown())

    def _stop_asking(self) -> None:
        if self._pump is not None:
            self._pump.stop()
        self._pump = None

    def _answered(self, model: ModelInfo, software: str, seconds: float) -> None:
        self.model = model
        counts = ", ".join(
            _("{count} in {modality}").format(count=len(names), modality=modality)
            for modality, names in model.structures.items()
            if names
        )
        self._set(
            _("{model} on a server ({device})").format(model=model.model, device=model.device),
            "",
            _(
                "Reached in {ms} ms: TextSegment {software}, model {model}, {device}. Structures: {counts}."
            ).format(
                ms=round(seconds * 1000),
                software=software,
                model=model.model,
                device=model.device,
                counts=counts,
            ),
        )

    def _refused(self, error: TextSegmentError) -> None:
        self.model = None
        self._set(error.message, str(error), str(error))

    def _set(self, status: str, obstacle: str, answer: str = "") -> None:
        self.status, self.obstacle = status, obstacle
        self._ui.serverStateLabel.text = answer
        self._ui.serverStateLabel.visible = bool(answer)
        self._on_changed()

    def _show_consent(self) -> None:
        address = self._segmenter.address if self._segmenter else None
        self._ui.consentButton.visible = (
            address is not None and not address.is_loopback and settings.has_consent(address)
        )

    def _withdraw(self) -> None:
        if self._segmenter is not None:
            settings.set_consent(self._segmenter.address, False)
        self._show_consent()


def _unknown() -> tuple[str, str]:
    """Return status and obstacle while no server was named."""
    return _("no server chosen"), _("Type the address of a server under Engine.")


def _consent_text(address: str) -> str:
    return _(
        "The image will be sent to {address}.\n\n"
        "What leaves this computer: the voxels, their place in space, the modality, and the names of the "
        "structures. No patient name, no identifiers, no file names.\n\n"
        "Voxels can show a face. Ask whoever is responsible for the data whether this server may have them."
    ).format(address=address)
