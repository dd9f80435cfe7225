"""The sums of docs/memory.md."""

import pytest
import torch

from textsegment.errors import WeightsError
from textsegment.inference import memory
from textsegment.inference.image.patches import PatchGrid
from textsegment.inference.memory import (
    accumulator_bytes,
    cache_bytes,
    features_bytes,
    group_size,
    ladder,
    unet_bytes,
)
from textsegment.model.config import SAT_NANO, SAT_PRO, SATConfig
from textsegment.model.needs import needed_gb
from textsegment.model.sat import SAT

GB = 10**9
TEXT_ENCODER_PARAMETERS = 110.67e6
CONTEXT = 0.6 * GB  # of CUDA and its libraries
CPU, GPU = torch.device("cpu"), torch.device("cuda")


def peak(config: SATConfig, device: torch.device, precision: torch.dtype) -> float:
    with torch.device("meta"):
        parameters = sum(p.numel() for p in SAT(config).parameters())
    copies = 0 if precision == torch.float32 else precision.itemsize
    weights = parameters * (4 + copies) + TEXT_ENCODER_PARAMETERS * 4
    return weights + unet_bytes(config, device, precision) + accumulator_bytes(config, precision) + CONTEXT


@pytest.mark.parametrize("config", [SAT_NANO, SAT_PRO])
def test_a_patch_fits_the_memory_that_was_promised(config: SATConfig) -> None:
    assert peak(config, GPU, torch.float16) < needed_gb(config.name, "cuda:0") * GB
    for device in (CPU, torch.device("mps")):  # a quarter for a library's workspaces
        assert 1.25 * peak(config, device, torch.float32) < needed_gb(config.name, device.type) * GB


def test_the_promised_memory_of_an_unknown_model_is_an_error() -> None:
    with pytest.raises(WeightsError, match="sat-huge"):
        needed_gb("sat-huge", "cpu")


def test_one_patch_of_features_is_a_gigabyte_in_half_precision() -> None:
    assert features_bytes(SAT_NANO, torch.float16) == pytest.approx(1.02 * GB, rel=0.01)
    assert features_bytes(SAT_PRO, torch.float16) == pytest.approx(2.04 * GB, rel=0.01)


def test_groups_are_even_and_within_the_budget() -> None:
    grid = PatchGrid((364, 286, 112), (288, 288, 96))
    prompt = 4 * 288 * 286 * 112
    assert group_size(64, grid, 64 * prompt) == 64
    assert group_size(64, grid, 63 * prompt) == 32
    assert group_size(64, grid, 1) == 1
    assert group_size(1, grid, 10**12) == 1


def test_each_plan_asks_for_less_than_the_one_before() -> None:
    on_gpu = list(ladder(GPU, torch.float32))
    assert [plan.accumulates_on.type for plan in on_gpu] == ["cuda", "cuda", "cuda", "cpu", "cpu"]
    assert [plan.keeps_features for plan in on_gpu] == [True, True, False, False, False]
    assert on_gpu[-1].precision == torch.float16
    assert on_gpu[1].block_bytes < on_gpu[0].block_bytes
    assert all(plan.precision == torch.float16 for plan in ladder(GPU, torch.float16))


@pytest.mark.parametrize(("is_fast", "last"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_cpu_that_only_imitates_bfloat16_is_not_asked_for_it(
    monkeypatch: pytest.MonkeyPatch, is_fast: bool, last: torch.dtype
) -> None:
    monkeypatch.setattr(memory, "has_fast_bfloat16", lambda device: is_fast)
    assert [plan.precision for plan in ladder(CPU, torch.float32)][-1] == last


def test_the_limit_of_the_user_holds() -> None:
    assert cache_bytes(SAT_NANO, CPU, torch.float32, 123) == (0, 123)
    on_device, host = cache_bytes(SAT_NANO, CPU, torch.float32, None)
    assert on_device == 0
    assert host > 0
