"""Trained weights are used by their path, or under a name of their own, and say what they learnt from."""

from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import textsegment
from spheres import TINY

from textsegment.files.images.nifti import write_nifti
from textsegment.model.checkpoints import checkpoint
from textsegment.model.sat import SAT

CARD = {"trained_by": "textsegment", "licence": "CC BY 4.0", "data": '{"site": "CC BY 4.0"}', "steps": "100"}


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEXTSEGMENT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    torch.manual_seed(0)
    path = tmp_path / "toy.safetensors"
    checkpoint.save_demo(SAT(TINY), [("liver", "CT")], torch.randn(1, TINY.width), path, CARD)
    return path


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "ct.nii.gz"
    voxels = np.random.default_rng(0).normal(40, 200, (40, 30, 30)).astype(np.int16)
    write_nifti(path, voxels, np.diag([3.0, 3.0, 3.0, 1.0]), "")
    return path


def test_they_are_imported_used_and_removed_like_published_ones(weights, scan, tmp_path):
    """15.2: `weights import`; licence and data card are carried."""
    ended = textsegment("weights", "import", "site-liver", weights)
    assert ended.code == 0, ended.err
    weights.rename(tmp_path / "moved.safetensors")
    assert "site-liver" in textsegment("weights", "list").out
    card = textsegment("weights", "card", "site-liver").out
    assert "licence: CC BY 4.0" in card
    assert "data: " in card
    assert "site-liver: unchanged" in textsegment("weights", "verify").out
    options = ("--modality", "CT", "--model", "site-liver")
    told = textsegment("inspect", scan, *options)
    assert told.code == 0, told.err
    assert "with site-liver" in told.out
    made = textsegment("segment", scan, "liver", *options, "-o", tmp_path / "out.nii.gz")
    assert made.code == 0, made.err
    assert (tmp_path / "out.nii.gz").is_file()
    assert textsegment("weights", "remove", "site-liver", "--yes").code == 0
    assert textsegment("inspect", scan, *options).code == 5


def test_they_are_used_by_their_path(weights, scan):
    told = textsegment("inspect", scan, "--modality", "CT", "--model", weights)
    assert told.code == 0, told.err
    assert "1 patch" in told.out
    assert "licence: CC BY 4.0" in textsegment("weights", "card", weights).out


@pytest.mark.parametrize("name", ["sat-nano", "sat-demo", "Site", "../site", ""])
def test_their_name_is_no_published_one_and_no_path(weights, name):
    ended = textsegment("weights", "import", name, weights)
    assert ended.code == 5
    assert "a name of their own" in ended.err


def test_what_is_no_model_is_not_imported(weights, tmp_path):
    (tmp_path / "other.safetensors").write_bytes(b"no weights")
    assert textsegment("weights", "import", "other", tmp_path / "other.safetensors").code == 5
    assert textsegment("weights", "import", "other", tmp_path / "none.safetensors").code == 3
    assert "other" not in textsegment("weights", "list").out
