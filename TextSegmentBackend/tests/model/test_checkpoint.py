"""Our own weights file."""

import dataclasses
import json
import shutil

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny_model import TINY, TINY_TEXT, write_tiny_pair

from textsegment.errors import CheckpointError, DiskFullError, OutputError, TextSegmentError
from textsegment.model.checkpoints import checkpoint
from textsegment.model.checkpoints.published import load_published, read_published
from textsegment.model.sat import SAT
from textsegment.model.text.embedding_table import EmbeddingTable
from textsegment.model.text.text_encoder import KnowledgeEncoder

PROMPTS = [("liver", "CT"), ("spleen", "CT"), ("liver", "MR")]
PATCH = torch.linspace(-1, 1, 64 * 64 * 32).view(1, 1, 64, 64, 32)


@pytest.fixture
def converted(tmp_path):
    path = tmp_path / "weights/sat-tiny.safetensors"
    checkpoint.convert(*write_tiny_pair(tmp_path), path, TINY, TINY_TEXT, {"network": "abc"})
    return path


def test_converted_model_is_the_published_one(converted, tmp_path):
    network, text_encoder, source = checkpoint.load(converted)

    theirs, their_text = SAT(TINY), KnowledgeEncoder(TINY_TEXT)
    load_published(theirs, read_published(tmp_path / "Tiny/tiny.pth"))
    load_published(their_text, read_published(tmp_path / "Tiny/tiny_text_encoder.pth"))
    queries = text_encoder.encode(["liver", "spleen"], "CT")
    torch.testing.assert_close(queries, their_text.encode(["liver", "spleen"], "CT"), atol=0, rtol=0)
    with torch.no_grad():
        torch.testing.assert_close(network(PATCH, queries), theirs(PATCH, queries), atol=0, rtol=0)
    assert network.config == TINY
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert source == {"network": "abc"}


def test_conversion_drops_what_inference_does_not_need(converted):
    with safe_open(converted, "pt") as file:
        names = set(file.keys())

    ours = {f"network.{n}" for n in SAT(TINY).state_dict()}
    assert names == ours | {f"text.{n}" for n in KnowledgeEncoder(TINY_TEXT).state_dict()}


def test_type_of_the_network_can_be_chosen(converted):
    network, text_encoder, _ = checkpoint.load(converted, dtype=torch.bfloat16)

    assert {parameter.dtype for parameter in network.parameters()} == {torch.bfloat16}
    assert text_encoder.encode(["liver"], "CT").dtype == torch.float32


def test_pair_mixed_up_leaves_nothing_behind(tmp_path):
    network, _ = write_tiny_pair(tmp_path)
    path = tmp_path / "out.safetensors"

    with pytest.raises(CheckpointError, match="not a text encoder"):
        checkpoint.convert(network, network, path, TINY, TINY_TEXT, {})

    assert {entry.name for entry in tmp_path.iterdir()} == {"Tiny"}


@pytest.fixture
def demo(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "demo.safetensors"
    checkpoint.save_demo(SAT(TINY), PROMPTS, torch.randn(3, TINY.width), path, {"trained_on": "spheres"})
    return path


def test_demo_is_half_precision_on_disk_and_single_in_memory(demo):
    assert {tensor.dtype for tensor in load_file(demo).values()} == {torch.float16}

    network, table, source = checkpoint.load(demo)

    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert isinstance(table, EmbeddingTable)
    assert table.prompts == tuple(PROMPTS)
    torch.manual_seed(0)
    original = SAT(TINY)
    torch.testing.assert_close(network.state_dict(), original.state_dict(), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(table.embeddings, torch.randn(3, TINY.width), atol=1e-3, rtol=1e-3)
    assert source == {"trained_on": "spheres"}


def rewrite(path, change):
    tensors = load_file(path)
    with safe_open(path, "pt") as file:
        metadata = dict(file.metadata())
    change(tensors, metadata)
    save_file(tensors, path, metadata)


def other_config(**changes):
    def change(_, metadata):
        metadata["config"] = json.dumps(dataclasses.asdict(TINY) | changes)

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensors, _: tensors.pop("network.mask_embed_proj.0.bias"), "missing: mask_embed_proj.0.bias"),
        (lambda tensors, _: tensors.update({"network.more": torch.zeros(1)}), "unexpected: more"),
        (lambda tensors, _: tensors.update({"table.embeddings": torch.zeros(2, 12)}), "table of embeddings"),
        (lambda tensors, _: tensors.update({"table.embeddings": torch.zeros(3, 8)}), "another width"),
        (lambda tensors, _: tensors.pop("table.embeddings"), "table of embeddings"),
        (lambda _, metadata: metadata.update(format="other"), "no weights file of this version"),
        (lambda _, metadata: metadata.update(format_version="99"), "no weights file of this version"),
        (lambda _, metadata: metadata.pop("config"), "lacks 'config'"),
        (lambda _, metadata: metadata.update(config="{"), "lacks 'config'"),
        (lambda _, metadata: metadata.pop("prompts"), "lacks 'text_config'"),
        (other_config(colour="blue"), "another 'config'"),
        (other_config(mask_hidden=9), r"mask_embed_proj.0.weight is \[8, 12\] instead of \[9, 12\]"),
    ],
)
def test_files_that_do_not_fit_are_refused(demo, change, said):
    rewrite(demo, change)

    with pytest.raises(CheckpointError, match=said):
        checkpoint.load(demo)


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff" * 64, None])
def test_damaged_files_are_refused(demo, content):
    demo.write_bytes(demo.read_bytes()[:-10] if content is None else content)

    with pytest.raises(TextSegmentError, match=r"demo\.safetensors is damaged"):
        checkpoint.load(demo)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(CheckpointError):
        checkpoint.load(tmp_path / "nowhere.safetensors")


def test_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(OutputError):
        checkpoint.save_demo(SAT(TINY), PROMPTS, torch.zeros(3, 12), tmp_path / "file/demo.safetensors")


def test_weights_file_can_be_read_by_others(demo):
    assert demo.stat().st_mode & 0o777 == 0o644


def test_disk_too_small(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))

    with pytest.raises(DiskFullError):
        checkpoint.save_demo(SAT(TINY), PROMPTS, torch.zeros(3, 12), tmp_path / "demo.safetensors")

    assert list(tmp_path.iterdir()) == []
