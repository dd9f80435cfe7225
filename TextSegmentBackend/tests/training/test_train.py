"""The demonstration model learns, resumes and exports; bad descriptions are refused."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from textsegment.errors import CheckpointError, InputError, InputNotFoundError
from textsegment.files.images.nifti import write_nifti
from textsegment.model.checkpoints.checkpoint import load
from textsegment.model.config import SATConfig
from textsegment.training.dataset import load_case, read_description
from textsegment.training.loss import exclusive_loss, independent_loss
from textsegment.training.patches import PatchSampler
from textsegment.training.train import Trainer, TrainingSettings

TINY = SATConfig(
    name="sat-demo",
    features=(8, 8, 8, 8, 8, 8),
    encoder_convs=(1,) * 6,
    decoder_convs=(1,) * 5,
    width=24,
    projection_hidden=24,
    mask_hidden=16,
    layers=1,
    heads=2,
    feed_forward=32,
    spacing=(3.0, 3.0, 3.0),
    patch_size=(64, 32, 32),
    text_encoder="table",
)


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bright ball on the left, a dark one on the right, in a grey block."""
    folder = tmp_path_factory.mktemp("scans")
    x, y, z = np.indices((60, 30, 30))
    left = (x - 15) ** 2 + (y - 15) ** 2 + (z - 15) ** 2 < 81
    right = (x - 44) ** 2 + (y - 15) ** 2 + (z - 15) ** 2 < 81
    voxels = 50 + np.random.default_rng(0).normal(0, 10, x.shape) + 300 * left + 600 * right
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    write_nifti(folder / "image.nii.gz", voxels.astype(np.int16), affine, "phantom")
    write_nifti(folder / "labels.nii.gz", (left + 2 * right).astype(np.uint8), affine, "phantom")
    write_description(folder)
    return folder


def write_description(folder: Path, **changes: object) -> Path:
    content = {
        "structures": {"CT": ["left kidney", "right kidney", "kidney", "liver"]},
        "groups": {"kidney": ["left kidney", "right kidney"]},
        "hidden": {"CT": ["liver"]},
        "cases": [
            {
                "image": "image.nii.gz",
                "labels": "labels.nii.gz",
                "modality": "CT",
                "names": {"1": "left kidney", "2": "right kidney"},
                "annotated": "all",
            }
        ],
    }
    path = folder / "data.json"
    path.write_text(json.dumps(content | changes))
    return path


def train(scans: Path, folder: Path, steps: int) -> Trainer:
    settings = TrainingSettings(
        steps=steps, warm_up_steps=steps // 2, learning_rate=1e-2, checkpoint_every=5, average_decay=0.9
    )
    trainer = Trainer(TINY, read_description(scans / "data.json", scans), folder, settings, lambda line: None)
    trainer.run()
    return trainer


def test_a_case_knows_drawn_structures_unions_and_absent_ones(scans: Path) -> None:
    data = read_description(scans / "data.json", scans)
    case = load_case(data.cases[0], data.groups, TINY)
    assert case.drawn == ("left kidney", "right kidney")
    assert case.groups == {"kidney": ("left kidney", "right kidney")}
    assert case.annotated == {"left kidney", "right kidney", "kidney", "liver"}
    assert set(np.unique(case.labels)) == {0, 1, 2}
    assert abs(float(case.image.mean())) < 1e-3


def test_patches_have_the_size_of_use_and_keep_labels_on_their_voxels(scans: Path) -> None:
    data = read_description(scans / "data.json", scans)
    sampler = PatchSampler([load_case(data.cases[0], data.groups, TINY)], {TINY.patch_size: 1.0}, seed=1)
    brighter = []
    for _ in range(8):
        drawn = sampler.draw()
        patch, labels = drawn.image, drawn.labels
        assert patch.shape == (1, 1, *TINY.patch_size)
        assert labels.shape == TINY.patch_size
        if (labels == 2).any():
            brighter.append(bool(patch[0, 0][labels == 2].mean() > patch[0, 0][labels == 0].mean()))
    assert brighter
    assert all(brighter)


def test_training_learns_exports_and_resumes(scans: Path, tmp_path: Path) -> None:
    trainer = train(scans, tmp_path, steps=60)
    dice = trainer.dice
    assert dice["left kidney", "CT"] > 0.5
    assert dice["right kidney", "CT"] > 0.5
    exported = load(tmp_path / "sat-demo.safetensors", device="cpu", dtype=torch.float32)
    assert exported.text_encoder.supported("CT") == ("left kidney", "right kidney", "kidney")
    lines: list[str] = []
    data = read_description(scans / "data.json", scans)
    resumed = Trainer(TINY, data, tmp_path, TrainingSettings(steps=61), lines.append)
    assert "resumed at step 60" in lines
    for name, tensor in trainer.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name


def test_a_structure_that_is_never_found_starts_again_from_a_living_one(scans: Path, tmp_path: Path) -> None:
    data = read_description(scans / "data.json", scans)
    lines: list[str] = []
    trainer = Trainer(TINY, data, tmp_path, TrainingSettings(), lines.append)
    trainer.dice = {("left kidney", "CT"): 0.9, ("right kidney", "CT"): 0.0, ("kidney", "CT"): 0.5}
    before = trainer.model.embeddings.detach().clone()
    trainer.revive()
    after = trainer.model.embeddings.detach()
    assert lines[-1] == "right kidney (CT) starts again from left kidney"
    assert torch.equal(after[[0, 2, 3]], before[[0, 2, 3]])
    assert 0 < float((after[1] - before[0]).abs().max()) < 1


def test_training_can_begin_with_trained_weights(scans: Path, tmp_path: Path) -> None:
    trained = train(scans, tmp_path / "first", steps=2)
    weights = tmp_path / "first" / "sat-demo.safetensors"
    data = read_description(scans / "data.json", scans)
    settings = TrainingSettings()
    begun = Trainer(TINY, data, tmp_path / "second", settings, lambda line: None, weights).model
    best = trained.average.module
    for name, tensor in best.network.state_dict().items():
        assert torch.equal(tensor.half(), begun.network.state_dict()[name].half()), name
    kept, liver = begun.embeddings.detach()[:3], begun.embeddings.detach()[3]
    assert torch.equal(kept, best.embeddings.detach()[:3].half().float())
    assert 0 < float((liver - kept).abs().amax(1).min()) < 1
    other = dataclasses.replace(TINY, width=36)
    with pytest.raises(CheckpointError):
        Trainer(other, data, tmp_path / "third", settings, lambda line: None, weights)


def test_exclusive_loss_asks_for_positive_logits_on_the_structure_only() -> None:
    targets = torch.zeros(1, 4, 4, 4, dtype=torch.bool)
    targets[:, :2] = True
    right, known = torch.where(targets, 8.0, -8.0), torch.ones_like(targets)
    assert exclusive_loss(right, targets, known) < 0.1
    assert exclusive_loss(-right, targets, known) > 5
    assert exclusive_loss(-right, targets, ~targets) < exclusive_loss(-right, targets, known)


def test_independent_loss_lets_structures_overlap() -> None:
    targets = torch.zeros(2, 4, 4, 4, dtype=torch.bool)
    targets[0, :2] = targets[1, :3] = True
    right, known = torch.where(targets, 8.0, -8.0), torch.ones_like(targets)
    assert independent_loss(right, targets, known) < 0.1
    assert independent_loss(-right, targets, known) > 5


def test_bad_descriptions_are_refused(scans: Path, tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError):
        read_description(tmp_path / "none.json", tmp_path)
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(InputError):
        read_description(broken, tmp_path)
    with pytest.raises(InputError):
        read_description(write_description(tmp_path, cases=[{"image": "x"}]), tmp_path)
    with pytest.raises(InputError):
        read_description(write_description(tmp_path, structures={"XX": []}), tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"names": {"1": "Left Kidney", "2": "right kidney"}},
            "labels.nii.gz: 'Left Kidney'.*Did you mean left kidney",
        ),
        ({"names": {"1": "left kidney", "2": "flux capacitor"}}, "'flux capacitor' is not among.*other"),
        ({"names": {"1": "left kidney"}}, "labels.nii.gz holds numbers without a name: 2"),
        ({"names": {"5": "left kidney"}, "other": [1, 2]}, "holds none of the numbers that are named"),
        ({"annotated": ["spleeen"]}, "'spleeen' is not among"),
        ({"labels": "elsewhere.nii.gz"}, "elsewhere.nii.gz does not lie where its scan lies"),
    ],
)
def test_labels_that_contradict_their_description_are_refused(scans, tmp_path, change, said):
    """tr1: what contradicted itself was dropped silently, or learnt as absent."""
    labels = np.zeros((60, 30, 30), dtype=np.uint8)
    labels[5:9, 5:9, 5:9], labels[20:24, 5:9, 5:9] = 1, 2
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    affine[:3, 3] = 5000
    write_nifti(scans / "elsewhere.nii.gz", labels, affine, "phantom")
    described = json.loads((scans / "data.json").read_text())
    entry = described["cases"][0] | change
    path = tmp_path / "data.json"
    path.write_text(json.dumps(described | {"cases": [entry]}))

    def read() -> None:
        data = read_description(path, scans)
        load_case(data.cases[0], data.groups, TINY)

    with pytest.raises(InputError) as caught:
        read()
    assert re.search(said, f"{caught.value.message} {caught.value.hint}")


def test_numbers_that_are_listed_as_other_are_not_learnt(scans, tmp_path):
    """tr1"""
    described = json.loads((scans / "data.json").read_text())
    entry = described["cases"][0] | {
        "names": {"1": "left kidney"},
        "other": [2],
        "annotated": ["left kidney"],
    }
    (tmp_path / "data.json").write_text(json.dumps(described | {"cases": [entry]}))
    data = read_description(tmp_path / "data.json", scans)
    case = load_case(data.cases[0], data.groups, TINY)
    assert set(np.unique(case.labels)) == {0, 1}


def test_a_trained_file_is_used_by_its_path(scans, tmp_path):
    """tr1"""
    from textsegment.errors import WeightsMissingError
    from textsegment.inference.engine import LocalSegmenter

    path = train(scans, tmp_path, steps=1)._export_path
    segmenter = LocalSegmenter(str(path), device="cpu", precision="fp32")
    assert segmenter.info().model == "sat-demo"
    assert "left kidney" in segmenter.info().structures["CT"]
    with pytest.raises(WeightsMissingError, match="no such file"):
        LocalSegmenter(str(tmp_path / "none.safetensors"))
