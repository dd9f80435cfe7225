"""Weights at home: digests, records, lists."""

from pathlib import Path

import pytest
from tiny_published import fetch

from textsegment.errors import (
    OutputError,
    WeightsError,
    WeightsTamperedError,
)
from textsegment.inference.weights.acquire import import_folder
from textsegment.inference.weights.models import list_models, load_model, verify
from textsegment.inference.weights.store import Store, home


def test_weights_that_changed_on_disk_are_refused(server):
    """Fault 42."""
    path = fetch()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)

    for use in (load_model, verify):
        with pytest.raises(WeightsTamperedError, match=r"sat-tiny\.safetensors"):
            use("sat-tiny")


def test_verify_tells_the_digest(server):
    fetch()

    assert verify("sat-tiny") == load_model("sat-tiny").digest


def test_home_that_cannot_be_made(server, tmp_path):
    (tmp_path / "home").write_text("a file")

    with pytest.raises(OutputError):
        fetch()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"format": 99, "models": {}}',
        '{"format": 1, "models": {"sat-tiny": {"revision": ""}}}',
    ],
)
def test_damaged_record(content, server):
    fetch()
    Store().lock_file.write_text(content)

    with pytest.raises(WeightsTamperedError, match=r"record of weights is damaged.*lock\.json"):
        load_model("sat-tiny")


@pytest.mark.parametrize("name", ["sat-giant", "", "../sat-nano"])
def test_unknown_model(name, tmp_path):
    for use in (load_model, verify, lambda name: import_folder(name, tmp_path)):
        with pytest.raises(WeightsError, match="sat-demo, sat-nano, sat-pro"):
            use(name)


def test_list(published):
    import_folder("sat-tiny", published)

    demo, nano, pro, tiny = list_models()

    assert (demo.name, demo.origin) == ("sat-demo", "this package")
    assert (nano.name, nano.ready, pro.name, pro.ready) == ("sat-nano", False, "sat-pro", False)
    assert (tiny.ready, tiny.origin) == (True, "imported files")
    assert tiny.size == Store().weights_file("sat-tiny").stat().st_size


def test_home(monkeypatch, tmp_path):
    assert home() == tmp_path / "home"

    monkeypatch.delenv("TEXTSEGMENT_HOME")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert home() == tmp_path / "textsegment"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert home() == Path.home() / ".cache/textsegment"
    monkeypatch.setattr("sys.platform", "darwin")
    assert home() == Path.home() / "Library/Caches/textsegment"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert home() == tmp_path / "textsegment"
