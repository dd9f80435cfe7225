"""Names shared by client and server: version, routes, headers and media types."""

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
RESOLVE_ROUTE = "/v1/terms/resolve"
SEARCH_ROUTE = "/v1/terms/search"
TREE_ROUTE = "/v1/terms/tree"
TEMPLATES_ROUTE = "/v1/terms/templates"
STRUCTURES_ROUTE = "/v1/terms/structures"
CORRECT_ROUTE = "/v1/correct"
CONTOURS_ROUTE = "/v1/contours"

PROTOCOL_HEADER = "TextSegment-Protocol"
"""Header of every request and response under ``/v1``: the protocol version in decimal digits."""
NEXT_CHUNK_HEADER = "TextSegment-Next-Chunk"
"""Header of responses to HEAD and PUT of a volume: the number of its chunks that are stored."""
FEATURES_HEADER = "TextSegment-Features"
"""Header of responses to ``GET /v1/info``: comma-separated features beyond the first version."""
FEATURES = ("effort", "estimate", "details", "check", "correct", "contours", "tidy")
"""Known features. ``effort``: request fields ``region`` and ``fast``; ``estimate``: its field and frame;
``details``: its field, cautions with codes, and the statistics by which a mask is judged; ``check``: its
field; ``correct``: the route of corrections; ``contours``: that of contours, and codes of structures;
``tidy``: its field."""
TIDY_USUAL = "tidy_usual"
"""A feature of some models: their masks are tidied unless the user says otherwise."""
CALIBRATION_HEADER = "TextSegment-Calibration"
"""Header of responses to ``GET /v1/info``, if the weights are calibrated: four numbers with commas between
them, the 95 % and 98 % quantiles of the unsure share, scans and masks."""
UPGRADE_PROTOCOL = f"textsegment/{PROTOCOL_VERSION}"
"""Value of the ``Upgrade`` header in a 426 response."""

HEARTBEAT_S = 10
"""Longest silence of a response, in seconds, after which the last ``QUEU`` or ``PROG`` frame is repeated."""

JSON_TYPE = "application/json"
VOLUME_TYPE = "application/vnd.textsegment.volume"
CORRECTION_TYPE = "application/vnd.textsegment.correction"
OUTLINE_TYPE = "application/vnd.textsegment.outline"
ANSWER_TYPE = "application/vnd.textsegment.answer"

CAUTION_HEADER = "TextSegment-Caution"
"""Header of error responses whose message is a caution: its code, subject and values as JSON in ASCII."""

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


def checked_digest(text: object) -> str:
    """Validate a volume digest, SHA-256 as 64 lower-case hexadecimal digits, and return it unchanged.

    Raises:
        RequestError: The text is anything else, for example a path.
    """
    if not isinstance(text, str) or not _DIGEST.fullmatch(text):
        raise RequestError("A volume is named by its SHA-256, 64 lower-case hexadecimal digits.")
    return text


def volume_path(digest: str) -> str:
    """Return the URL path of a volume, such as ``/v1/volumes/9f86…``.

    Raises:
        RequestError: The digest is not a SHA-256.
    """
    return VOLUME_ROUTE.format(digest=checked_digest(digest))


def version_mismatch(theirs: str) -> VersionMismatchError:
    """Return the error for a peer that uses another protocol version."""
    return VersionMismatchError(
        f"The other side speaks version {theirs!a} of the protocol, this one version {PROTOCOL_VERSION}.",
        "Update the older one of client and server.",
    )
