"""Low-rank adapters: few weights learn, and the exported file is an ordinary one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from spheres import QUICK, TINY

from textsegment.datasets.data_set import DataSet
from textsegment.errors import SettingsError
from textsegment.model.checkpoints import checkpoint
from textsegment.model.config import SAT_NANO
from textsegment.model.sat import SAT
from textsegment.training.network.adapters import add_adapters, is_adapter, merged
from textsegment.training.settings import ADAPTERS, fine_tuning
from textsegment.training.trainer import Trainer

ONE_STEP = replace(
    QUICK, steps=3, augmentation="none", train=tuple(ADAPTERS), adapter_rank=2, average_decay=0.5
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("trained") / "trained.safetensors"
    checkpoint.save_demo(SAT(TINY), [("left kidney", "CT")], torch.randn(1, TINY.width), path)
    return path


@pytest.fixture(scope="module")
def run(spheres: DataSet, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    """A run of three steps in which nothing but adapters learns."""
    folder = tmp_path_factory.mktemp("run")
    each = Trainer(TINY, ONE_STEP, [spheres], folder, lambda line: None, start_from=str(trained))
    each.run()
    return each


def test_merged_weights_answer_as_the_adapters_do(run: Trainer) -> None:
    """15.3: equality of merged and unmerged, on image and text side."""
    network = run.learner.network.eval()
    plain = merged(network)
    assert merged(plain) is plain
    assert set(plain.state_dict()) == set(SAT(TINY).state_dict())
    patch, queries = torch.randn(1, 1, *TINY.patch_size), torch.randn(3, TINY.width)
    with torch.no_grad():
        ours, theirs = network.encode_image(patch), plain.encode_image(patch)
        assert torch.allclose(theirs.tokens, ours.tokens, atol=1e-5)
        assert torch.allclose(theirs.pixel_features, ours.pixel_features, atol=1e-5)
        assert torch.allclose(plain.decode(theirs, queries), network.decode(ours, queries), atol=1e-5)


def test_nothing_but_adapters_learns_and_they_do(run: Trainer, trained: Path) -> None:
    before = checkpoint.load(trained).network.state_dict()
    exported = checkpoint.load(run.weights_path).network.state_dict()
    changed = {name for name in before if not torch.allclose(before[name], exported[name], atol=1e-6)}
    assert {name.split(".")[0] for name in changed} == {
        "backbone",
        "projection_layer",
        "transformer_decoder",
    }
    assert all(name.endswith("weight") and ".norm" not in name for name in changed)
    learning = [name for name, p in run.learner.named_parameters() if p.requires_grad]
    assert learning
    assert all(map(is_adapter, learning))
    now = merged(run.learner.network).state_dict()
    for name in changed:  # a change of rank two
        difference = (now[name] - before[name]).flatten(1)
        if min(difference.shape) > 2:
            singular = torch.linalg.svdvals(difference)
            assert singular[2] < 1e-3 * singular[0], name


def test_a_run_with_adapters_goes_on(run: Trainer, spheres: DataSet, trained: Path) -> None:
    again = Trainer(TINY, ONE_STEP, [spheres], run.folder, lambda line: None, start_from=str(trained))
    assert again.step == 3
    for name, tensor in run.learner.state_dict().items():
        assert torch.equal(tensor, again.learner.state_dict()[name]), name


def test_few_weights_learn_by_default() -> None:
    """15.3: of the query decoder of SAT Nano, less than a fiftieth."""
    assert "query-adapters" in fine_tuning(QUICK).train
    with torch.device("meta"):
        network = SAT(SAT_NANO)
        whole = sum(p.numel() for p in network.transformer_decoder.parameters())
        add_adapters(network, ["query-adapters"], QUICK.adapter_rank)
        thin = sum(p.numel() for name, p in network.named_parameters() if is_adapter(name))
    assert 0 < thin < whole / 50
    with pytest.raises(SettingsError, match="rank"):
        replace(QUICK, adapter_rank=0)
