"""How a server runs; what would not be safe is refused here, before anything is started."""

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
"""Environment variable with the key of a server, or of one that a client asks."""


@dataclass(frozen=True)
class ServerSettings:
    """Everything that an operator can set.

    Attributes:
        host: Address to listen at.
        port: TCP port; 0 for any free one.
        keys: Access keys, any of which opens the server, as ``AccessKey.from_line`` reads them; none only on
            loopback.
        token_file: Where the keys are from: it is read again when it has changed.
        audit_file: Gets a line for each request; None for no such file.
        certfile: PEM with the certificate chain, for TLS.
        keyfile: PEM with its private key; None if it is in ``certfile``.
        behind_proxy: Whether a reverse proxy on this or another machine speaks TLS with the clients; its
            ``X-Forwarded-For`` is believed then.
        allowed_hosts: Names beside the usual ones by which clients may call the server.
        limits: Of one request.
        store_folder: Where the server makes its private folder for volumes; None for the temporary folder.
        store_bytes: All stored volumes together.
        store_expiry_s: After so many seconds without use a volume is forgotten.
        max_queue: Jobs that wait.
        max_queue_per_client: Jobs of one client that wait.
        max_uploads: Uploads at once.
        max_connections: Open connections; fewer if the process may not have so many open files.
        head_timeout_s: For a TLS handshake, and for the request line and headers.
        body_idle_s: Longest silence inside a body.
        min_body_rate: Bytes a second, on average, after ``body_idle_s``.
        send_timeout_s: For a client to take a piece of its answer, 64 KiB; and in all, for the engine to wait
            for a client that takes its answer more slowly than it is made.
        stop_grace_s: For running jobs when the server stops.

    Raises:
        SettingsError: They contradict each other, or would let strangers in.
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
        """Whether only programs on this computer reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def max_uploads_per_key(self) -> int:
        """Uploads at once of one key: all, if there is no other."""
        return self.max_uploads if len(self.keys) < 2 else max(1, self.max_uploads // 2)

    @property
    def max_queue_per_key(self) -> int:
        """Jobs of one key that wait: all, if there is no other."""
        return self.max_queue if len(self.keys) < 2 else self.max_queue_per_client

    @property
    def volume_folder(self) -> Path:
        """Folder in which the server makes its private one."""
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
    """Return the access keys: of a file, one a line, ``#`` begins a remark; else of ``TEXTSEGMENT_TOKEN``.

    The variable is removed from the environment, so that no child process inherits it.

    Raises:
        SettingsError: The file cannot be read, holds no key, or can be read by other users.
    """
    given = os.environ.pop(KEY_VARIABLE, "")
    if token_file is None:
        return (given,) if given else ()
    return key_lines(token_file)
