"""Connections of a node in its configuration: who may send, where images are fetched, where results go."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from textsegment.node.tables import AeTitle, ItemName, Table


def _network(text: str) -> str:
    ipaddress.ip_network(text, strict=False)
    return text


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise ValueError("an address is http(s)://host/path, without a user name")
    return text.rstrip("/")


Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0)]
Url = Annotated[str, AfterValidator(_url)]


class Tls(Table):
    """TLS of DICOM associations: both sides show a certificate (PS3.15, BCP 195 profiles).

    Attributes:
        certfile: PEM file with our certificate chain.
        keyfile: PEM file with the private key; None if it is in ``certfile``.
        ca_file: PEM file with the authorities whose certificates are trusted.
    """

    certfile: Path
    keyfile: Path | None = None
    ca_file: Path


class Peer(Table):
    """A system that may send images.

    Attributes:
        ae_title: Its AE title.
        address: Its address, or a network such as ``10.1.2.0/24``.
    """

    ae_title: AeTitle
    address: Annotated[str, AfterValidator(_network)]


class Receive(Table):
    """The DICOM service that takes images.

    Attributes:
        host: Address to listen at.
        port: TCP port.
        ae_title: Our AE title.
        peers: Systems that may send; all others are refused.
        max_associations: Number of associations at once, and of connections of one address.
        handshake_s: Longest time until a connection has become an association.
        idle_s: Longest silence within an association.
        tls: TLS; None for plain TCP.
    """

    host: str = "127.0.0.1"
    port: Port = 11112
    ae_title: AeTitle = "TEXTSEGMENT"
    peers: Annotated[tuple[Peer, ...], Field(min_length=1)]
    max_associations: Annotated[int, Field(ge=1, le=200)] = 16
    handshake_s: Seconds = 10.0
    idle_s: Seconds = 60.0
    tls: Tls | None = None


class Web(Table):
    """Access to a DICOMweb service.

    Attributes:
        name: Name of the service.
        url: Address of the service, below which there is ``/studies``.
        user: User name, or None.
        password_file: File with the password of the user.
        token_file: File with a bearer token.
        ca_file: PEM file with authorities to trust in place of the usual ones.
        timeout_s: Longest wait for the service.
    """

    name: ItemName
    url: Url
    user: str | None = None
    password_file: Path | None = None
    token_file: Path | None = None
    ca_file: Path | None = None
    timeout_s: Seconds = 60.0


class Poll(Web):
    """A query that is repeated, and whose series are fetched.

    Attributes:
        interval_s: Seconds between two queries.
        days: Number of days, today included, on which the study may have been made; 0 for any date.
        query: Keys of studies and series and their values, such as ``StudyDescription = "*RT*"``.
    """

    interval_s: Seconds = 60.0
    days: Annotated[int, Field(ge=0)] = 1
    query: dict[str, str] = Field(default_factory=dict)


class DicomDestination(Table):
    """A destination that takes objects by C-STORE.

    Attributes:
        name: Name of the destination.
        kind: ``dicom``.
        host: Its address.
        port: Its TCP port.
        ae_title: Its AE title.
        calling_ae_title: Our AE title.
        timeout_s: Longest wait for it.
        tls: TLS; None for plain TCP.
    """

    name: ItemName
    kind: Literal["dicom"]
    host: str
    port: Port
    ae_title: AeTitle
    calling_ae_title: AeTitle = "TEXTSEGMENT"
    timeout_s: Seconds = 60.0
    tls: Tls | None = None


class WebDestination(Web):
    """A destination that takes objects by STOW-RS.

    Attributes:
        kind: ``dicomweb``.
    """

    kind: Literal["dicomweb"]


Destination = DicomDestination | WebDestination
