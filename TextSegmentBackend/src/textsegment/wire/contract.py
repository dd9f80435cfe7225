"""Names that both sides agree on: version, routes, headers, media types."""

from __future__ import annotations

import re

from textsegment.errors import RequestError, VersionMismatchError

PROTOCOL_VERSION = 1

INFO_ROUTE = "/v1/info"
HEALTH_ROUTE = "/healthz"
READY_ROUTE = "/readyz"
METRICS_ROUTE = "/metrics"
VOLUME_ROUTE = "/v1/volumes/{digest}"
SEGMENT_ROUTE = "/v1/segment"

PROTOCOL_HEADER = "TextSegment-Protocol"
"""In every request and answer under ``/v1``: the version, in decimal digits."""
NEXT_CHUNK_HEADER = "TextSegment-Next-Chunk"
"""In answers to HEAD and PUT of a volume: how many chunks of it are stored."""
FEATURES_HEADER = "TextSegment-Features"
"""In answers to ``GET /v1/info``: what the server can beyond the first version, names with commas between."""
FEATURES = ("effort", "estimate")
"""``effort``: the fields ``region`` and ``fast`` of a request; ``estimate``: the field and the frame."""
UPGRADE_PROTOCOL = f"textsegment/{PROTOCOL_VERSION}"
"""Value of the header ``Upgrade`` in an answer 426."""

HEARTBEAT_S = 10
"""A running answer is never silent for longer: the server repeats its last frame ``QUEU`` or ``PROG``."""

JSON_TYPE = "application/json"
VOLUME_TYPE = "application/vnd.textsegment.volume"
ANSWER_TYPE = "application/vnd.textsegment.answer"

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


def checked_digest(text: object) -> str:
    """Return a volume digest as it was given: SHA-256, 64 lower-case hexadecimal digits.

    Raises:
        RequestError: It is something else, for example a path.
    """
    if not isinstance(text, str) or not _DIGEST.fullmatch(text):
        raise RequestError("A volume is named by its SHA-256, 64 lower-case hexadecimal digits.")
    return text


def volume_path(digest: str) -> str:
    """Return the path of one volume, such as ``/v1/volumes/9f86…``.

    Raises:
        RequestError: The digest is not a SHA-256.
    """
    return VOLUME_ROUTE.format(digest=checked_digest(digest))


def version_mismatch(theirs: str) -> VersionMismatchError:
    """Return the error for another side that speaks another version."""
    return VersionMismatchError(
        f"The other side speaks version {theirs!a} of the protocol, this one version {PROTOCOL_VERSION}.",
        "Update the older one of client and server.",
    )
