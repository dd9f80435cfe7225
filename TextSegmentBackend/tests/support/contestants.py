"""Every kind of segmenter, for the tests that all of them have to pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ray_server import RayServer, shared_ray
from server_process import ServerProcess

from textsegment.client.remote import RemoteSegmenter
from textsegment.doubt import Calibration
from textsegment.inference.engine import LocalSegmenter
from textsegment.segmenter import Segmenter
from textsegment.testing import FakeSegmenter


@dataclass(frozen=True)
class Contestant:
    """A segmenter, and what its tests may ask for.

    Attributes:
        segmenter: Under test.
        found: Structures with a mask in ``phantom(SMALL)``.
        empty: One without.
        key: Key of its server; empty if it needs none.
    """

    segmenter: Segmenter
    found: tuple[str, str, str]
    empty: str
    key: str = ""


SMALL = (20, 16, 12)
_OF_FAKE = (("liver", "left kidney", "aorta"), "spleen")
# The random weights of tiny_engine happen to find no aorta there.
_OF_TINY = (("liver", "spleen", "left kidney"), "aorta")
KEY = "key-of-the-conformance-tests"


def tiny_segmenter() -> LocalSegmenter:
    """Return SAT with a few random weights; also the factory of the server."""
    from tiny_engine import tiny_model

    model = replace(tiny_model(), calibration=Calibration(0.3, 0.4, 12, 200))
    return LocalSegmenter(model, device="cpu", precision="fp32", threads=1)


@contextmanager
def fake() -> Iterator[Contestant]:
    """Balls, in this process."""
    yield Contestant(FakeSegmenter(), *_OF_FAKE)


@contextmanager
def local() -> Iterator[Contestant]:
    """The engine, in this process."""
    yield Contestant(tiny_segmenter(), *_OF_TINY)


@contextmanager
def remote_fake() -> Iterator[Contestant]:
    """Balls, behind a server."""
    with ServerProcess(keys=(KEY,)) as server, RemoteSegmenter(server.url, KEY) as segmenter:
        yield Contestant(segmenter, *_OF_FAKE, KEY)


@contextmanager
def remote() -> Iterator[Contestant]:
    """The engine, behind a server."""
    with (
        ServerProcess("contestants:tiny_segmenter", keys=(KEY,)) as server,
        RemoteSegmenter(server.url, KEY) as segmenter,
    ):
        yield Contestant(segmenter, *_OF_TINY, KEY)


@contextmanager
def ray() -> Iterator[Contestant]:
    """Balls, on two replicas of Ray Serve behind a server."""
    with RayServer(ray=shared_ray()) as server, RemoteSegmenter(server.url) as segmenter:
        yield Contestant(segmenter, *_OF_FAKE)


CONTESTANTS = {"fake": fake, "local": local, "remote_fake": remote_fake, "remote": remote, "ray": ray}
