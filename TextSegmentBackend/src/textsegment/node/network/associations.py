"""DICOM associations: the service that takes images (C-ECHO, C-STORE), and the user that sends results."""

from __future__ import annotations

import ipaddress
import logging
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydicom.errors import InvalidDicomError
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, _config, evt
from pynetdicom.presentation import build_context
from pynetdicom.transport import ThreadedAssociationServer

from textsegment.errors import (
    DestinationRefusedError,
    DestinationUnreachableError,
    InputUnreadableError,
    PortInUseError,
    SettingsError,
    StorageError,
    TextSegmentError,
    VolumeInvalidError,
)
from textsegment.files.dicom.header import read_dataset
from textsegment.files.dicom.values import DAMAGE
from textsegment.node.connections import DicomDestination, Peer, Receive
from textsegment.node.intake import IMAGE_CLASSES, Intake
from textsegment.node.network.tls import client_context, server_context
from textsegment.server.logs import describe_defect, log

_VERIFICATION = "1.2.840.10008.1.1"
_HANDSHAKE_S = 10.0
# Results of A-ASSOCIATE: permanent, by the service user, calling AE title not recognised.
_UNKNOWN_CALLER = (0x01, 0x01, 0x03)
_SUCCESS, _OUT_OF_RESOURCES, _MISMATCH, _CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xA900, 0xC000
# Files are sent as they are on the disk, and pynetdicom logs no contents.
_config.STORE_SEND_CHUNKED_DATASET = True
_config.LOG_HANDLER_LEVEL = "none"


class ImageService:
    """The application entity that takes images from allowed peers.

    A connection from an unknown address is closed at once; an association whose AE title does not belong to
    its address is rejected. Silent connections are closed after ten seconds, silent associations after
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
        self.rejected: Counter[str] = Counter()
        # Messages of the library may quote what peers send.
        logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
        entity = AE(ae_title=settings.ae_title)
        entity.require_called_aet = True
        entity.maximum_associations = settings.max_associations
        entity.acse_timeout = _HANDSHAKE_S
        entity.dimse_timeout = entity.network_timeout = settings.idle_s
        entity.add_supported_context(_VERIFICATION)
        for sop_class in IMAGE_CLASSES:
            entity.add_supported_context(sop_class, ALL_TRANSFER_SYNTAXES)
        handlers: Any = [
            (evt.EVT_REQUESTED, self._on_requested),
            (evt.EVT_REJECTED, self._on_rejected),
            (evt.EVT_C_STORE, self._on_store),
            (evt.EVT_RELEASED, self._on_released),
            (evt.EVT_ABORTED, self._on_lost),
            (evt.EVT_CONN_CLOSE, self._on_lost),
        ]
        tls = None if settings.tls is None else server_context(settings.tls)
        kind = type("Server", (_Server,), {"tls": tls, "admits": self._admits})
        try:
            self._server = entity.make_server(
                (settings.host, settings.port),
                ae_title=settings.ae_title,
                contexts=entity.supported_contexts,
                evt_handlers=handlers,
                server_class=kind,
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

    def _on_store(self, event: evt.Event) -> int:
        sender = str(event.assoc.requestor.ae_title).strip()
        try:
            image = self._intake.take(event.encoded_dataset(), sender, event.assoc)
        except TextSegmentError as error:
            log("image_refused", code=error.code, is_bounded=True)
            return _status_of(error)
        except Exception as error:  # noqa: BLE001 – the sender shall know that it was not taken
            log("defect", level=logging.ERROR, **describe_defect(error))
            return _CANNOT_UNDERSTAND
        named = getattr(event.request, "AffectedSOPInstanceUID", None)
        return _SUCCESS if image.image_uid == named else _MISMATCH

    def _on_released(self, event: evt.Event) -> None:
        self._intake.end_session(event.assoc, well=True)

    def _on_lost(self, event: evt.Event) -> None:
        self._intake.end_session(event.assoc, well=False)


class _Server(ThreadedAssociationServer):
    """Server that checks addresses first, and shakes hands in the thread of the connection."""

    daemon_threads = True
    request_queue_size = 64
    tls: ssl.SSLContext | None
    admits: Callable[[str, Sequence[str]], bool]

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Return whether a connection may be opened; if not, it is closed."""
        addresses = [str(association.requestor.address) for association in self.active_associations]
        return type(self).admits(str(client_address[0]), addresses)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Shake hands if there is TLS, then begin the association."""
        if self.tls is not None:
            request.settimeout(_HANDSHAKE_S)
            try:
                request = self.tls.wrap_socket(request, server_side=True)
            except OSError:
                log("association_rejected", reason="tls", is_bounded=True)
                self.shutdown_request(request)
                return
        request.settimeout(None)
        super().process_request_thread(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log that a connection failed, without what the peer has sent."""
        log("association_failed", level=logging.WARNING, is_bounded=True)


def send_files(
    paths: Sequence[Path], destination: DicomDestination, on_delivered: Callable[[Path], None]
) -> None:
    """Send DICOM files to a destination by C-STORE, as they are.

    Args:
        paths: Files.
        destination: Destination.
        on_delivered: Called with each file that the destination has taken.

    Raises:
        DestinationUnreachableError: The destination cannot be reached, or went silent.
        DestinationRefusedError: It refused the association or a file.
        InputUnreadableError: A file is no DICOM file.
        SettingsError: The certificates for TLS cannot be used.
    """
    entity = AE(ae_title=destination.calling_ae_title)
    entity.connection_timeout = entity.acse_timeout = destination.timeout_s
    entity.dimse_timeout = entity.network_timeout = destination.timeout_s
    kinds = dict.fromkeys(map(_kind_of, paths))
    tls = None if destination.tls is None else (client_context(destination.tls), destination.host)
    association = entity.associate(
        destination.host,
        destination.port,
        contexts=[build_context(sop_class, syntax) for sop_class, syntax in kinds],
        ae_title=destination.ae_title,
        tls_args=tls,
    )
    if association.is_rejected:
        raise DestinationRefusedError(
            f"{destination.name} rejected the association.", "Check the AE titles on both sides."
        )
    if not association.is_established:
        raise DestinationUnreachableError(
            f"{destination.name} cannot be reached.", "Check host, port, TLS, and whether it runs."
        )
    try:
        for path in paths:
            _send(association, path, destination.name)
            on_delivered(path)
    finally:
        with suppress(RuntimeError, OSError):
            association.release()


def _send(association: Any, path: Path, name: str) -> None:
    try:
        status = association.send_c_store(path).get("Status")
    except ValueError as error:
        raise DestinationRefusedError(
            f"{name} takes no objects of this kind.", "Let it accept the SOP class and transfer syntax."
        ) from error
    except RuntimeError as error:  # the association has ended meanwhile
        raise _silent(name) from error
    if status is None:
        raise _silent(name)
    # 0xBxxx: stored with a warning, for example because elements were coerced.
    if status != _SUCCESS and status >> 12 != 0xB:
        raise DestinationRefusedError(f"{name} refused the object: status {status:04X}H.", "See its log.")


def _silent(name: str) -> DestinationUnreachableError:
    return DestinationUnreachableError(f"{name} broke off.", "It is tried again.")


def _kind_of(path: Path) -> tuple[str, str]:
    """Return SOP class and transfer syntax of a file."""
    try:
        meta = read_dataset(path, stop_before_pixels=True, specific_tags=["SOPClassUID"]).file_meta
        return str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)
    except (InvalidDicomError, *DAMAGE) as error:
        raise InputUnreadableError("The file to send is no DICOM file.", "Write it again.") from error


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
