"""Which numbers the U-Net computes with."""

import json

import numpy as np
import pytest
import torch
from tiny_engine import CONFIG

from textsegment.errors import DeviceError
from textsegment.inference import precision
from textsegment.inference.encode import encode_patch
from textsegment.inference.precision import choose_precision, cpu_precision
from textsegment.model import slabs
from textsegment.model.sat import SAT

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def fresh(monkeypatch, tmp_path):
    """Nothing measured yet on this machine, which has no matrix units."""
    monkeypatch.setenv("TEXTSEGMENT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(precision, "_capabilities", lambda: {"cpu_name": "made"})
    cpu_precision.cache_clear()
    yield tmp_path / "home" / "bfloat16.json"
    cpu_precision.cache_clear()


def measuring(monkeypatch, gain):
    calls = []
    monkeypatch.setattr(precision, "_gain_of_bfloat16", lambda: calls.append(gain) or gain)
    return calls


@pytest.mark.parametrize(
    ("gain", "chosen"), [(2.0, torch.bfloat16), (1.1, torch.float32), (0.02, torch.float32)]
)
def test_auto_is_what_is_faster_and_measured_once_a_machine(monkeypatch, fresh, gain, chosen):
    calls = measuring(monkeypatch, gain)
    assert choose_precision("auto", CPU) == chosen
    cpu_precision.cache_clear()  # as in another process
    assert choose_precision("auto", CPU) == chosen
    assert len(calls) == 1
    assert list(json.loads(fresh.read_text()).values()) == [gain]


def test_another_machine_or_release_of_pytorch_is_measured_anew(monkeypatch):
    calls = measuring(monkeypatch, 2.0)
    choose_precision("auto", CPU)
    cpu_precision.cache_clear()
    monkeypatch.setattr(precision, "_capabilities", lambda: {"cpu_name": "another"})
    choose_precision("auto", CPU)
    assert len(calls) == 2


def test_matrix_units_need_no_measurement(monkeypatch, fresh):
    calls = measuring(monkeypatch, 0.1)
    monkeypatch.setattr(precision, "_capabilities", lambda: {"amx_bf16": True})
    assert choose_precision("auto", CPU) == torch.bfloat16
    assert not calls
    assert not fresh.exists()


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"made": "x"}', "\x00", '{"a": null}'])
def test_a_damaged_file_is_measured_again(monkeypatch, fresh, content):
    calls = measuring(monkeypatch, 2.0)
    fresh.parent.mkdir()
    fresh.write_text(content)
    assert choose_precision("auto", CPU) == torch.bfloat16
    assert len(calls) == 1


def test_a_folder_that_cannot_be_written_is_no_error(monkeypatch, fresh):
    measuring(monkeypatch, 2.0)
    fresh.parent.write_text("a file where the folder should be")
    assert choose_precision("auto", CPU) == torch.bfloat16


def test_the_measurement_is_of_real_convolutions_and_leaves_the_threads_alone():
    threads = torch.get_num_threads()
    assert precision._gain_of_bfloat16() > 0
    assert torch.get_num_threads() == threads
    assert slabs.conv_speed_test(torch.float32)().shape == (1, 64, 4, 56, 16)


def test_what_is_asked_for_is_what_is_used(monkeypatch):
    calls = measuring(monkeypatch, 2.0)
    assert choose_precision("fp32", CPU) == torch.float32
    assert choose_precision("bf16", CPU) == torch.bfloat16
    assert not calls


def test_an_unknown_precision():
    with pytest.raises(DeviceError, match="precision"):
        choose_precision("fp8", CPU)


@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16"])
def test_a_precision_that_the_processor_lacks_is_refused_and_any_other_computes(name):
    if not slabs.can_compute(precision.PRECISIONS[name]):
        with pytest.raises(DeviceError, match=f"cannot compute in {name}"):
            choose_precision(name, CPU)
        return
    dtype = choose_precision(name, CPU)
    network = SAT(CONFIG).eval()
    patch = np.random.default_rng(0).normal(size=(64, 64, 64)).astype(np.float32)
    with torch.inference_mode():
        assert encode_patch(network, patch, CPU, dtype).pixel_features.shape == (6, 64, 64, 64)
