"""Server settings; unsafe combinations are refused here, before anything is started."""

from __future__ import annotations

import ipaddress
import math
import os
import tempfile
from dataclasses import dataclass, field, fields
from pathlib import Path

from textsegment.errors import SettingsError
from textsegment.server.keys import key_lines, parsed_keys
from textsegment.wire.limits import Limits

DEFAULT_PORT = 8765
KEY_VARIABLE = "TEXTSEGMENT_TOKEN"
"""Environment variable with the access key, for servers as well as clients."""


@dataclass(frozen=True)
class ServerSettings:
    """All settings of a server.

    Attributes:
        host: Address to listen at.
        port: TCP port; 0 for any free one.
        keys: Access keys in the format of ``AccessKey.from_line``, any of which grants access; may be empty
            on loopback only.
        token_file: File that the keys come from, which is reloaded when it changes; None if there is none.
        audit_file: File that gets one line per request; None for no audit file.
        certfile: PEM file with the certificate chain for TLS; None for plain HTTP.
        keyfile: PEM file with the private key; None if it is in ``certfile``.
        behind_proxy: Whether a reverse proxy on this or another machine terminates TLS; its
            ``X-Forwarded-For`` header is then trusted.
        allowed_hosts: Additional host names by which clients may address the server.
        limits: Limits of a single request.
        store_folder: Folder in which the server creates its private folder for volumes; None for the
            temporary folder.
        store_bytes: Maximum size of all stored volumes.
        store_expiry_s: Seconds without use after which a volume is dropped.
        max_queue: Maximum number of waiting jobs.
        max_queue_per_client: Maximum number of waiting jobs of one client.
        max_uploads: Maximum number of simultaneous uploads.
        max_connections: Maximum number of open connections; lower if the limit of open files requires it.
        head_timeout_s: Time limit for a TLS handshake, and for the request line and headers.
        body_idle_s: Longest pause within a body.
        min_body_rate: Minimum average rate of a body in bytes per second, beyond an allowance of
            ``body_idle_s``.
        send_timeout_s: Time limit for a client to take a piece of its response (64 KiB); also the total time
            that the engine waits for a client that reads more slowly than the response is produced.
        stop_grace_s: Time that running jobs get to finish when the server stops.

    Raises:
        SettingsError: If the settings are inconsistent or insecure.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    keys: tuple[str, ...] = field(default=(), repr=False)
    token_file: Path | None = None
    audit_file: Path | None = None
    certfile: Path | None = None
    keyfile: Path | None = None
    behind_proxy: bool = False
    allowed_hosts: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    store_folder: Path | None = None
    store_bytes: int = 2**34
    store_expiry_s: float = 3600.0
    max_queue: int = 64
    max_queue_per_client: int = 32
    max_uploads: int = 32
    max_connections: int = 512
    head_timeout_s: float = 10.0
    body_idle_s: float = 20.0
    min_body_rate: int = 16384
    send_timeout_s: float = 60.0
    stop_grace_s: float = 10.0

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise SettingsError("A port is a number from 0 to 65535.")
        for f in fields(self):
            value = getattr(self, f.name)
            if (
                f.name != "port"
                and isinstance(value, (int, float))
                and not isinstance(value, bool)
                and not 0 < value < math.inf
            ):
                raise SettingsError(f"{f.name.replace('_', ' ')} is a number above 0.")
        parsed_keys(self.keys)
        if self.keyfile is not None and self.certfile is None:
            raise SettingsError("There is a private key without a certificate.", "Give --certfile too.")
        if self.store_bytes < self.limits.max_volume_bytes:
            raise SettingsError(
                "The store cannot hold a single volume of the accepted size.",
                "Raise --max-store-mb, or lower --max-volume-mb.",
            )
        self._require_protection()

    @property
    def is_loopback(self) -> bool:
        """Whether only programs on this computer can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def max_uploads_per_key(self) -> int:
        """Maximum number of simultaneous uploads of one key: all of them if there is no other key."""
        return self.max_uploads if len(self.keys) < 2 else max(1, self.max_uploads // 2)

    @property
    def max_queue_per_key(self) -> int:
        """Maximum number of waiting jobs of one key: the whole queue if there is no other key."""
        return self.max_queue if len(self.keys) < 2 else self.max_queue_per_client

    @property
    def volume_folder(self) -> Path:
        """Folder in which the server creates its private folder."""
        if self.store_folder is not None:
            return self.store_folder
        user = os.getuid() if hasattr(os, "getuid") else "user"
        return Path(tempfile.gettempdir()) / f"textsegment-{user}"

    def _require_protection(self) -> None:
        if self.is_loopback and not self.behind_proxy:
            return
        if not self.keys:
            raise SettingsError(
                "A server that others can reach needs an access key.",
                "Give --token-file with one key a line.",
            )
        if self.certfile is None and not self.behind_proxy:
            raise SettingsError(
                "A server that others can reach needs TLS: without it, scans and keys travel in the clear.",
                "Give --certfile and --keyfile, or --behind-proxy if a proxy in front of it speaks TLS.",
            )


def read_keys(token_file: Path | None) -> tuple[str, ...]:
    """Return the lines with access keys, from a file or else from the variable ``TEXTSEGMENT_TOKEN``.

    The variable is removed from the environment, so that no child process inherits it.

    Args:
        token_file: File with one key per line; lines starting with ``#`` are comments. None to use the
            variable.

    Raises:
        SettingsError: If the file cannot be read, holds no key, or is accessible to other users.
    """
    given = os.environ.pop(KEY_VARIABLE, "")
    if token_file is None:
        return (given,) if given else ()
    return key_lines(token_file)
