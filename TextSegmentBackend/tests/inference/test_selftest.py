"""The self-test: good weights pass, and weights that are wrong in any usual way are caught."""

from __future__ import annotations

import copy
import json
import platform
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from named_weights import tensor_for
from torch import nn

from textsegment.errors import SelfTestError, WeightsError
from textsegment.files.sample import sample_scan
from textsegment.inference.engine import LocalSegmenter
from textsegment.inference.selftest import run as run_module
from textsegment.inference.selftest.check import Check
from textsegment.inference.selftest.numbers import Numbers, compare_numbers
from textsegment.inference.selftest.page import write_selftest
from textsegment.inference.selftest.run import run_selftest
from textsegment.inference.selftest.sample import EXPECTED
from textsegment.inference.weights.models import LoadedModel, load_model
from textsegment.model.sat import SAT
from textsegment.model.text.embedding_table import EmbeddingTable


@pytest.fixture(scope="module")
def demo() -> LoadedModel:
    return load_model("sat-demo")


@pytest.fixture(scope="module")
def passed(demo):
    said: list[str] = []
    return run_selftest(demo, device="cpu", on_step=said.append), said


def test_good_weights_pass_every_check(passed):
    test, said = passed
    assert [check.name for check in test.checks if not check.passed] == []
    assert len(test.checks) == 23
    assert test.passed
    test.require_passed()
    assert "GiB of memory" in said[0]
    assert any("about" in sentence and " s" in sentence for sentence in said)


def test_the_page_and_the_file_can_be_sent_to_anybody(passed, tmp_path):
    test, _ = passed
    page, json_file = (path.read_text() for path in write_selftest(test, tmp_path))
    report = json.loads(json_file)
    assert report["passed"] is True
    assert report["weights_sha256"] in page
    assert "data:image/png;base64," in page
    assert "right lung to the right of left lung" in page
    assert report["machine"]["torch"] == torch.__version__
    assert report["peak_memory_bytes"]["host"] > 2**27
    assert set(report["timings_s"]) >= {"load", "numbers_plain", "numbers_chosen", "segment"}
    assert {entry["name"] for entry in report["scan"]["structures"]} == {one.structure for one in EXPECTED}
    without_picture = re.sub(r"base64,[^\"]*", "", page)
    secrets = (platform.node(), str(sample_scan().parent), str(tmp_path), "/home", "/tmp", "CTChest4")
    for secret in secrets:
        assert not re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", without_picture + json_file)


def with_table(demo: LoadedModel, change: Callable) -> LoadedModel:
    table = demo.text_encoder.encoder
    return replace(demo, text_encoder=EmbeddingTable(table.prompts, change(table)))


def with_network(demo: LoadedModel, change: Callable[[SAT], None]) -> LoadedModel:
    network = copy.deepcopy(demo.network)
    with torch.no_grad():
        change(network)
    return replace(demo, network=network)


def other_encoder(table: EmbeddingTable) -> torch.Tensor:
    """As strong and as far from each other as the right ones, in a space of their own."""
    turned = torch.randperm(table.width, generator=torch.Generator().manual_seed(2))
    return table.embeddings[:, turned]


def swapped_sides(table: EmbeddingTable) -> torch.Tensor:
    def other_side(prompt: str) -> str:
        return prompt.replace("left", "right") if "left" in prompt else prompt.replace("right", "left")

    swapped = [
        (other_side(p), m) if (other_side(p), m) in table.prompts else (p, m) for p, m in table.prompts
    ]
    return table.embeddings[[table.prompts.index(prompt) for prompt in swapped]]


def permuted_channels(network: SAT) -> None:
    """Every mask is found, has a sensible size and lies on the right side, and yet in the wrong place."""
    convolution = network.backbone.get_submodule("encoder.stages.3.0.convs.0.conv")
    order = torch.randperm(convolution.out_channels, generator=torch.Generator().manual_seed(3))
    convolution.weight.copy_(convolution.weight[order])


def half_of_another_checkpoint(network: SAT) -> None:
    tensors = network.state_dict()
    for name in sorted(tensors)[::2]:
        tensors[name] = torch.from_numpy(tensor_for(name, tuple(tensors[name].shape), "b"))
    network.load_state_dict(tensors)


def not_a_number(network: SAT) -> None:
    network.mask_embed_proj[2].weight[0, 0] = float("nan")


def not_a_number_in_the_image(network: SAT) -> None:
    next(m for m in network.backbone.encoder.modules() if isinstance(m, nn.Conv3d)).weight[0, 0] = torch.inf


@pytest.mark.parametrize("change", [other_encoder, swapped_sides])
def test_a_wrong_text_encoder_is_caught_by_the_masks(demo, change, monkeypatch):
    require_caught_by_masks(with_table(demo, change), monkeypatch)


@pytest.mark.parametrize("change", [permuted_channels, half_of_another_checkpoint])
def test_a_wrong_network_is_caught_by_the_masks(demo, change, monkeypatch):
    require_caught_by_masks(with_network(demo, change), monkeypatch)


def test_a_wrong_orientation_is_caught_by_the_masks(demo, monkeypatch):
    class Turned(LocalSegmenter):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options, orientation="ASR")

    monkeypatch.setattr(run_module, "LocalSegmenter", Turned)
    require_caught_by_masks(demo, monkeypatch)


def require_caught_by_masks(model: LoadedModel, monkeypatch) -> None:
    """As with published weights, whose numbers nobody knows: by the sense of the masks alone."""
    monkeypatch.setattr(run_module, "compare_numbers", lambda segmenter: Numbers((), 0.0, 0.0))
    test = run_selftest(replace(model, name="sat-nano"), device="cpu")
    assert not test.passed
    assert test.report["passed"] is False
    with pytest.raises(SelfTestError, match="Do not use this model") as caught:
        test.require_passed()
    assert "text encoder" in caught.value.hint


@pytest.mark.parametrize("change", [not_a_number, not_a_number_in_the_image])
def test_numbers_that_are_none_are_caught_and_never_a_mask(demo, change, tmp_path):
    broken = with_network(demo, change)
    test = run_selftest(broken, device="cpu")
    assert "numbers are finite" in [check.name for check in test.checks if not check.passed]
    assert test.segmentation is None
    with pytest.raises(SelfTestError, match="finite"):
        test.require_passed()
    page, _ = write_selftest(test, tmp_path)
    assert "Failed" in page.read_text()


def test_the_engine_refuses_embeddings_that_are_none(demo):
    from textsegment.testing import phantom

    segmenter = LocalSegmenter(with_network(demo, not_a_number), device="cpu")
    with pytest.raises(WeightsError, match="not finite"):
        segmenter.segment(phantom(), ["liver"])


def test_weights_that_differ_by_a_little_are_not_those_of_this_version(demo):
    def change(network: SAT) -> None:
        network.mask_embed_proj[2].weight.mul_(1.1)

    other = replace(with_network(demo, change), digest="0" * 64)
    failed = [
        check.name
        for check in compare_numbers(LocalSegmenter(other, device="cpu")).checks
        if not check.passed
    ]
    assert failed == ["weights of sat-demo", "known numbers"]


def test_an_engine_that_computes_something_else_than_the_plain_layers_is_caught(demo, monkeypatch):
    from textsegment.inference.selftest import numbers

    monkeypatch.setattr(
        numbers, "encode_patch", lambda network, *rest: network.encode_image(torch.ones(1, 1, 64, 64, 64))
    )
    failed = [c for c in compare_numbers(LocalSegmenter(demo, device="cpu")).checks if not c.passed]
    assert [check.name for check in failed] == ["plain layers and the chosen ones agree"]


def test_a_few_weak_organs_are_no_fault_but_many_are(passed):
    test, _ = passed

    def outcome(count: int) -> bool:
        failed = [Check(f"organ {n}", False, "") for n in range(count)]
        return run_module.is_good([*test.checks, *failed])

    assert [outcome(0), outcome(run_module.MOST_FAILED), outcome(run_module.MOST_FAILED + 1)] == [
        True,
        True,
        False,
    ]
    assert not run_module.is_good([Check("vital", False, "", is_vital=True)])
