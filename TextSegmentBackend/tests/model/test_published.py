"""The layout of the published checkpoints: read strictly, written again, everything else refused."""

import re
import zipfile

import pytest
import torch
from named_weights import published_shapes
from tiny_model import TINY, TINY_TEXT, write_published, write_tiny_pair
from torch import nn

from textsegment.errors import CheckpointError
from textsegment.model.checkpoints.published import load_published, read_published, save_published
from textsegment.model.config import SAT_NANO, SAT_PRO
from textsegment.model.sat import SAT
from textsegment.model.text.mpnet import MPNetConfig
from textsegment.model.text.text_encoder import KnowledgeEncoder

PUBLISHED = {
    "nano": ("keys_nano.tsv", lambda: SAT(SAT_NANO)),
    "pro": ("keys_pro.tsv", lambda: SAT(SAT_PRO)),
    "text": ("keys_text_encoder.tsv", lambda: KnowledgeEncoder(MPNetConfig())),
}


def second_name(name):
    return name.replace(".conv.", ".all_modules.0.").replace(".norm.", ".all_modules.1.")


def published_tensors(table):
    """Every published tensor under all its names, each one constant and different, in a few bytes."""
    tensors = {}
    for number, (name, shape) in enumerate(published_shapes(table).items()):
        tensor = torch.tensor([float(number)]).expand(shape)
        tensors[f"module.{name}"] = tensor
        if ".convs." in name:
            tensors[f"module.{second_name(name)}"] = tensor
    return tensors


def on_meta(build) -> nn.Module:
    with torch.device("meta"):
        return build()


@pytest.mark.parametrize("kind", PUBLISHED)
def test_both_ways_round(kind, tmp_path):
    table, build = PUBLISHED[kind]
    tensors = published_tensors(table)
    module = on_meta(build)

    unused = load_published(module, read_published(write_published(tmp_path / "theirs.pth", tensors)))
    save_published(module, tmp_path / "ours.pth", unused)

    written = torch.load(tmp_path / "ours.pth", weights_only=True)["model_state_dict"]
    assert written.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert written[name].shape == tensor.shape
        assert written[name].flatten()[0] == tensor.flatten()[0], name
    again = load_published(on_meta(build), read_published(tmp_path / "ours.pth"))
    assert again.keys() == unused.keys()


def test_unused_tensors_are_neutral_when_not_at_hand(tmp_path):
    save_published(SAT(TINY), tmp_path / "network.pth")
    save_published(KnowledgeEncoder(TINY_TEXT), tmp_path / "text.pth")

    network, text = read_published(tmp_path / "network.pth"), read_published(tmp_path / "text.pth")
    assert (network["transformer_decoder.layers.1.norm1.weight"] == 1).all()
    assert (network["transformer_decoder.layers.1.norm1.bias"] == 0).all()
    assert (text["text_tower.biolord.pooler.dense.weight"] == 0).all()
    assert not any("mid_mask_embed_proj" in name for name in network)
    assert load_published(SAT(TINY), network).keys() == {
        f"transformer_decoder.layers.{layer}.norm1.{kind}" for layer in (0, 1) for kind in ("weight", "bias")
    }


def test_position_ids_are_ignored_whatever_they_are(tmp_path):
    _, path = write_tiny_pair(tmp_path)
    tensors = read_published(path) | {"text_tower.biolord.embeddings.position_ids": torch.arange(5)}

    unused = load_published(KnowledgeEncoder(TINY_TEXT), tensors)

    assert "text_tower.biolord.embeddings.position_ids" in unused


@pytest.fixture
def tiny_network(tmp_path):
    return read_published(write_tiny_pair(tmp_path)[0])


@pytest.fixture
def tiny_text(tmp_path):
    return read_published(write_tiny_pair(tmp_path)[1])


def test_missing_and_unexpected_names_are_told(tiny_network):
    del tiny_network["mask_embed_proj.0.bias"]
    del tiny_network["transformer_decoder.layers.0.norm1.bias"]
    tiny_network["backbone.decoder.seg_layers.0.weight"] = torch.zeros(1)

    with pytest.raises(CheckpointError) as caught:
        load_published(SAT(TINY), tiny_network)

    assert "missing: mask_embed_proj.0.bias, transformer_decoder.layers.0.norm1.bias" in caught.value.message
    assert "unexpected: backbone.decoder.seg_layers.0.weight" in caught.value.message
    assert caught.value.code == "checkpoint_mismatch"


def test_long_lists_of_names_are_cut(tiny_network):
    with pytest.raises(CheckpointError, match=r"missing: .* and \d+ more"):
        load_published(SAT(TINY), {})


@pytest.mark.parametrize(
    "name",
    [
        "projection_layer.0.weight",
        "transformer_decoder.layers.0.norm1.weight",
        "mid_mask_embed_proj.1.2.weight",
    ],
)
def test_other_shapes_are_refused(name, tiny_network):
    for stage, outputs in enumerate(TINY.features[1:4]):
        head = f"mid_mask_embed_proj.{stage}"
        tiny_network[f"{head}.0.weight"], tiny_network[f"{head}.0.bias"] = torch.zeros(5, 12), torch.zeros(5)
        tiny_network[f"{head}.2.weight"] = torch.zeros(outputs, 5)
        tiny_network[f"{head}.2.bias"] = torch.zeros(outputs)
    load_published(SAT(TINY), tiny_network)
    tiny_network[name] = torch.zeros(3, 3)

    with pytest.raises(CheckpointError, match=re.escape(f"{name} is [3, 3] instead of")):
        load_published(SAT(TINY), tiny_network)


def test_second_names_that_differ_are_refused(tmp_path, tiny_network):
    first = "backbone.encoder.stages.0.0.convs.0.conv.weight"
    tensors = {f"module.{name}": tensor for name, tensor in tiny_network.items()}
    tensors[f"module.{second_name(first)}"] = tiny_network[first] + 1

    with pytest.raises(CheckpointError, match="contradicts itself") as caught:
        read_published(write_published(tmp_path / "twisted.pth", tensors))

    assert first in caught.value.message
    assert second_name(first) in caught.value.message


def test_second_name_without_first_is_refused(tmp_path, tiny_network):
    first = "backbone.encoder.stages.0.0.convs.0.conv.weight"
    tiny_network[second_name(first)] = tiny_network.pop(first)
    path = write_published(tmp_path / "half.pth", {f"module.{n}": t for n, t in tiny_network.items()})

    with pytest.raises(CheckpointError, match=f"missing: {re.escape(first)}; unexpected: "):
        load_published(SAT(TINY), read_published(path))


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("backbone.encoder.stages.1.mamba.A_log", "U-Mamba"),
        ("backbone.swinViT.patch_embed.proj.weight", "SwinUNETR"),
    ],
)
def test_other_networks_are_named(extra, said, tiny_network):
    with pytest.raises(CheckpointError, match=said):
        load_published(SAT(TINY), {**tiny_network, extra: torch.zeros(1)})


@pytest.mark.parametrize(
    ("name", "said"),
    [("text_tower.medcpt.embeddings.weight", "MedCPT"), ("text_tower.bert_model.embeddings.weight", "BERT")],
)
def test_other_text_encoders_are_named(name, said, tiny_text):
    with pytest.raises(CheckpointError, match=said):
        load_published(KnowledgeEncoder(TINY_TEXT), {**tiny_text, name: torch.zeros(1)})


def test_five_modalities_are_another_version(tiny_text):
    tiny_text["modality_embed.weight"] = torch.zeros(5, 12)

    with pytest.raises(CheckpointError, match="5 modalities apart instead of 4"):
        load_published(KnowledgeEncoder(TINY_TEXT), tiny_text)


def test_halves_of_a_pair_are_not_taken_for_each_other(tiny_network, tiny_text):
    with pytest.raises(CheckpointError, match="is an image network"):
        load_published(KnowledgeEncoder(TINY_TEXT), tiny_network)
    with pytest.raises(CheckpointError, match="is a text encoder"):
        load_published(SAT(TINY), tiny_text)


def test_pro_is_not_taken_for_nano():
    pro = {name.removeprefix("module."): tensor for name, tensor in published_tensors("keys_pro.tsv").items()}

    with pytest.raises(CheckpointError, match="a network of sat-pro, not of sat-nano"):
        load_published(on_meta(lambda: SAT(SAT_NANO)), pro)


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_pickled_code_is_never_run(tmp_path):
    torch.save({"model_state_dict": {}, "step": Bomb(tmp_path / "ran")}, tmp_path / "bomb.pth")

    with pytest.raises(CheckpointError, match="could run code"):
        read_published(tmp_path / "bomb.pth")

    assert not (tmp_path / "ran").exists()


def truncated(path):
    write_published(path, {"module.x": torch.zeros(1000)})
    path.write_bytes(path.read_bytes()[:2000])


@pytest.mark.parametrize(
    "write",
    [
        truncated,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(bytes(range(256)) * 10),
        lambda path: path.write_text("not weights"),
        lambda path: path.write_bytes(b"PK\x03\x04garbage"),
        lambda path: torch.save([torch.zeros(1)], path),
        lambda path: torch.save({"weights": torch.zeros(1)}, path),
        lambda path: torch.save({"model_state_dict": {"module.x": 3}}, path),
        lambda path: path.mkdir(),
        lambda path: None,
    ],
)
def test_files_that_are_no_checkpoint(write, tmp_path):
    path = tmp_path / "file.pth"
    write(path)

    with pytest.raises(CheckpointError, match=r"file\.pth"):
        read_published(path)


def test_checkpoints_of_the_old_file_format_are_read(tmp_path):
    path = tmp_path / "old.pth"
    torch.save({"model_state_dict": {"module.x": torch.ones(2)}}, path, _use_new_zipfile_serialization=False)

    torch.testing.assert_close(read_published(path), {"x": torch.ones(2)})


def test_numpy_scalars_of_older_numpy_are_read(tmp_path):
    new = write_published(tmp_path / "new.pth", {"module.x": torch.ones(2)})
    with zipfile.ZipFile(new) as source, zipfile.ZipFile(tmp_path / "old.pth", "w") as target:
        for entry in source.namelist():
            content = source.read(entry)
            target.writestr(entry, content.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"))
        assert b"numpy._core" in source.read("new/data.pkl")

    torch.testing.assert_close(read_published(tmp_path / "old.pth"), {"x": torch.ones(2)})
