"""``textsegment selftest``: what it prints, writes and returns."""

import json

import pytest
import torch
from command_line import textsegment
from safetensors import safe_open
from safetensors.torch import save_file

from textsegment.inference.weights.models import _demo_file


@pytest.fixture
def broken(tmp_path):
    """Weights of a training that went wrong: all in place, but one of them is not a number."""
    tensors = {}
    with safe_open(_demo_file(), framework="pt") as file:
        metadata = file.metadata()
        for name in file.keys():  # noqa: SIM118
            tensors[name] = file.get_tensor(name)
    name = next(name for name in tensors if name.endswith("mask_embed_proj.2.bias"))
    tensors[name] = torch.full_like(tensors[name], torch.nan)
    save_file(tensors, tmp_path / "broken.safetensors", metadata)
    return tmp_path / "broken.safetensors"


def test_a_failed_test_is_loud_and_leaves_its_files(broken, tmp_path):
    folder = tmp_path / "test"
    ended = textsegment("selftest", "--model", broken, "--device", "cpu", "-o", folder)
    assert ended.code == 5
    assert "[selftest_failed]" in ended.err
    assert "Do not use this model" in ended.err
    assert "FAILED numbers are finite" in ended.out
    assert "GiB of memory" in ended.out.splitlines()[0]
    report = json.loads((folder / "selftest.json").read_text())
    assert (report["passed"], report["model"], report["scan"]) == (False, "broken", None)
    assert "Failed" in (folder / "selftest.html").read_text()
    assert sorted(path.name for path in folder.iterdir()) == ["selftest.html", "selftest.json"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--model", "sat-nano"], 5, "weights_missing"),
        (["--model", "sat-huge"], 5, "There is no model"),
        (["--device", "abacus"], 6, "device"),
        (["--precision", "fp8"], 6, "precision"),
    ],
)
def test_what_cannot_be_tested_is_said(arguments, code, words, tmp_path, monkeypatch):
    monkeypatch.setenv("TEXTSEGMENT_HOME", str(tmp_path))
    ended = textsegment("selftest", *arguments, "-o", tmp_path / "test")
    assert ended.code == code
    assert words in ended.err
