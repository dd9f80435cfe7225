"""The certificate of the server: loaded, looked at as a client would, and read again when it was renewed."""

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
_EXPIRED, _NOT_YET_VALID = 10, 9  # verify_code of OpenSSL


class Certificate:
    """Certificate chain and private key of a server.

    Args:
        certfile: PEM with the chain.
        keyfile: PEM with the private key; None if it is in ``certfile``.

    Attributes:
        context: For connections; those that begin after a renewal get the new certificate.

    Raises:
        SettingsError: They cannot be used.
    """

    def __init__(self, certfile: Path, keyfile: Path | None) -> None:
        self._certfile = certfile
        self._keyfile = keyfile
        self._state = self._files_state()
        self.context = _loaded(certfile, keyfile)

    def warnings(self) -> list[str]:
        """Return what an operator should know, in whole sentences."""
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
        """Return for how many days the certificate is good; negative if it is not any more or not yet.

        It is shown to a client in this process that trusts nothing else: OpenSSL judges the dates.

        Returns:
            None if OpenSSL objects to something else, which is a matter of whom clients trust.
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
        """Load the files again if they have changed; if that fails, the old ones stay."""
        if (state := self._files_state()) == self._state:
            return
        self._state = state
        try:
            _loaded(self._certfile, self._keyfile)  # first: what fails half way would leave them apart
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
    """Return until when the certificate of a server is good, as a client sees it."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    there = server.wrap_bio(to_server, to_client, server_side=True)
    here = client.wrap_bio(to_client, to_server)
    for _ in range(8):  # more than a handshake has messages
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
        # An encrypted key would make OpenSSL ask on the terminal.
        context.load_cert_chain(certfile, keyfile, password=lambda: "")
    except (OSError, ValueError) as error:  # SSLError is an OSError
        raise SettingsError(
            "The certificate and its private key cannot be used.",
            "Both are PEM files that belong together; the key is not encrypted.",
        ) from error
    return context
