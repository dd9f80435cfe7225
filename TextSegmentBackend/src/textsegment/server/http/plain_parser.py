"""Parses requests that offer to upgrade the protocol as ordinary HTTP/1.1 requests."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import httptools

# The headers that make up an offer; without them, the request means the same.
_OFFERS = (b"upgrade", b"http2-settings")


class PlainParser:
    """httptools parser for a uvicorn protocol that ignores upgrades.

    HTTP allows a server to ignore the offer ``Upgrade: h2c``, which Java's client makes with every first
    request. But httptools stops after such a head, and the body would be lost; so the head is parsed again
    without the offer.

    Args:
        protocol: The uvicorn protocol, whose callbacks must do nothing while ``is_offer`` is True.
    """

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._parser = _parser_for(protocol)

    @property
    def is_offer(self) -> bool:
        """Whether the head just parsed makes an offer, in which case it will be parsed again without it."""
        return bool(self._parser.should_upgrade())

    def feed_data(self, data: bytes) -> None:
        """Parse bytes.

        Raises:
            HttpParserError: If the bytes are not HTTP, or ask for a tunnel.
        """
        while True:
            try:
                self._parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as offer:
                head = self._plain_head()
                data = head + data[offer.args[0] :]
                self._parser = _parser_for(self._protocol)

    def get_method(self) -> bytes:
        """Return the method of the request."""
        return bytes(self._parser.get_method())

    def get_http_version(self) -> str:
        """Return the HTTP version of the request."""
        return str(self._parser.get_http_version())

    def should_keep_alive(self) -> bool:
        """Return whether the connection stays open after the request."""
        return bool(self._parser.should_keep_alive())

    def should_upgrade(self) -> bool:
        """Return False, because nothing is ever upgraded."""
        return False

    def _plain_head(self) -> bytes:
        method = self.get_method()
        if method == b"CONNECT":
            raise httptools.HttpParserError("no proxy")
        lines = [b"%s %s HTTP/%s" % (method, self._protocol.url, self.get_http_version().encode())]
        for name, value in self._protocol.headers:
            if name == b"connection":
                tokens = (token.strip() for token in value.split(b","))
                value = b", ".join(token for token in tokens if token.lower() not in _OFFERS)
            if name not in _OFFERS and (value or name != b"connection"):
                lines.append(name + b": " + value)
        return b"\r\n".join([*lines, b"", b""])


def _parser_for(protocol: Any) -> Any:
    parser = httptools.HttpRequestParser(protocol)
    with suppress(AttributeError):  # as uvicorn does, where httptools supports it
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser
