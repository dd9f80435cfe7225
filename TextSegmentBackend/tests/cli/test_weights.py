"""``textsegment weights`` against a local server that plays the hub."""

import json

import pytest
from local_hub import LocalHub
from tiny_model import TINY_PUBLISHED, write_tiny_pair
from typer.testing import CliRunner

from textsegment.cli.commands.weights import weights_app
from textsegment.errors import (
    CancelledError,
    WeightsDownloadError,
    WeightsError,
    WeightsMissingError,
    WeightsTamperedError,
)
from textsegment.inference.weights.registry import PUBLISHED


@pytest.fixture(autouse=True)
def bare_home(monkeypatch, tmp_path):
    monkeypatch.setenv("TEXTSEGMENT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("HF_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(PUBLISHED, "sat-tiny", TINY_PUBLISHED)


@pytest.fixture
def published(tmp_path):
    write_tiny_pair(tmp_path / "published")
    return tmp_path / "published"


@pytest.fixture
def server(published, monkeypatch):
    files = {path.relative_to(published).as_posix(): path.read_bytes() for path in published.rglob("*.pth")}
    with LocalHub(files) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        yield server


def weights(*arguments, answer=None):
    return CliRunner().invoke(weights_app, [str(argument) for argument in arguments], input=answer)


def test_list_before_and_after(published):
    before = weights("list")
    weights("import", "sat-tiny", published)
    after = weights("list")

    assert before.exit_code == after.exit_code == 0
    (line,) = (line for line in before.output.splitlines() if "sat-tiny" in line)
    assert "not on this computer" in line
    assert "zzh99/SAT on the Hugging Face hub" in line
    (line,) = (line for line in after.output.splitlines() if "sat-tiny" in line)
    assert "ready" in line
    assert "imported files" in line


def test_download_with_yes(server):
    result = weights("download", "sat-tiny", "--yes")

    assert result.exit_code == 0, result.output
    assert "authors of SAT" in result.output
    assert "sat-tiny is ready" in result.output
    assert weights("verify", "sat-tiny").output.startswith("sat-tiny: unchanged, SHA-256 ")


def test_download_asks(server):
    result = weights("download", "sat-tiny", answer="y\n")

    assert result.exit_code == 0, result.output
    assert result.output.index("terms stand at") < result.output.index("Download them?")
    assert len(server.transfers()) == 2


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_download_refused_or_nobody_there(answer, server):
    result = weights("download", "sat-tiny", answer=answer)

    assert isinstance(result.exception, CancelledError)
    assert "--yes" in result.exception.hint
    assert server.transfers() == []


def test_download_without_network():
    assert isinstance(weights("download", "sat-tiny", "--yes").exception, WeightsDownloadError)


def test_verify_finds_a_change(published, tmp_path):
    weights("import", "sat-tiny", published)
    with (tmp_path / "home/weights/sat-tiny.safetensors").open("ab") as file:
        file.write(b"x")

    assert isinstance(weights("verify").exception, WeightsTamperedError)


def test_verify_of_all_that_is_here(published):
    weights("import", "sat-tiny", published)

    assert "sat-tiny: unchanged" in weights("verify").output


def test_verify_of_what_is_not_here():
    assert isinstance(weights("verify", "sat-nano").exception, WeightsMissingError)


def test_remove_frees_the_room_and_the_record_stays(published, tmp_path):
    """Extensions Index, tier 3: what was downloaded can be deleted."""
    weights("import", "sat-tiny", published)
    folder = tmp_path / "home" / "weights"
    mine = folder / "my notes.txt"
    mine.write_text("keep")
    assert weights("remove", "sat-tiny", answer="n\n").exit_code != 0
    assert (folder / "sat-tiny.safetensors").exists()

    result = weights("remove", "sat-tiny", answer="y\n")

    assert result.exit_code == 0, result.output
    assert not (folder / "sat-tiny.safetensors").exists()
    assert mine.read_text() == "keep"
    assert (folder / "lock.json").exists()
    assert "not on this computer" in weights("list").output
    assert weights("import", "sat-tiny", published).exit_code == 0


def test_remove_takes_a_broken_download_too_and_no_file_of_the_user(server, tmp_path):
    weights("download", "sat-tiny", "--yes")
    (folder,) = [tmp_path / "home" / "weights"]
    lock = json.loads((folder / "lock.json").read_text())
    broken = folder / "downloads" / "sat-tiny" / lock["models"]["sat-tiny"]["revision"]
    broken.mkdir(parents=True)
    (broken / "network.pth.part").write_bytes(b"half")
    (broken.parent / "mine.pth").write_bytes(b"mine")

    assert weights("remove", "sat-tiny", "--yes").exit_code == 0

    assert not broken.exists()
    assert (broken.parent / "mine.pth").read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["sat-demo", "sat-nonsense", "sat-tiny", "../sat-tiny"])
def test_remove_what_is_not_there(name):
    result = weights("remove", name, "--yes")
    assert isinstance(result.exception, (WeightsError, WeightsMissingError))


def test_remove_leaves_a_file_that_was_never_recorded(tmp_path):
    folder = tmp_path / "home" / "weights"
    folder.mkdir(parents=True)
    (folder / "sat-tiny.safetensors").write_bytes(b"somebody else's")
    assert isinstance(weights("remove", "sat-tiny", "--yes").exception, WeightsMissingError)
    assert (folder / "sat-tiny.safetensors").exists()
