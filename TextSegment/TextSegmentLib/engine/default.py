"""Default engine for scripts: the one that the user chose in the panel."""

from __future__ import annotations

from collections.abc import Sequence

from slicer.i18n import tr as _
from textsegment.client.remote import RemoteSegmenter
from textsegment.correction import Edit
from textsegment.effort import WHOLE_IMAGE, Effort
from textsegment.errors import SettingsError
from textsegment.geometry import Box
from textsegment.prompt import Prompt
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.segmenter import CancelToken, EventCallback, ModelInfo, Segmenter, ignore_events
from textsegment.volume import Volume

from TextSegmentLib import settings
from TextSegmentLib.engine.interpreter import chosen_interpreter
from TextSegmentLib.engine.server_process import LocalServer, ServerState, local_server

_LOOK_S = 0.5


def default_segmenter() -> Segmenter:
    """Return the segmenter chosen in the settings, starting the engine on this computer if necessary.

    This does not block: the segmenter itself waits for the engine, in the thread that calls it.

    Raises:
        SettingsError: The server has no address, or the user has not yet agreed to use it.
        TextSegmentError: The engine on this computer cannot be started.
    """
    return _server() if settings.uses_server() else _local()


def _server() -> Segmenter:
    address = settings.server_address()
    if not address:
        raise SettingsError(_("No server is chosen."), _("Give its address in the module's panel."))
    segmenter = RemoteSegmenter(address, settings.server_key() or None)
    if not settings.has_consent(segmenter.address):
        segmenter.close()
        raise SettingsError(
            _("Nobody has agreed yet to send scans to this server."), _("Agree once in the module's panel.")
        )
    return segmenter


def _local() -> Segmenter:
    server = local_server()
    if server.state in (ServerState.STOPPED, ServerState.FAILED):
        interpreter = chosen_interpreter(settings.interpreter())
        server.start(interpreter, model=settings.model(), device=settings.device())
    return _Starting(server)


class _Starting:
    """Segmenter of the engine on this computer, which may still be starting."""

    def __init__(self, server: LocalServer) -> None:
        self._server = server

    def info(self) -> ModelInfo:
        """Return the model, once the engine has started; see ``Segmenter``."""
        return self._ready().info()

    def segment(
        self,
        volume: Volume,
        prompts: Sequence[Prompt | str],
        *,
        effort: Effort = WHOLE_IMAGE,
        on_event: EventCallback = ignore_events,
        cancel: CancelToken | None = None,
    ) -> Segmentation:
        """Segment, once the engine has started; see ``Segmenter``."""
        return self._ready().segment(volume, prompts, effort=effort, on_event=on_event, cancel=cancel)

    def correct(
        self,
        volume: Volume,
        *,
        edits: Sequence[Edit],
        base: StructureMask | None = None,
        prompt: Prompt | str | None = None,
        name: str = "",
        within: Box | None = None,
        on_event: EventCallback = ignore_events,
        cancel: CancelToken | None = None,
    ) -> StructureMask:
        """Carry edits to the rest, once the engine has started; see ``Segmenter``."""
        return self._ready().correct(
            volume,
            edits=edits,
            base=base,
            prompt=prompt,
            name=name,
            within=within,
            on_event=on_event,
            cancel=cancel,
        )

    def _ready(self) -> Segmenter:
        while self._server.state is ServerState.STARTING:
            self._server.wait(_LOOK_S)
        return self._server.segmenter()
