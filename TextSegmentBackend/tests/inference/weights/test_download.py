"""Weights from the hub: consent, digests, broken connections, and hubs that change."""

import json

import pytest
import torch
from filelock import FileLock
from local_hub import COMMIT
from tiny_model import TINY, write_tiny_pair
from tiny_published import LATER, NETWORK, TEXT, fetch, files_at_home

from textsegment.errors import (
    CancelledError,
    DiskFullError,
    WeightsDownloadError,
    WeightsError,
    WeightsMissingError,
    WeightsTamperedError,
)
from textsegment.inference.weights import hub as hub_module
from textsegment.inference.weights.acquire import download, import_folder
from textsegment.inference.weights.models import load_model
from textsegment.inference.weights.registry import PUBLISHED
from textsegment.inference.weights.store import Store


def test_download_makes_the_model_ready(server, published, tmp_path):
    path = fetch()

    assert path == tmp_path / "home/weights/sat-tiny.safetensors"
    assert files_at_home(tmp_path) <= {"sat-tiny.safetensors", "lock.json", ".busy"}
    model = load_model("sat-tiny")
    assert (model.name, model.config) == ("sat-tiny", TINY)
    assert len(model.digest) == 64
    queries = model.text_encoder.encode(["liver", "spleen"], "CT")
    assert model.network(torch.zeros(1, 1, 64, 64, 32), queries).shape == (2, 64, 64, 32)
    theirs = torch.load(published / NETWORK, weights_only=False)["model_state_dict"]
    name = "backbone.encoder.stages.2.0.convs.0.conv.weight"
    torch.testing.assert_close(model.network.state_dict()[name], theirs[f"module.{name}"])


def test_files_of_the_user_beside_a_download_are_left_alone(server, tmp_path):
    """sv1, variant: a folder was removed because it has the name that a download uses."""
    kept = tmp_path / "home/weights/downloads/sat-tiny/notes.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text("of the user")

    fetch()

    assert kept.read_text() == "of the user"
    assert [path.name for path in kept.parent.iterdir()] == ["notes.txt"]


def test_record_pins_commit_size_and_sha256(server):
    fetch()

    record = json.loads(Store().lock_file.read_text())["models"]["sat-tiny"]
    assert (record["repository"], record["revision"]) == ("zzh99/SAT", COMMIT)
    assert record["network"]["name"] == NETWORK
    assert record["text_encoder"]["size"] == len(server.files[TEXT])
    assert {len(record[part]["sha256"]) for part in ("network", "text_encoder", "converted")} == {64}


def test_second_download_asks_nobody(server):
    first = fetch()
    server.requests.clear()

    assert fetch(consent=False) == first
    assert server.requests == []


def test_consent_is_asked_with_all_that_matters(server, tmp_path):
    offers = []

    with pytest.raises(CancelledError, match="--yes"):
        download("sat-tiny", consent=offers.append, on_progress=lambda *_: None)

    (offer,) = offers
    assert "authors of SAT" in offer.notice
    assert f"terms stand at {server.endpoint}/zzh99/SAT" in offer.notice
    assert f"{offer.size / 1e9:.2f} GB" in offer.notice
    assert offer.size == sum(map(len, server.files.values()))
    assert server.transfers() == []
    assert files_at_home(tmp_path) <= {".busy"}


def test_broken_download_goes_on_at_the_same_commit(server):
    server.break_after = [0] * hub_module.ATTEMPTS
    with pytest.raises(WeightsDownloadError):
        fetch()
    with pytest.raises(WeightsMissingError):
        load_model("sat-tiny")
    server.commit = LATER

    fetch()

    resolved = {request.path.split("/")[4] for request in server.requests if "/resolve/" in request.path}
    assert resolved == {COMMIT}
    assert load_model("sat-tiny")


def test_second_file_broken_keeps_the_first(server):
    server.break_after = [len(server.files[NETWORK]), *[0] * hub_module.ATTEMPTS]
    with pytest.raises(WeightsDownloadError):
        fetch()
    server.requests.clear()

    fetch()

    assert {request.path for request in server.requests if "/cdn/" in request.path} == {f"/cdn/{TEXT}"}


def test_hub_that_changed_the_files_is_refused(server):
    fetch()
    Store().weights_file("sat-tiny").unlink()
    server.files[NETWORK] += b"changed"
    server.requests.clear()

    with pytest.raises(WeightsTamperedError, match="not the file that was recorded on first sight"):
        fetch()

    assert server.transfers() == []


def test_hub_that_hides_a_change_is_refused(server):
    fetch()
    Store().weights_file("sat-tiny").unlink()
    twisted = bytearray(server.files[NETWORK])
    twisted[len(twisted) // 2] ^= 1
    server.files[NETWORK] = bytes(twisted)
    server.announced[NETWORK] = {"sha256": ""}

    with pytest.raises(WeightsTamperedError, match="recorded on first sight"):
        fetch()

    with pytest.raises(WeightsMissingError):
        load_model("sat-tiny")


def test_no_network_and_no_weights(tmp_path):
    with pytest.raises(WeightsMissingError) as caught:
        load_model("sat-nano")
    assert "textsegment weights download sat-nano" in caught.value.hint
    assert "textsegment weights import sat-nano FOLDER" in caught.value.hint

    with pytest.raises(WeightsDownloadError, match="cannot be reached"):
        fetch()


def test_not_enough_room_is_found_before_the_download(server):
    server.announced[NETWORK] = {"size": 10**16}

    with pytest.raises(DiskFullError, match=r"needs 10000000\.\d\d GB.*TEXTSEGMENT_HOME"):
        fetch()

    assert server.transfers() == []


def test_only_one_process_fetches(server, tmp_path):
    folder = tmp_path / "home/weights"
    folder.mkdir(parents=True)

    with FileLock(folder / ".busy"), pytest.raises(WeightsError, match="Another process"):
        fetch()

    fetch()


def test_download_after_import_has_to_be_the_same(server, published, tmp_path):
    import_folder("sat-tiny", published)
    Store().weights_file("sat-tiny").unlink()
    fetch()
    assert json.loads(Store().lock_file.read_text())["models"]["sat-tiny"]["revision"] == COMMIT
    Store().weights_file("sat-tiny").unlink()
    network, _ = write_tiny_pair(tmp_path / "other", seed=1)
    server.files[NETWORK] = network.read_bytes()

    with pytest.raises(WeightsTamperedError):
        fetch()


def test_wrong_names_on_the_hub(server):
    server.files["Tiny/renamed.pth"] = server.files.pop(NETWORK)

    with pytest.raises(WeightsMissingError, match=r"network of sat-tiny.*Tiny/renamed\.pth"):
        fetch()


def test_demo_is_not_fetched():
    with pytest.raises(WeightsError, match="part of this package"):
        download("sat-demo", consent=lambda offer: True, on_progress=lambda *_: None)


def test_names_on_the_hub_as_public_pages_give_them():
    paths = [
        *("Nano/nano.pth", "Nano/nano_text_encoder.pth", "Nano/nano_cvpr25_v0.pth"),
        *("Pro/SAT_Pro.pth", "Pro/text_encoder.pth", "Pretrain/text_encoder.pth", "README.md"),
    ]

    assert PUBLISHED["sat-nano"].find_pair(paths) == ("Nano/nano.pth", "Nano/nano_text_encoder.pth")
    assert PUBLISHED["sat-pro"].find_pair(paths) == ("Pro/SAT_Pro.pth", "Pro/text_encoder.pth")
