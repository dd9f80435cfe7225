"""Reads requests that offer to go on in another protocol as what they are: requests in this one."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import httptools

# What makes an offer; a request says the same without it.
_OFFERS = (b"upgrade", b"http2-settings")


class PlainParser:
    """The parser of httptools for a protocol of uvicorn, without upgrades.

    HTTP lets a server ignore the offer ``Upgrade: h2c``, which Java's client makes with every first request;
    but httptools stops behind its head, and the body would be lost. So the head is read again, without it.

    Args:
        protocol: Its callbacks do nothing while ``is_offer``.
    """

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._parser = _parser_for(protocol)

    @property
    def is_offer(self) -> bool:
        """Whether the head that has just come makes an offer: it comes again without."""
        return bool(self._parser.should_upgrade())

    def feed_data(self, data: bytes) -> None:
        """Parse bytes.

        Raises:
            HttpParserError: They are no HTTP, or ask for a tunnel.
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
        """Return the version of HTTP of the request."""
        return str(self._parser.get_http_version())

    def should_keep_alive(self) -> bool:
        """Return whether the connection stays."""
        return bool(self._parser.should_keep_alive())

    def should_upgrade(self) -> bool:
        """Return that nothing is upgraded."""
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
    with suppress(AttributeError):  # as uvicorn does, where httptools can
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser
