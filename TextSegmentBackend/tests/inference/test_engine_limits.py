"""The local engine where memory, numbers or devices do not suffice."""

import pytest
import torch
from tiny_engine import NAMES, CountingSAT, assert_same, phantom, segmenter, tiny_model
from torch import Tensor

from textsegment.errors import (
    DeviceError,
    OutOfMemoryError,
    WeightsError,
)
from textsegment.inference import encode as encode_module
from textsegment.inference import memory as memory_module
from textsegment.inference import pipeline as pipeline_module
from textsegment.model.sat import PatchFeatures
from textsegment.segmenter import Progress


def test_features_are_kept_in_half_precision_where_room_is_short() -> None:
    volume = phantom()
    exact = segmenter()
    expected = exact.segment(volume, NAMES)
    small = segmenter(feature_cache_bytes=int(exact.cache.used_bytes(on_device=False) * 0.7))
    small.segment(volume, ["liver"])
    patches = small.network.encoded
    result = small.segment(volume, NAMES)
    assert small.network.encoded == patches
    shape = volume.geometry.spatial_shape
    agreement = [(a.full(shape) == b.full(shape)).mean() for a, b in zip(result, expected, strict=True)]
    assert min(agreement) > 0.999


class Hungry(CountingSAT):
    """Network that is out of memory unless it is treated well."""

    def __init__(self, largest_block: int = 10**9, encodes: bool = True, encodes_half: bool = True) -> None:
        super().__init__()
        self.largest_block = largest_block
        self.encodes, self.encodes_half = encodes, encodes_half

    def encode_image(self, patch: Tensor) -> PatchFeatures:
        if not (self.encodes_half if torch.is_autocast_enabled("cpu") else self.encodes):
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return super().encode_image(patch)


def test_out_of_memory_makes_smaller_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = segmenter().segment(phantom(), NAMES)
    blocks = []

    def decode(*args: object) -> None:
        blocks.append(args[-1])
        if args[-1] > 2**20:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 4 bytes.")
        decode_patch(*args)

    decode_patch = pipeline_module.decode_patch
    monkeypatch.setattr(pipeline_module, "decode_patch", decode)
    assert_same(segmenter().segment(phantom(), NAMES), expected)
    assert blocks[0] > blocks[-1]


def test_out_of_memory_takes_a_smaller_precision_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_module, "has_fast_bfloat16", lambda device: True)
    model = tiny_model(network=Hungry(encodes=False))
    engine = segmenter(model=model)
    fractions: list[float] = []
    result = engine.segment(
        phantom(), NAMES, on_event=lambda e: fractions.append(e.fraction) if isinstance(e, Progress) else None
    )
    assert result.provenance["precision"] == "bfloat16"
    assert fractions == sorted(fractions)
    expected = segmenter().segment(phantom(), NAMES)
    shape = phantom().geometry.spatial_shape
    for a, b in zip(result, expected, strict=True):
        assert (a.full(shape) == b.full(shape)).mean() > 0.9


def test_out_of_memory_for_good_is_typed_and_the_engine_lives() -> None:
    network = Hungry(encodes=False, encodes_half=False)
    engine = segmenter(model=tiny_model(network=network))
    with pytest.raises(OutOfMemoryError):
        engine.segment(phantom(), ["liver"])
    network.encodes = True
    assert len(engine.segment(phantom(), ["liver"])) == 1


def test_a_full_computer_is_not_pushed_over_the_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = segmenter()
    monkeypatch.setattr(encode_module, "free_bytes", lambda device: 1000)
    with pytest.raises(OutOfMemoryError):
        engine.segment(phantom(), ["liver"])
    assert engine.network.encoded == 0


def test_other_runtime_errors_are_not_taken_for_lack_of_memory() -> None:
    class Broken(CountingSAT):
        def encode_image(self, patch: Tensor) -> PatchFeatures:
            raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        segmenter(model=tiny_model(network=Broken())).segment(phantom(), ["liver"])


class Overflowing(CountingSAT):
    """Network whose features overflow in half precision."""

    def encode_image(self, patch: Tensor) -> PatchFeatures:
        features = super().encode_image(patch)
        if torch.is_autocast_enabled("cpu"):
            features.pixel_features[0, 0, 0, 0] = float("nan")
        return features


def test_a_patch_that_overflows_runs_again_in_single_precision() -> None:
    """Fault 59."""
    engine = segmenter(model=tiny_model(network=Overflowing()), precision="bf16")
    result = engine.segment(phantom(), NAMES)
    assert_same(result, segmenter().segment(phantom(), NAMES))


def test_numbers_that_are_not_finite_are_never_a_mask() -> None:
    model = tiny_model()
    with torch.no_grad():
        model.network.backbone.decoder.stages[-1].convs[0].norm.bias[0] = float("nan")
    with pytest.raises(WeightsError):
        segmenter(model=model).segment(phantom(), ["liver"])


def test_devices_that_are_not_there() -> None:
    for name in ("tpu", "cuda:x", "cuda:99", "cpu:0:1"):
        with pytest.raises(DeviceError):
            segmenter(device=name)
    with pytest.raises(DeviceError):
        segmenter(precision="fp8")
    with pytest.raises(DeviceError):
        segmenter(threads=0)


def test_threads() -> None:
    before = torch.get_num_threads()
    try:
        segmenter(threads=before + 1)
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)
