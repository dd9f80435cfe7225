"""A running server of the same user is found by itself, and nothing else is."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from command_line import CHEST, textsegment
from server_process import ServerProcess, wait_until

from textsegment.client.remote import RemoteSegmenter
from textsegment.files.images.seg_nrrd import read_seg_nrrd
from textsegment.server import announcement
from textsegment.server.announcement import announced, running_servers
from textsegment.server.settings import ServerSettings
from textsegment.testing import ball

KEY = "a-key-of-24-characters--"


@pytest.fixture(autouse=True)
def runtime(tmp_path, monkeypatch):
    folder = tmp_path / "runtime"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder / "textsegment"


def segment(tmp_path, *arguments):
    command = ["segment", CHEST, "liver", "--modality", "CT", "--server", "local", "--quiet"]
    return textsegment(*command, "-o", tmp_path / "out.seg.nrrd", *arguments)


def test_the_command_line_uses_it_and_not_what_a_killed_one_left(tmp_path, runtime):
    with ServerProcess(keys=[KEY]) as server:
        (found,) = running_servers()
        assert (found.url, found.key, found.model) == (server.url, KEY, "fake")
        assert KEY not in repr(found)
        assert {path.stat().st_mode & 0o777 for path in runtime.glob("*.json")} == {0o600}
        assert segment(tmp_path) == (0, "", "")
        assert [line["outcome"] for line in server.events("job")] == ["done"]
        result = read_seg_nrrd(tmp_path / "out.seg.nrrd")
        assert np.array_equal(result.full_mask("liver"), ball("liver", result.geometry))
        ended = segment(tmp_path, "--overwrite", "--model", "sat-pro")
        assert (ended.code, "engine with sat-pro" in ended.err, "Running: fake" in ended.err) == (
            9,
            True,
            True,
        )
        server.process.kill()
        server.process.wait()
        assert len(list(runtime.glob("*.json"))) == 1
        # Somebody else may listen at this port by now: nothing is asked of it.
        ended = segment(tmp_path, "--overwrite")
        assert (ended.code, "[server_unreachable]" in ended.err) == (9, True)
        assert list(runtime.iterdir()) == []


def test_a_server_that_stops_takes_its_file_along(runtime):
    with ServerProcess() as server:
        assert [one.url for one in running_servers()] == [server.url]
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not list(runtime.glob("*.json")), "no announcement")
    assert running_servers() == []


def test_a_key_stays_in_its_file_and_may_change(tmp_path, runtime):
    keys = tmp_path / "keys"
    keys.touch(mode=0o600)
    keys.write_text(f"{KEY} until 2020-01-01\nward {KEY}other\n")
    settings = ServerSettings(keys=(KEY,), token_file=keys)
    with announced(settings, "http://127.0.0.1:9", "fake"):
        assert KEY not in next(runtime.glob("*.json")).read_text()
        assert [server.key for server in running_servers()] == [f"{KEY}other"]
        keys.write_text(f"{KEY}third\n")
        assert [server.key for server in running_servers()] == [f"{KEY}third"]


@pytest.mark.parametrize(
    "settings",
    [
        ServerSettings(behind_proxy=True, keys=(KEY,)),
        ServerSettings(certfile=Path("chain.pem")),
        ServerSettings(host="0.0.0.0", keys=(KEY,), certfile=Path("chain.pem")),
    ],
)
def test_a_server_for_others_is_not_announced(runtime, settings):
    with announced(settings, "http://127.0.0.1:9", "fake"):
        assert not runtime.exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path, _: path.chmod(0o644),
        lambda path, _: path.write_text("{"),
        lambda path, _: path.write_text("[]"),
        lambda path, _: path.write_text(json.dumps({"url": "https://gpu.example.org", "model": "fake"})),
        lambda path, _: path.write_text(json.dumps({"url": "http://127.0.0.1:9"})),
        lambda path, _: path.write_text(" " * 5000),
        lambda path, _: path.parent.chmod(0o750),
        lambda path, elsewhere: (path.rename(elsewhere), path.symlink_to(elsewhere)),
    ],
)
def test_what_is_not_as_a_server_writes_it_is_ignored(tmp_path, runtime, spoil):
    with announced(ServerSettings(), "http://127.0.0.1:9", "fake"):
        (path,) = runtime.glob("*.json")
        assert len(running_servers()) == 1
        spoil(path, tmp_path / "elsewhere.json")
        assert running_servers() == []


def test_a_server_without_a_place_for_the_file_runs(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "file"))
    with ServerProcess() as server:
        assert server.events("not_announced")
        with RemoteSegmenter(server.url) as segmenter:
            assert segmenter.info().model == "fake"
    assert running_servers() == []


@pytest.mark.skipif(os.name != "posix", reason="temporary folders are private elsewhere")
def test_a_folder_of_somebody_else_is_no_place(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(announcement.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(announcement.os, "getuid", lambda: 12345)
    with announced(ServerSettings(), "http://127.0.0.1:9", "fake"):
        assert list(tmp_path.rglob("*.json")) == []
        assert running_servers() == []
