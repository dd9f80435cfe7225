"""The connection to a TextSegment server, for ``--server``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from textsegment.errors import ServerUnreachableError, SettingsError, TextSegmentError
from textsegment.server.settings import KEY_VARIABLE

if TYPE_CHECKING:
    from textsegment.client.remote import RemoteSegmenter
    from textsegment.nninteractive.corrector import NNInteractiveCorrector

LOCAL = "local"
"""What ``--server`` is given to find a running server of this user on this computer."""


def connect(
    url: str, *, token_file: Path | None, ca_file: Path | None, allow_plain_http: bool
) -> RemoteSegmenter:
    """Return a segmenter for a server; nothing is sent yet.

    The access key comes from the file or the environment, never from the command line, which every user of
    this computer can read.

    Args:
        url: Address of the server.
        token_file: File with the access key; None to take it from the environment.
        ca_file: PEM file with the certificate authorities to trust, or None for the usual ones.
        allow_plain_http: Whether unencrypted connections to other computers are allowed.

    Raises:
        SettingsError: If the address, the key or a file cannot be used.
    """
    from textsegment.client.remote import RemoteSegmenter

    key = _read_key(token_file) if token_file is not None else os.environ.get(KEY_VARIABLE) or None
    return RemoteSegmenter(url, key, ca_file=ca_file, allow_plain_http=allow_plain_http)


def connect_to_running(model: str | None) -> RemoteSegmenter:
    """Return a segmenter for a server of this user that runs on this computer, the latest one.

    Args:
        model: Name of the model that it must have; None for any.

    Raises:
        ServerUnreachableError: There is none that answers.
    """
    from textsegment.client.remote import RemoteSegmenter
    from textsegment.server.announcement import running_servers

    others = set()
    for server in running_servers():
        if model not in (None, server.model):
            others.add(server.model)
            continue
        segmenter = RemoteSegmenter(server.url, server.key)
        try:
            segmenter.info()
        except TextSegmentError:  # it is stopping, or its key has changed: no answer to this question
            segmenter.close()
            continue
        return segmenter
    what = "engine" if model is None else f"engine with {model}"
    running = f"Running: {', '.join(sorted(others))}. " if others else ""
    raise ServerUnreachableError(
        f"No {what} of yours runs on this computer.",
        f"{running}Start one with `textsegment serve`, or leave --server out.",
    )


def connect_to_nninteractive(
    url: str, *, token_file: Path | None, allow_plain_http: bool
) -> NNInteractiveCorrector:
    """Return a corrector for the user's own nnInteractive server; nothing is sent yet.

    Args:
        url: Address of the server.
        token_file: File with the access key; None to take it from that program's environment variable.
        allow_plain_http: Whether unencrypted connections to other computers are allowed.

    Raises:
        SettingsError: If the address, the key or a file cannot be used.
    """
    from textsegment.nninteractive.corrector import NNInteractiveCorrector

    key = None if token_file is None else _read_key(token_file)
    return NNInteractiveCorrector(url, key, allow_plain_http=allow_plain_http)


def _read_key(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, ValueError):
        raise SettingsError("The file of the key cannot be read.", "It holds the key and no more.") from None
