"""An empty home, and a hub of our own with the weights of a tiny model."""

import pytest
from local_hub import LocalHub
from tiny_model import TINY_PUBLISHED, write_tiny_pair
from tiny_published import NETWORK, TEXT

from textsegment.inference.weights import hub as hub_module
from textsegment.inference.weights.registry import PUBLISHED


@pytest.fixture(autouse=True)
def bare_home(monkeypatch, tmp_path):
    """An empty home, no mirror in reach, and a model of a few hundred kilobytes."""
    monkeypatch.setenv("TEXTSEGMENT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for name in ("HF_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(hub_module, "PAUSE_S", 0)
    monkeypatch.setitem(PUBLISHED, "sat-tiny", TINY_PUBLISHED)


@pytest.fixture
def published(tmp_path):
    """A folder with the published files."""
    write_tiny_pair(tmp_path / "published")
    return tmp_path / "published"


@pytest.fixture
def server(published, monkeypatch):
    files = {path: (published / path).read_bytes() for path in (NETWORK, TEXT)}
    with LocalHub(files) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        yield server
