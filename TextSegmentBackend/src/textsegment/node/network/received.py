"""Received objects as files, without decoding them."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import cast

from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import create_file_meta, encode_file_meta

_PREAMBLE = b"\x00" * 128 + b"DICM"
_SHORTEST = 20  # characters of an identifier that cannot be mistaken for another value


def file_of(event: evt.Event) -> bytes:
    """Return the object of a C-STORE request as a file.

    The same bytes as ``event.encoded_dataset()``, in a fraction of the time: only the identifier differs
    between the headers of the files of an association.
    """
    request = cast(C_STORE, event.request)
    uid, stream = str(request.AffectedSOPInstanceUID or ""), request.DataSet
    if not _SHORTEST <= len(uid) <= 64 or not uid.isascii() or not isinstance(stream, BytesIO):
        return event.encoded_dataset()
    context = event.context
    before, after = _around_identifier(
        str(request.AffectedSOPClassUID), str(context.transfer_syntax), len(uid)
    )
    return b"".join((_PREAMBLE, before, uid.encode(), after, stream.getvalue()))


@lru_cache(maxsize=512)
def _around_identifier(sop_class: str, transfer_syntax: str, length: int) -> tuple[bytes, bytes]:
    """Return the file meta information before and behind an identifier of this length."""
    stand_in = "9" * length
    meta = create_file_meta(
        sop_class_uid=UID(sop_class), sop_instance_uid=UID(stand_in), transfer_syntax=UID(transfer_syntax)
    )
    before, _, after = encode_file_meta(meta).partition(stand_in.encode())
    return before, after
