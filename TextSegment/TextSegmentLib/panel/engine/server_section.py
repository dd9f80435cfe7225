"""The engine on a server: address, access key, connection test, and the user's consent."""

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
    """Engine source on a server the user has named; see ``EngineSource``.

    The settings are read once, so that the server shown is the server used even if another Slicer instance
    changes the settings.

    Args:
        ui: Widgets of the panel, by name.
        on_changed: Called when the state of the engine has changed.
    """

    is_starting = False
    remedy = ""

    def __init__(self, ui: Any, on_changed: Callable[[], None]) -> None:
        self._ui = ui
        self._on_changed = on_changed
        self._segmenter: RemoteSegmenter | None = None
        self._pump: Pump | None = None
        self._named = ("", "")  # address and key of the current connection
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
        """Whether the server has been asked and has not answered yet."""
        return self._pump is not None

    def agreed_segmenter(self) -> RemoteSegmenter | None:
        """Return a segmenter for the server; None if the user did not consent to sending the image."""
        segmenter = self._segmenter
        if segmenter is None or settings.has_consent(segmenter.address):
            return segmenter
        text = _consent_text(segmenter.address.url)
        if not slicer.util.confirmOkCancelDisplay(text, _("Send images to a server?")):
            return None
        settings.set_consent(segmenter.address, True)
        self._show_consent()
        # Events are processed while the dialog is open: the consent covers this server, not a later one.
        return segmenter if segmenter is self._segmenter else None

    def look(self) -> None:
        """Ask the server for its model, in a thread; no image is sent."""
        named = address, key = self._ui.addressEdit.text.strip(), self._ui.keyEdit.text.strip()
        if named != self._named:
            self._forget()
            self._named = named
        if not address:
            return
        try:
            # The existing connection is kept, since a run may be using it.
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
        """Do nothing: a server's problems cannot be fixed from this computer."""

    def watch(self) -> None:
        """Do nothing: answers of the server arrive through a pump."""

    def stop(self) -> None:
        """Close the connections."""
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
        """Forget all that is known about the server."""
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
    """Return the status and the obstacle that apply while no server is named."""
    return _("no server chosen"), _("Type the address of a server under Engine.")


def _consent_text(address: str) -> str:
    return _(
        "The image will be sent to {address}.\n\n"
        "What leaves this computer: the voxels, their place in space, the modality, and the names of the "
        "structures. No patient name, no identifiers, no file names.\n\n"
        "Voxels can show a face. Ask whoever is responsible for the data whether this server may have them."
    ).format(address=address)
