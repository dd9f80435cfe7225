"""Weights are downloaded from a hub (here a local one) only after the user has agreed."""

import sys
import time
from pathlib import Path

import pytest
from textsegment.errors import WeightsDownloadError
from TextSegmentLib.engine.interpreter import Interpreter
from TextSegmentLib.engine.weights_download import DownloadState, WeightsDownload

SUPPORT = Path(__file__).parents[2] / "TextSegmentBackend" / "tests" / "support"
SITE = """
from tiny_model import TINY_PUBLISHED
from textsegment.inference.weights.registry import PUBLISHED
PUBLISHED["sat-tiny"] = TINY_PUBLISHED
"""


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Serves the weights of a tiny model, which the engine's Python is configured to use."""
    monkeypatch.syspath_prepend(str(SUPPORT))
    from local_hub import LocalHub
    from tiny_model import write_tiny_pair

    write_tiny_pair(tmp_path / "published")
    (tmp_path / "sitecustomize.py").write_text(SITE)
    files = {
        path.relative_to(tmp_path / "published").as_posix(): path.read_bytes()
        for path in (tmp_path / "published").rglob("*.pth")
    }
    with LocalHub(files) as made:
        made.home = tmp_path
        yield made


def download(hub, model="sat-tiny"):
    class Python(Interpreter):
        def environment(self):
            variables = super().environment()
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HF_TOKEN"):
                variables.pop(name, None)
            return variables | {
                "PYTHONPATH": f"{hub.home}:{SUPPORT}:{variables['PYTHONPATH']}",
                "TEXTSEGMENT_HOME": str(hub.home / "home"),
                "HF_ENDPOINT": hub.endpoint,
            }

    return WeightsDownload(Python(sys.executable, is_slicers=True), model)


def until(made, *states):
    deadline = time.monotonic() + 600
    while made.look() not in states:
        assert time.monotonic() < deadline, made.state
        time.sleep(0.01)
    return made.state


def test_nothing_is_downloaded_before_the_user_agrees(hub):
    made = download(hub)
    assert until(made, DownloadState.ASKING, DownloadState.FAILED) is DownloadState.ASKING, made.error
    assert "authors of SAT" in made.offer
    assert hub.transfers() == []
    made.agree()
    assert until(made, DownloadState.DONE, DownloadState.FAILED) is DownloadState.DONE, made.error
    assert made.fraction == 1.0
    assert made.file
    assert len(hub.transfers()) == 2
    assert any((hub.home / "home").rglob("*.safetensors"))


def test_a_refusal_downloads_nothing(hub):
    made = download(hub)
    until(made, DownloadState.ASKING)
    made.cancel()
    assert made.look() is DownloadState.FAILED
    assert hub.transfers() == []


def test_what_is_wrong_is_said(hub):
    made = download(hub, "sat-huge")
    assert until(made, DownloadState.FAILED, DownloadState.ASKING) is DownloadState.FAILED
    assert isinstance(made.error, WeightsDownloadError)
    assert "sat-huge" in made.error.message
    assert "sat-nano" in made.error.hint
