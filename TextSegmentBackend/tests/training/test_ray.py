"""Training on Ray Train: two processes, of which one is killed, come to what one process does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from spheres import trainer

from textsegment.datasets.data_set import DataSet

SUPPORT = Path(__file__).parents[1] / "support"
CHANGES = {
    "steps": 10,
    "batch": 2,
    "objective": "independent",
    "learning_rate": 1e-3,
    "revive": False,
    "augmentation": "none",
}


@pytest.mark.slow
def test_a_killed_process_of_ray_goes_on_as_if_nothing_had_happened(spheres: DataSet, tmp_path: Path) -> None:
    """15.2: killed in its sixth step, after the checkpoint of the fourth; equal within 1e-5 after ten."""
    alone = trainer(spheres, tmp_path / "one", **CHANGES)
    alone.run()
    folder = tmp_path / "two"
    paths = os.pathsep.join((str(SUPPORT), os.environ.get("PYTHONPATH", "")))
    command = "import sys, spheres; spheres.train_on_ray(*sys.argv[1:])"
    arguments = [str(spheres.folder), str(folder), json.dumps(CHANGES)]
    ended = subprocess.run(
        [sys.executable, "-c", command, *arguments],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert ended.returncode == 0, ended.stderr
    assert (folder / "has-died").exists()
    assert "resumed at step 4" in ended.stdout.splitlines()
    assert "The model is trained: " in ended.stdout
    together = torch.load(folder / "last.pt", weights_only=True)
    assert together["step"] == 10
    for name, tensor in alone.learner.state_dict().items():
        assert torch.allclose(tensor, together["learner"][name], rtol=0, atol=1e-5), name
