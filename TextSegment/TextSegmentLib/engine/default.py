"""The engine of scripts that name none: the one that the user chose in the panel."""

from __future__ import annotations

from collections.abc import Callable

from slicer.i18n import tr as _
from textsegment.client.remote import RemoteSegmenter
from textsegment.errors import SettingsError
from textsegment.segmenter import Segmenter

from TextSegmentLib import settings
from TextSegmentLib.engine.interpreter import chosen_interpreter
from TextSegmentLib.engine.server_process import ServerState, local_server


def default_segmenter(wait: Callable[[], None]) -> Segmenter:
    """Return what the settings say; the engine on this computer is started if it does not run.

    Args:
        wait: Called again and again until the engine is ready; waits a moment.

    Raises:
        SettingsError: A server without an address, or to which the user did not agree yet.
        TextSegmentError: The engine on this computer cannot be started.
    """
    return _server() if settings.uses_server() else _local(wait)


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


def _local(wait: Callable[[], None]) -> Segmenter:
    server = local_server()
    if server.state in (ServerState.STOPPED, ServerState.FAILED):
        interpreter = chosen_interpreter(settings.interpreter())
        server.start(interpreter, model=settings.model(), device=settings.device())
    while server.state is ServerState.STARTING:
        wait()
    return server.segmenter()
