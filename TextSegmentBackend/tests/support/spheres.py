"""A data set of spheres, which a network of some thousand weights learns in seconds."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from textsegment.datasets.data_set import DataSet
from textsegment.files.images.nifti import write_nifti
from textsegment.model.config import SATConfig
from textsegment.training import run as run_module
from textsegment.training.loop.parallel import Processes
from textsegment.training.loop.resumable_run import Report
from textsegment.training.run import Run, work
from textsegment.training.settings import DEMO_RECIPE, TrainingSettings
from textsegment.training.trainer import Trainer

TINY = SATConfig(
    name="toy",
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
QUICK: TrainingSettings = replace(
    DEMO_RECIPE,
    steps=8,
    warm_up_steps=2,
    learning_rate=1e-2,
    exclusive_only_steps=4,
    sizes=(),
    stride=(1, 1, 1),
    average_decay=0.9,
    checkpoint_every=4,
    bfloat16=False,
)
TOY_TOML = """
name = "toy"
features = [8, 8, 8, 8, 8, 8]
encoder_convs = [1, 1, 1, 1, 1, 1]
decoder_convs = [1, 1, 1, 1, 1]
width = 24
projection_hidden = 24
mask_hidden = 16
layers = 1
heads = 2
feed_forward = 32
spacing = [3.0, 3.0, 3.0]
patch_size = [64, 32, 32]
text_encoder = "table"

[training]
learning_rate = 1e-2
exclusive_only_steps = 3
sizes = []
stride = [1, 1, 1]
average_decay = 0.9
checkpoint_every = 50
augmentation = "none"
"""
CASES = 4
VALIDATION = 1


def write_spheres(folder: Path, number: int) -> dict[str, object]:
    """Write a scan with a bright ball on the left and a dark one on the right, in a grey block."""
    random = np.random.default_rng(number)
    x, y, z = np.indices((60, 30, 30))
    # The scan increases towards the patient's right, so the left ball is at small x.
    (ax, ay, az), (bx, by, bz) = random.integers((13, 13, 13), (18, 18, 18), (2, 3))
    left = (x - ax) ** 2 + (y - ay) ** 2 + (z - az) ** 2 < 81
    right = (x - 30 - bx) ** 2 + (y - by) ** 2 + (z - bz) ** 2 < 81
    voxels = 50 + random.normal(0, 10, x.shape) + 300 * left + 600 * right
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    write_nifti(folder / f"scan_{number}.nii.gz", voxels.astype(np.int16), affine, "phantom")
    write_nifti(folder / f"labels_{number}.nii.gz", (left + 2 * right).astype(np.uint8), affine, "phantom")
    return {
        "image": f"scan_{number}.nii.gz",
        "labels": f"labels_{number}.nii.gz",
        "modality": "CT",
        "names": {"1": "left kidney", "2": "right kidney"},
        "annotated": "all",
        "split": "validation" if number == VALIDATION else "train",
    }


def write_source(folder: Path) -> Path:
    """Write scans, label maps and their description."""
    content = {
        "name": "spheres",
        "licence": "CC0",
        "structures": {"CT": ["left kidney", "right kidney", "kidney", "liver"]},
        "groups": {"kidney": ["left kidney", "right kidney"]},
        "cases": [write_spheres(folder, number) for number in range(CASES)],
    }
    path = folder / "spheres.json"
    path.write_text(json.dumps(content))
    return path


def trainer(data: DataSet, folder: Path, lines: list[str] | None = None, **changes: object) -> Trainer:
    """Return a quick run on a set."""
    report = (lambda line: None) if lines is None else lines.append
    return Trainer(TINY, replace(QUICK, **changes), [data], folder, report)


def run_slowly(data: str, folder: str) -> None:
    """Train to the first checkpoint and wait to be killed."""
    torch.set_num_threads(1)
    each = trainer(DataSet(data), Path(folder))
    learn = each.learn

    def wait_after_five() -> float:
        if each.step == 5:
            time.sleep(600)
        return learn()

    each.learn = wait_after_five  # type: ignore[method-assign]
    each.run()


def train_in_a_process(processes: Processes, report: Report, run: Run) -> None:
    """Train as one of several processes, on one core."""
    torch.set_num_threads(1)
    sets = [DataSet(folder) for folder in run.sets]
    Trainer(run.config, run.settings, sets, run.folder, report, processes=processes).run()


def train_and_die_once(processes: Processes, report: Report, run: Run) -> None:
    """Train as one of several processes, of which the second is killed in its sixth step, the first time."""
    learn, has_died = Trainer.learn, run.folder / "has-died"

    def learn_or_die(self: Trainer) -> float:
        if self.step == 5 and processes.rank == 1 and not has_died.exists():
            has_died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return learn(self)

    Trainer.learn = learn_or_die  # type: ignore[method-assign]
    work(processes, report, run)


def train_on_ray(data: str, folder: str, changes: str) -> None:
    """Train in two processes of Ray, of which one is killed once; print what is reported."""
    run_module.work = train_and_die_once  # type: ignore[assignment]
    run = Run(TINY, replace(QUICK, **json.loads(changes)), (Path(data),), Path(folder))
    run_module.train(run, print, processes=2, on_ray=True)
