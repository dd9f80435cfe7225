"""Text encoders to start from: from a folder, from the hub, and damaged ones."""

import json
import shutil

import pytest
import torch
from local_hub import LocalHub
from safetensors.torch import save_file

from textsegment.errors import CheckpointError, InputNotFoundError
from textsegment.model.checkpoints.published import published_name
from textsegment.model.checkpoints.text_file import load_text_encoder, save_text_encoder
from textsegment.model.text.mpnet import MPNetConfig
from textsegment.model.text.text_encoder import KnowledgeEncoder
from textsegment.model.text.tokenizer import published_pieces
from textsegment.training.knowledge.base_encoder import load_base

BASE = MPNetConfig(width=12, layers=2, heads=2, feed_forward=16, positions=20)


@pytest.fixture
def base_files(tmp_path):
    """Files of a small MPNet as on the hub, and the encoder that they were made from."""
    encoder = KnowledgeEncoder(BASE)
    folder = tmp_path / "base"
    folder.mkdir()
    tensors = {
        "mpnet." + published_name(encoder, f"mpnet.{name}").removeprefix("text_tower.biolord."): tensor
        for name, tensor in encoder.mpnet.state_dict().items()
    }
    save_file({**tensors, "mpnet.pooler.dense.bias": torch.zeros(12)}, folder / "model.safetensors")
    size = {
        "hidden_size": 12,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "max_position_embeddings": 20,
        "vocab_size": BASE.vocabulary,
        "relative_attention_num_buckets": 32,
    }
    (folder / "config.json").write_text(json.dumps(size))
    (folder / "vocab.txt").write_text("\n".join(published_pieces().pieces) + "\n", encoding="utf-8")
    return folder, encoder


def test_a_base_encoder_comes_from_a_folder_or_from_the_hub(base_files, tmp_path, monkeypatch):
    folder, encoder = base_files
    loaded = load_base(str(folder), tmp_path, str)
    ids, mask = loaded.pieces.encode(["left kidney"])
    assert torch.equal(loaded.pooled(ids, mask), encoder.pooled(ids, mask))
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    with LocalHub(files, repository="someone/base") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        fetched = load_base("someone/base", tmp_path / "kept", str)
    assert torch.equal(fetched.pooled(ids, mask), encoder.pooled(ids, mask))


def test_bad_bases_are_refused(base_files, tmp_path):
    folder, _ = base_files
    with pytest.raises(InputNotFoundError):
        load_base("no such folder", tmp_path, str)
    for name in ("config.json", "model.safetensors"):
        other = shutil.copytree(folder, tmp_path / f"no-{name}")
        (other / name).write_bytes(b"{}")
        with pytest.raises(CheckpointError):
            load_base(str(other), tmp_path, str)


def test_damaged_text_encoders_are_refused(tmp_path):
    with pytest.raises(CheckpointError):
        load_text_encoder(tmp_path / "none.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError):
        load_text_encoder(tmp_path / "other.safetensors")
    save_text_encoder(KnowledgeEncoder(BASE), tmp_path / "good.safetensors", {})
    assert load_text_encoder(tmp_path / "good.safetensors").config == BASE
