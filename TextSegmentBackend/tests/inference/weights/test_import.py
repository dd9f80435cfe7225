"""Weights from a folder, and everything that can be wrong with it."""

import shutil
from dataclasses import replace

import pytest
from tiny_model import TINY, TINY_PUBLISHED, write_tiny_pair
from tiny_published import NETWORK, TEXT, fetch

from textsegment.errors import (
    CheckpointError,
    InputNotFoundError,
    WeightsError,
    WeightsMissingError,
    WeightsTamperedError,
)
from textsegment.inference.weights.acquire import import_folder
from textsegment.inference.weights.models import load_model, verify
from textsegment.inference.weights.registry import PUBLISHED


def test_import_needs_no_network(published):
    import_folder("sat-tiny", published)

    assert load_model("sat-tiny").digest == verify("sat-tiny")
    assert (published / NETWORK).exists()


def test_import_of_files_without_folders(published, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    shutil.copy(published / NETWORK, flat / "Tiny.pth")
    shutil.copy(published / TEXT, flat / "text_encoder.pth")

    import_folder("sat-tiny", flat)

    assert load_model("sat-tiny")


def test_import_after_download_has_to_be_the_same(server, published, tmp_path):
    fetch()
    import_folder("sat-tiny", published)
    before = load_model("sat-tiny").digest
    write_tiny_pair(tmp_path / "other", seed=1)

    with pytest.raises(WeightsTamperedError, match="first sight"):
        import_folder("sat-tiny", tmp_path / "other")

    assert load_model("sat-tiny").digest == before


def test_import_without_its_text_encoder(published):
    (published / TEXT).unlink()

    with pytest.raises(
        WeightsMissingError, match=r"text encoder of sat-tiny is not among.*\(Tiny/tiny\.pth\)"
    ):
        import_folder("sat-tiny", published)


def test_import_of_two_candidates(published):
    shutil.copytree(published / "Tiny", published / "again")

    with pytest.raises(WeightsError, match=r"Tiny/tiny\.pth, again/tiny\.pth"):
        import_folder("sat-tiny", published)


def test_import_of_files_with_each_others_names(published):
    network, text = published / NETWORK, published / TEXT
    network.rename(published / "x")
    text.rename(network)
    (published / "x").rename(text)

    with pytest.raises(CheckpointError, match="is a text encoder"):
        import_folder("sat-tiny", published)

    with pytest.raises(WeightsMissingError):
        load_model("sat-tiny")


def test_text_encoder_of_another_model_is_refused(published, tmp_path, monkeypatch):
    other = replace(TINY_PUBLISHED, config=replace(TINY, name="sat-other"))
    monkeypatch.setitem(PUBLISHED, "sat-other", other)
    import_folder("sat-tiny", published)
    mixed = tmp_path / "mixed"
    write_tiny_pair(mixed, seed=1)
    shutil.copy(published / TEXT, mixed / TEXT)

    with pytest.raises(CheckpointError, match="given for sat-other is that of sat-tiny"):
        import_folder("sat-other", mixed)


def test_import_from_nowhere(tmp_path):
    with pytest.raises(InputNotFoundError):
        import_folder("sat-tiny", tmp_path / "nowhere")


def test_text_encoder_of_nano_is_not_taken_for_pro():
    with pytest.raises(WeightsMissingError, match="text encoder of sat-pro"):
        PUBLISHED["sat-pro"].find_pair(["SAT_Pro.pth", "nano_text_encoder.pth", "Nano/text_encoder.pth"])
