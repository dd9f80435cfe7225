"""``textsegment segment --server``: a server does the work, everything else stays the same."""

import json

import numpy as np
import pytest
from command_line import CHEST, textsegment
from odd_server import KEY, OddServer, serving
from server_process import ServerProcess

from textsegment import read_volume
from textsegment.cli.progress import ProgressBar
from textsegment.errors import WeightsMissingError
from textsegment.files.images.seg_nrrd import read_seg_nrrd
from textsegment.segmenter import Progress, Queued
from textsegment.testing import ball


@pytest.fixture
def server():
    with serving(OddServer(key=KEY)) as odd:
        yield odd


@pytest.fixture
def key_file(tmp_path):
    file = tmp_path / "key.txt"
    file.write_text(f"{KEY}\n")
    return file


def segment(server, *arguments, images=(CHEST,), text="liver, spleen"):
    return textsegment("segment", *images, text, "--modality", "CT", "--server", server.url, *arguments)


def test_the_same_outputs_as_without_a_server(server, key_file, tmp_path):
    out = tmp_path / "out.seg.nrrd"
    files = ["-o", out, "--preview", tmp_path / "out.png", "--json", tmp_path / "out.json"]
    ended = segment(server, *files, "--token-file", key_file)
    assert (ended.code, ended.err) == (0, "")
    assert "not found" in ended.out
    result = read_seg_nrrd(out)
    assert np.array_equal(result.full_mask("liver"), ball("liver", result.geometry))
    assert np.allclose(result.geometry.affine, read_volume(CHEST, modality="CT").geometry.affine, atol=1e-4)
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["model"] == "fake"
    assert report["timings_s"]["upload"] > 0
    assert [entry["state"] for entry in report["structures"]] == ["found", "not found"]
    assert (tmp_path / "out.png").stat().st_size > 1000


def test_the_key_may_come_from_the_environment(server, tmp_path, monkeypatch):
    monkeypatch.setenv("TEXTSEGMENT_TOKEN", KEY)
    assert segment(server, "-o", tmp_path / "out.seg.nrrd", "--quiet") == (0, "", "")
    assert all(seen.headers["authorization"] == f"Bearer {KEY}" for seen in server.requests)


def test_many_images_and_again(server, key_file, tmp_path):
    (tmp_path / "scans").mkdir()
    for name in ("one.nrrd", "two.nrrd"):
        (tmp_path / "scans" / name).write_bytes(CHEST.read_bytes())
    (tmp_path / "scans" / "broken.nrrd").write_bytes(b"junk")
    arguments = ["-o", f"{tmp_path}/results/", "--token-file", key_file]
    ended = segment(server, *arguments, images=[tmp_path / "scans"])
    assert ended.code == 8
    assert "2 of 3" in ended.out
    assert "input_unreadable" in ended.err
    # The same content: sent once.
    assert server.methods().count("PUT") == 1
    asked = server.methods().count("POST")
    ended = segment(server, *arguments, images=[tmp_path / "scans"])
    assert ended.out.count("kept") == 2
    assert server.methods().count("POST") == asked


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "sat-demo"], "--model"),
        (["--device", "cpu"], "--device"),
        (["--precision", "fp32"], "--precision"),
        (["--token-file", "nowhere.txt"], "key"),
        (["--ca-file", "nowhere.pem", "--server", "https://gpu.example.org"], "certificate"),
        (["--server", "http://gpu.example.org"], "Plain http"),
        (["--server", "gpu.example.org"], "https://"),
    ],
)
def test_usage(server, tmp_path, arguments, words):
    ended = segment(server, "-o", tmp_path / "out.seg.nrrd", *arguments)
    assert ended.code == 2
    assert words in ended.err
    assert server.requests == []


def test_options_of_a_server_without_one(tmp_path):
    ended = textsegment("segment", CHEST, "liver", "-o", tmp_path / "out.nii.gz", "--ca-file", "x.pem")
    assert ended.code == 2
    assert "--ca-file" in ended.err


def test_a_wrong_key_a_missing_model_and_no_server(server, key_file, tmp_path, monkeypatch):
    out = ["-o", tmp_path / "out.seg.nrrd"]
    monkeypatch.setenv("TEXTSEGMENT_TOKEN", "wrong-key-0123456789")
    ended = segment(server, *out)
    assert (ended.code, "[unauthorized]" in ended.err) == (9, True)
    assert "0123456789" not in ended.err
    hint = "textsegment weights download sat-nano"
    server.segmenter.info = lambda: (_ for _ in ()).throw(WeightsMissingError("No weights.", hint))
    ended = segment(server, *out, "--token-file", key_file)
    assert (ended.code, hint in ended.err) == (5, True)
    server.shutdown()
    server.server_close()
    ended = segment(server, *out, "--token-file", key_file)
    assert (ended.code, "[server_unreachable]" in ended.err) == (9, True)
    assert not (tmp_path / "out.seg.nrrd").exists()


def test_full_disk_of_the_server_is_a_failure_of_the_server(tmp_path):
    """Fault 57."""
    with ServerProcess(max_file_bytes=2**18) as full:
        ended = segment(full, "-o", tmp_path / "out.seg.nrrd")
    assert (ended.code, "[storage_failed]" in ended.err) == (9, True), ended.err
    assert list(tmp_path.iterdir()) == []


def test_the_bar_shows_upload_and_queue():
    with ProgressBar("", 2, quiet=True) as bar:
        shown = []
        for event in (Progress(0.1, "uploading"), Queued(3), Queued(0), Progress(0.5, "encoding")):
            bar.on_event(event)
            shown.append(bar._progress.tasks[0].description)
    assert shown == ["uploading", "queued behind 3", "starting", "encoding"]
