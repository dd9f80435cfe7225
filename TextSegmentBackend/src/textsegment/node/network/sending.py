"""The sending side of associations: results, by C-STORE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydicom.errors import InvalidDicomError
from pynetdicom import AE, _config
from pynetdicom.presentation import build_context

from textsegment.errors import DestinationRefusedError, DestinationUnreachableError, InputUnreadableError
from textsegment.files.dicom.header import read_dataset
from textsegment.files.dicom.values import DAMAGE
from textsegment.node.connections import DicomDestination
from textsegment.node.network.tls import client_context

_SUCCESS = 0x0000
# Files are sent as they are on the disk.
_config.STORE_SEND_CHUNKED_DATASET = True


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
    try:
        _require_established(association, destination.name)
        for path in paths:
            _send(association, path, destination.name)
            on_delivered(path)
    finally:
        with suppress(RuntimeError, OSError):
            association.release()
        _hang_up(association)


def _require_established(association: Any, name: str) -> None:
    if association.is_rejected:
        raise DestinationRefusedError(
            f"{name} rejected the association.", "Check the AE titles on both sides."
        )
    if association.rejected_contexts and not association.accepted_contexts:
        raise _of_no_use(name)
    if not association.is_established:
        raise DestinationUnreachableError(
            f"{name} cannot be reached.", "Check host, port, TLS, and whether it runs."
        )


def _hang_up(association: Any) -> None:
    """Close the connection, which the library leaves open if the other side speaks another protocol."""
    connection = association.dul.socket.socket if association.dul.socket else None
    if connection is not None:
        connection.close()


def _send(association: Any, path: Path, name: str) -> None:
    try:
        status = association.send_c_store(path).get("Status")
    except ValueError as error:
        raise _of_no_use(name) from error
    except RuntimeError as error:  # the association has ended meanwhile
        raise _silent(name) from error
    if status is None:
        raise _silent(name)
    # 0xBxxx: stored with a warning, for example because elements were coerced.
    if status != _SUCCESS and status >> 12 != 0xB:
        raise DestinationRefusedError(f"{name} refused the object: status {status:04X}H.", "See its log.")


def _of_no_use(name: str) -> DestinationRefusedError:
    return DestinationRefusedError(
        f"{name} takes no objects of this kind.", "Let it accept the SOP class and transfer syntax."
    )


def _silent(name: str) -> DestinationUnreachableError:
    return DestinationUnreachableError(f"{name} broke off.", "It is tried again.")


def _kind_of(path: Path) -> tuple[str, str]:
    """Return SOP class and transfer syntax of a file."""
    try:
        meta = read_dataset(path, stop_before_pixels=True, specific_tags=["SOPClassUID"]).file_meta
        return str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)
    except (InvalidDicomError, *DAMAGE) as error:
        raise InputUnreadableError("The file to send is no DICOM file.", "Write it again.") from error
