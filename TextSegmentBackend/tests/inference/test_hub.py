"""Downloads against a local server that plays the hub."""

import hashlib
from pathlib import Path

import pytest
from local_hub import COMMIT, LocalHub

from textsegment.errors import DiskFullError, OutputError, WeightsDownloadError, WeightsTamperedError
from textsegment.inference.weights import hub as hub_module
from textsegment.inference.weights.hub import Hub

CONTENT = bytes(range(256)) * 20_000
PATH = "Nano/nano file.pth"


MIB = 1 << 20


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    monkeypatch.setattr(hub_module, "PAUSE_S", 0)
    for name in ("HF_ENDPOINT", "HF_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server(monkeypatch):
    with LocalHub({PATH: CONTENT}) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint + "/")
        yield server


@pytest.fixture
def fetch(tmp_path):
    def fetch(on_progress=lambda *_: None):
        hub = Hub("zzh99/SAT")
        listing = hub.list_files()
        return hub.fetch(listing.files[PATH], listing.revision, tmp_path / "file.pth", on_progress)

    return fetch


def left_in(folder: Path):
    return {path.name: path.stat().st_size for path in folder.iterdir()}


def test_listing(server):
    listing = Hub("zzh99/SAT").list_files()

    assert listing.revision == COMMIT
    assert listing.files[PATH].size == len(CONTENT)
    assert listing.files[PATH].sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert listing.files["README.md"].sha256 == ""
    assert Hub("zzh99/SAT").page == f"{server.endpoint}/zzh99/SAT"


def test_endpoint_without_mirror():
    assert Hub("zzh99/SAT").page == "https://huggingface.co/zzh99/SAT"


def test_download(server, fetch, tmp_path):
    told = []

    digest = fetch(lambda *progress: told.append(progress))

    assert digest == hashlib.sha256(CONTENT).hexdigest()
    assert (tmp_path / "file.pth").read_bytes() == CONTENT
    assert left_in(tmp_path).keys() == {"file.pth"}
    assert told[-1] == (PATH, len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in told] == sorted({done for _, done, _ in told})


def test_broken_line_goes_on_within_one_call(server, fetch, tmp_path):
    server.break_after = [MIB, 0, 2 * MIB]

    fetch()

    assert (tmp_path / "file.pth").read_bytes() == CONTENT
    assert server.transfers() == [None, f"bytes={MIB}-", f"bytes={MIB}-", f"bytes={3 * MIB}-"]


def test_broken_download_goes_on_in_a_later_call(server, fetch, tmp_path):
    server.break_after = [2 * MIB, *[0] * hub_module.ATTEMPTS]
    with pytest.raises(WeightsDownloadError, match="goes on where it stopped"):
        fetch()
    assert left_in(tmp_path) == {"file.pth.part": 2 * MIB}
    server.requests.clear()
    server.break_after = []

    fetch()

    assert server.transfers() == [f"bytes={2 * MIB}-"]
    assert (tmp_path / "file.pth").read_bytes() == CONTENT


def test_server_that_ignores_ranges_starts_again(server, fetch, tmp_path):
    server.break_after = [MIB]
    server.ignores_ranges = True

    fetch()

    assert (tmp_path / "file.pth").read_bytes() == CONTENT


@pytest.mark.parametrize("size", [len(CONTENT), len(CONTENT) + 1])
def test_leftovers_of_full_length_or_more(size, server, fetch, tmp_path):
    (tmp_path / "file.pth.part").write_bytes((CONTENT + b"more")[:size])

    fetch()

    assert (tmp_path / "file.pth").read_bytes() == CONTENT
    assert len(server.transfers()) == (0 if size == len(CONTENT) else 1)


@pytest.mark.parametrize(
    "announced",
    [{"sha256": "0" * 64}, {"size": len(CONTENT) - 5}, {"size": len(CONTENT) - 5, "sha256": ""}],
)
def test_content_other_than_announced_is_not_kept(announced, server, fetch, tmp_path):
    server.announced = {PATH: announced}

    with pytest.raises(WeightsTamperedError, match="was not kept"):
        fetch()

    assert left_in(tmp_path) == {}


def test_shorter_than_announced(server, fetch, tmp_path):
    server.announced = {PATH: {"size": len(CONTENT) + 5}}

    with pytest.raises(WeightsDownloadError):
        fetch()

    assert not (tmp_path / "file.pth").exists()


def test_wrong_leftover_is_found_out(server, fetch, tmp_path):
    (tmp_path / "file.pth.part").write_bytes(b"x" * 1000)

    with pytest.raises(WeightsTamperedError):
        fetch()

    assert left_in(tmp_path) == {}
    fetch()
    assert (tmp_path / "file.pth").read_bytes() == CONTENT


def test_busy_server_is_asked_again(server, fetch, tmp_path):
    listing = Hub("zzh99/SAT").list_files()
    server.statuses = [503, 429, 416]

    Hub("zzh99/SAT").fetch(listing.files[PATH], listing.revision, tmp_path / "x", lambda *_: None)

    assert (tmp_path / "x").read_bytes() == CONTENT


def test_refused_file_is_not_asked_for_again(server, fetch, tmp_path):
    listing = Hub("zzh99/SAT").list_files()
    server.requests.clear()
    server.statuses = [403]

    with pytest.raises(WeightsDownloadError, match="refuses access"):
        Hub("zzh99/SAT").fetch(listing.files[PATH], listing.revision, tmp_path / "x", lambda *_: None)

    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "refuses access"), (404, "does not have it"), (500, "error 500"), (429, "error 429")],
)
def test_errors_of_the_hub(status, said, server):
    server.statuses = [status]

    with pytest.raises(WeightsDownloadError, match=said) as caught:
        Hub("zzh99/SAT").list_files()

    assert caught.value.code == "weights_download_failed"
    assert caught.value.hint


@pytest.mark.parametrize(
    "answer",
    [b"<html>login</html>", b"[]", b"{}", b'{"sha": "../../x", "siblings": []}', b'{"sha": null}', b"3", b""],
)
def test_answers_that_are_not_the_hubs(answer, server):
    server.api_answer = answer

    with pytest.raises(WeightsDownloadError, match="does not answer like the Hugging Face hub"):
        Hub("zzh99/SAT").list_files()


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "http://no-such-host.invalid"])
def test_no_network(endpoint, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", endpoint)

    with pytest.raises(WeightsDownloadError, match=r"cannot be reached.*Run the same command again"):
        Hub("zzh99/SAT").list_files()


@pytest.mark.parametrize("endpoint", ["hf-mirror.example", "ftp://x", "http://"])
def test_mirror_that_is_no_address(endpoint, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", endpoint)

    with pytest.raises(WeightsDownloadError, match="Check HF_ENDPOINT"):
        Hub("zzh99/SAT").list_files()


def test_proxy(server, fetch, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    monkeypatch.setenv("http_proxy", server.endpoint)
    monkeypatch.setenv("no_proxy", "")

    fetch()

    assert (tmp_path / "file.pth").read_bytes() == CONTENT


def test_proxy_that_is_down(server, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")

    with pytest.raises(WeightsDownloadError, match="proxy"):
        Hub("zzh99/SAT").list_files()


def test_token_goes_to_the_hub_only(server, fetch, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret")

    fetch()

    to_hub = [request for request in server.requests if not request.path.startswith("/cdn/")]
    elsewhere = [request for request in server.requests if request.path.startswith("/cdn/")]
    assert [request.authorization for request in to_hub] == ["Bearer secret"] * 2
    assert [request.authorization for request in elsewhere] == [None]


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs /dev/full")
def test_disk_full(server, fetch, tmp_path):
    (tmp_path / "file.pth.part").symlink_to("/dev/full")

    with pytest.raises(DiskFullError, match="TEXTSEGMENT_HOME"):
        fetch()

    assert left_in(tmp_path) == {}


def test_place_that_cannot_be_written(server, fetch, tmp_path):
    (tmp_path / "file.pth.part").symlink_to(tmp_path / "no folder" / "part")

    with pytest.raises(OutputError):
        fetch()
