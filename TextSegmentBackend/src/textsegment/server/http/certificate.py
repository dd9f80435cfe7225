"""The certificate of the server: loaded, checked as a client would, and reloaded after a renewal."""

from __future__ import annotations

import logging
import os
import ssl
import stat
import time
from contextlib import suppress
from pathlib import Path

from textsegment.errors import SettingsError
from textsegment.server.logs import log

_SOON_DAYS = 14
_DAY_S = 86400
_EXPIRED, _NOT_YET_VALID = 10, 9  # values of OpenSSL's verify_code


class Certificate:
    """Certificate chain and private key of a server.

    Args:
        certfile: PEM file with the certificate chain.
        keyfile: PEM file with the private key; None if it is in ``certfile``.

    Attributes:
        context: TLS context; connections that start after a renewal get the new certificate.

    Raises:
        SettingsError: If the certificate and the key cannot be used.
    """

    def __init__(self, certfile: Path, keyfile: Path | None) -> None:
        self._certfile = certfile
        self._keyfile = keyfile
        self._state = self._files_state()
        self.context = _loaded(certfile, keyfile)

    def warnings(self) -> list[str]:
        """Return warnings for the operator, as complete sentences."""
        found = []
        key = self._keyfile or self._certfile
        if os.name == "posix" and key.stat().st_mode & stat.S_IROTH:
            found.append("Every user of this computer can read the private key: run chmod 600 on it.")
        days = self.days_left()
        if days is None:
            return found
        if days < 0:
            found.append(
                "The certificate is not valid today: clients refuse it. Renew it, or check the clock."
            )
        elif days < _SOON_DAYS:
            found.append(f"The certificate expires in {days:.0f} days. Renew it.")
        return found

    def days_left(self) -> float | None:
        """Return the days until the certificate expires; negative if it has expired or is not valid yet.

        The dates are judged by OpenSSL, by presenting the certificate to a client in this process that trusts
        nothing else.

        Returns:
            Days left; None if OpenSSL objects to anything else, which depends on what clients trust.
        """
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
        try:
            client.load_verify_locations(self._certfile)
            end = _last_moment(self.context, client)
        except ssl.SSLCertVerificationError as error:
            return -1.0 if error.verify_code in (_EXPIRED, _NOT_YET_VALID) else None
        except OSError:
            return None
        return None if end is None else (ssl.cert_time_to_seconds(end) - time.time()) / _DAY_S

    def refresh(self) -> None:
        """Reload the files if they have changed; if that fails, the old certificate stays in use."""
        if (state := self._files_state()) == self._state:
            return
        self._state = state
        try:
            _loaded(self._certfile, self._keyfile)  # a trial: a partial failure would mix old and new
            self.context.load_cert_chain(self._certfile, self._keyfile, password=lambda: "")
        except (SettingsError, OSError):
            log("certificate_not_read_again", level=logging.ERROR)
            return
        log("certificate_read_again")

    def _files_state(self) -> list[tuple[int, ...]]:
        files = (self._certfile, self._keyfile or self._certfile)
        try:
            return [(s.st_ino, s.st_size, s.st_mtime_ns) for s in (file.stat() for file in files)]
        except OSError:
            return []


def _last_moment(server: ssl.SSLContext, client: ssl.SSLContext) -> str | None:
    """Return the expiry date of a server's certificate as a client sees it."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    there = server.wrap_bio(to_server, to_client, server_side=True)
    here = client.wrap_bio(to_client, to_server)
    for _ in range(8):  # more rounds than a handshake needs
        for side in (here, there):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
                if side is here:
                    return str((here.getpeercert() or {})["notAfter"])
    return None


def _loaded(certfile: Path, keyfile: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Without a password callback, OpenSSL would prompt for that of an encrypted key on the terminal.
        context.load_cert_chain(certfile, keyfile, password=lambda: "")
    except (OSError, ValueError) as error:  # SSLError is an OSError
        raise SettingsError(
            "The certificate and its private key cannot be used.",
            "Both are PEM files that belong together; the key is not encrypted.",
        ) from error
    return context
