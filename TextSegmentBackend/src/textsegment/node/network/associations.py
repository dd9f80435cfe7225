"""DICOM associations: the service that takes images (C-ECHO, C-STORE)."""

from __future__ import annotations

import ipaddress
import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, _config, evt
from pynetdicom.pdu import A_RELEASE_RQ

from textsegment.errors import (
    InputUnreadableError,
    LimitExceededError,
    PortInUseError,
    SettingsError,
    StorageError,
    TextSegmentError,
    VolumeInvalidError,
)
from textsegment.node.connections import Peer, Receive
from textsegment.node.intake import IMAGE_CLASSES, Intake
from textsegment.node.network.acceptor import ANNOUNCED_PDU, LONGEST_PDU, Acceptor, Handler, disconnect
from textsegment.node.network.received import file_of
from textsegment.node.network.tls import server_context
from textsegment.server.logs import describe_defect, log

_VERIFICATION = "1.2.840.10008.1.1"
# Results of A-ASSOCIATE: permanent, by the service user, calling AE title not recognised.
_UNKNOWN_CALLER = (0x01, 0x01, 0x03)
_SUCCESS, _OUT_OF_RESOURCES, _MISMATCH, _CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xA900, 0xC000
# pynetdicom logs no contents.
_config.LOG_HANDLER_LEVEL = "none"


class ImageService:
    """The application entity that takes images from allowed peers.

    A connection from an unknown address is closed at once; an association whose AE title does not belong to
    its address is rejected. Connections that say nothing are closed after ``handshake_s``, associations after
    ``idle_s``.

    Args:
        settings: Settings.
        intake: Takes the images.

    Attributes:
        rejected: Number of refused connections and associations by reason.

    Raises:
        PortInUseError: Another program listens at the port.
        SettingsError: The address cannot be used, or the certificates for TLS.
    """

    def __init__(self, settings: Receive, intake: Intake) -> None:
        self._settings, self._intake = settings, intake
        self._received: WeakKeyDictionary[object, int] = WeakKeyDictionary()  # bytes since the last image
        self.rejected: Counter[str] = Counter()
        # Messages of the library may quote what peers send.
        logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
        entity = AE(ae_title=settings.ae_title)
        entity.require_called_aet = True
        entity.maximum_associations = settings.max_associations
        entity.maximum_pdu_size = ANNOUNCED_PDU
        entity.acse_timeout = settings.handshake_s
        entity.dimse_timeout = entity.network_timeout = settings.idle_s
        entity.add_supported_context(_VERIFICATION)
        for sop_class in IMAGE_CLASSES:
            entity.add_supported_context(sop_class, ALL_TRANSFER_SYNTAXES)
        handlers: Any = [
            (evt.EVT_REQUESTED, self._on_requested),
            (evt.EVT_REJECTED, self._on_rejected),
            (evt.EVT_ACCEPTED, self._on_accepted),
            (evt.EVT_DATA_RECV, self._on_data),
            (evt.EVT_C_STORE, self._on_store),
            (evt.EVT_PDU_RECV, self._on_pdu),
            (evt.EVT_RELEASED, self._on_released),
            (evt.EVT_ABORTED, self._on_lost),
            (evt.EVT_CONN_CLOSE, self._on_lost),
        ]
        tls = None if settings.tls is None else server_context(settings.tls)
        kind = type(
            "Server", (Acceptor,), {"tls": tls, "handshake_s": settings.handshake_s, "admits": self._admits}
        )
        try:
            self._server = entity.make_server(
                (settings.host, settings.port),
                ae_title=settings.ae_title,
                contexts=entity.supported_contexts,
                evt_handlers=handlers,
                server_class=kind,
                request_handler=Handler,
            )
        except OSError as error:
            if "in use" in str(error):
                raise PortInUseError(
                    f"Port {settings.port} is in use.", "Choose another receive.port."
                ) from error
            raise SettingsError(
                "The node cannot listen there.", "Check receive.host and receive.port."
            ) from error
        entity._servers.append(self._server)

    def serve(self) -> None:
        """Take images until ``close`` is called from another thread."""
        self._server.serve_forever(poll_interval=0.2)

    def close(self) -> None:
        """Stop taking images; associations that are open are aborted."""
        self._server.shutdown()
        for association in self._server.active_associations:
            association.abort()
            self._intake.end_session(association, well=False)

    @property
    def associations(self) -> int:
        """Number of open connections."""
        return len(self._server.active_associations)

    def _admits(self, address: str, open_connections: Sequence[str]) -> bool:
        """Return whether a connection may be opened."""
        most = self._settings.max_associations
        if not any(_is_from(address, peer) for peer in self._settings.peers):
            self.rejected["unknown_address"] += 1
            return False
        # Some more than associations, so that the next ones are told the reason.
        if len(open_connections) >= 2 * most + 8 or open_connections.count(address) >= 2 * most:
            self.rejected["too_many_connections"] += 1
            return False
        return True

    def _on_requested(self, event: evt.Event) -> None:
        requestor = event.assoc.requestor
        request = requestor.primitive
        title = "" if request is None else str(request.calling_ae_title).strip()
        known = [peer for peer in self._settings.peers if peer.ae_title == title]
        if not any(_is_from(str(requestor.address), peer) for peer in known):
            self.rejected["unknown_ae_title"] += 1
            log("association_rejected", reason="unknown_ae_title", is_bounded=True)
            event.assoc.acse.send_reject(*_UNKNOWN_CALLER)
            event.assoc.kill()

    def _on_rejected(self, event: evt.Event) -> None:
        self.rejected["rejected"] += 1
        log("association_rejected", reason="called_ae_title_or_limit", is_bounded=True)

    def _on_accepted(self, event: evt.Event) -> None:
        connection = event.assoc.dul.socket.socket if event.assoc.dul.socket else None
        if connection is not None:
            connection.settimeout(self._settings.idle_s)

    def _on_data(self, event: evt.Event) -> None:
        """End an association whose object is too large, before it fills the memory."""
        before = self._received.get(event.assoc, 0)
        self._received[event.assoc] = before + len(event.data)
        if before <= self._intake.largest_bytes + LONGEST_PDU < self._received[event.assoc]:
            log("image_refused", code=LimitExceededError.code, is_bounded=True)
            self._intake.refused[LimitExceededError.code] += 1
            disconnect(event.assoc)

    def _on_store(self, event: evt.Event) -> int:
        sender = str(event.assoc.requestor.ae_title).strip()
        self._received[event.assoc] = 0
        try:
            image = self._intake.take(file_of(event), sender, event.assoc)
        except TextSegmentError as error:
            log("image_refused", code=error.code, is_bounded=True)
            return _status_of(error)
        except Exception as error:  # noqa: BLE001 – the sender shall know that it was not taken
            log("defect", level=logging.ERROR, **describe_defect(error))
            return _CANNOT_UNDERSTAND
        named = getattr(event.request, "AffectedSOPInstanceUID", None)
        return _SUCCESS if image.image_uid == named else _MISMATCH

    def _on_pdu(self, event: evt.Event) -> None:
        """Record that a sender is done before it is told so: what it believes must survive the node's end."""
        if isinstance(event.pdu, A_RELEASE_RQ):
            self._intake.end_session(event.assoc, well=True)

    def _on_released(self, event: evt.Event) -> None:
        self._intake.end_session(event.assoc, well=True)

    def _on_lost(self, event: evt.Event) -> None:
        self._intake.end_session(event.assoc, well=False)


def _is_from(address: str, peer: Peer) -> bool:
    try:
        given = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(given, ipaddress.IPv6Address) and given.ipv4_mapped is not None:
        given = given.ipv4_mapped
    network = ipaddress.ip_network(peer.address, strict=False)
    return given.version == network.version and given in network


def _status_of(error: TextSegmentError) -> int:
    if isinstance(error, StorageError):
        return _OUT_OF_RESOURCES
    if isinstance(error, VolumeInvalidError):
        return _MISMATCH
    return _CANNOT_UNDERSTAND if isinstance(error, InputUnreadableError) else _OUT_OF_RESOURCES
