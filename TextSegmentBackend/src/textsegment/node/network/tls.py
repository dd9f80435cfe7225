"""TLS for DICOM associations, after the BCP 195 profiles of the standard (PS3.15 B.9 to B.13).

Both sides show certificates; there is no fallback to plain TCP and none to versions before 1.2.
"""

from __future__ import annotations

import ssl

from textsegment.errors import SettingsError
from textsegment.node.connections import Tls

# With forward secrecy and authenticated encryption; those of TLS 1.3 are all so.
_CIPHERS = "ECDHE+AESGCM:DHE+AESGCM:ECDHE+CHACHA20"


def server_context(tls: Tls) -> ssl.SSLContext:
    """Return the context of the side that listens; it demands a certificate of the other side.

    Raises:
        SettingsError: Certificate, key or authorities cannot be used.
    """
    return _context(ssl.PROTOCOL_TLS_SERVER, tls)


def client_context(tls: Tls) -> ssl.SSLContext:
    """Return the context of the side that connects; it checks the name of the other side.

    Raises:
        SettingsError: Certificate, key or authorities cannot be used.
    """
    return _context(ssl.PROTOCOL_TLS_CLIENT, tls)


def _context(side: int, tls: Tls) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(tls.certfile, tls.keyfile)
        context.load_verify_locations(tls.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            "Certificate, key or authorities for TLS cannot be used.", "Check certfile, keyfile and ca_file."
        ) from error
    return context
