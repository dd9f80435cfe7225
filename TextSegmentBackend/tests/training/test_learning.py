"""A toy set is learnt by the commands of users; a run that was broken off or divided comes to the same."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from spheres import QUICK, TINY, TOY_TOML, train_in_a_process, trainer, write_source
from tensorboardX.proto.event_pb2 import Event

from textsegment.compare.metrics import dice
from textsegment.datasets.data_set import DataSet
from textsegment.inference.engine import LocalSegmenter
from textsegment.model.checkpoints import checkpoint
from textsegment.training.loop.parallel import launch
from textsegment.training.run import Run, train
from textsegment.training.sampling.cases import TrainingCases
from textsegment.training.sampling.draws import Draws


def textsegment(*arguments: object) -> subprocess.CompletedProcess[str]:
    program = [Path(sys.executable).with_name("textsegment"), *map(str, arguments)]
    return subprocess.run(program, capture_output=True, text=True, check=True)


def test_spheres_are_learnt_by_the_commands_that_people_use(tmp_path: Path) -> None:
    """15.2, tr1: Dice above 0.95 on a held-out case in a minute of processor time; used at once by path."""
    source = write_source(tmp_path)
    (tmp_path / "toy.toml").write_text(TOY_TOML)
    textsegment("data", "prepare", source, "-o", tmp_path / "set", "--model", "sat-demo")
    run = textsegment(
        "train", tmp_path / "set", "-o", tmp_path / "run", "--model", tmp_path / "toy.toml",
        "--steps", 220, "--validate-every", 110,
    )  # fmt: skip
    assert "left" in run.stdout
    weights = tmp_path / "run" / "toy.safetensors"
    segmenter = LocalSegmenter(str(weights), device="cpu", precision="fp32")
    assert segmenter.info().structures["CT"] == ("kidney", "left kidney", "liver", "right kidney")
    (case,) = DataSet(tmp_path / "set").of_split("validation")
    found = segmenter.segment(case.volume(), ["left kidney", "right kidney", "kidney"])
    for structure in ("left kidney", "right kidney", "kidney"):
        assert dice(found.full_mask(structure), case.mask(structure)) > 0.95, structure
    card = checkpoint.load(weights).source
    assert card["licence"] == "CC0"
    assert card["started_from"] == "random weights"
    page = (tmp_path / "run" / "training.html").read_text()
    assert page.count("<polyline") == 3
    assert "Worst cases" in page


def test_a_killed_run_goes_on_exactly_as_it_would_have(spheres: DataSet, tmp_path: Path) -> None:
    """15.2: killed between two checkpoints, without a chance to tidy up."""
    whole = trainer(spheres, tmp_path / "whole")
    whole.run()
    command = "import sys; sys.path[:0] = [sys.argv[1]]; import spheres; spheres.run_slowly(*sys.argv[2:])"
    support = Path(__file__).parents[1] / "support"
    folder = tmp_path / "killed"
    process = subprocess.Popen(
        [sys.executable, "-c", command, str(support), str(spheres.folder), str(folder)]
    )
    try:
        deadline = time.monotonic() + 300
        while not (folder / "last.pt").is_file() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    lines: list[str] = []
    resumed = trainer(spheres, folder, lines)
    assert lines == ["resumed at step 4"]
    resumed.run()
    for name, tensor in whole.learner.state_dict().items():
        assert torch.equal(tensor, resumed.learner.state_dict()[name]), name
    first, second = (load_file(path / "toy.safetensors") for path in (tmp_path / "whole", folder))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert resumed.dice == whole.dice


def test_two_processes_learn_what_one_does(spheres: DataSet, tmp_path: Path) -> None:
    """15.2: ten steps of DDP equal those of one process within 1e-5."""
    settings = {"steps": 10, "batch": 2, "objective": "independent", "learning_rate": 1e-3}
    settings |= {"revive": False, "augmentation": "none"}
    alone = trainer(spheres, tmp_path / "one", **settings)
    alone.run()
    run = Run(TINY, replace(QUICK, **settings), (spheres.folder,), tmp_path / "two")
    launch(2, train_in_a_process, run)
    together = torch.load(tmp_path / "two" / "last.pt", weights_only=True)
    for name, tensor in alone.learner.state_dict().items():
        assert torch.allclose(tensor, together["learner"][name], rtol=0, atol=1e-5), name


def test_workers_prepare_what_would_have_been_drawn_without_them(spheres: DataSet) -> None:
    cases = TrainingCases([spheres], TINY.patch_size, 10**9)
    settings = replace(QUICK, steps=3, augmentation="none")
    without, beside = (
        list(Draws(replace(settings, workers=workers), TINY.patch_size, cases, None).ahead(0, [0]))
        for workers in (0, 1)
    )
    assert len(without) == 3
    for one, other in zip(without, beside, strict=True):
        assert one.structures == other.structures
        assert torch.equal(one.patch.image, other.patch.image)
        assert torch.equal(one.patch.atoms, other.patch.atoms)


def test_a_run_can_be_watched_with_tensorboard(spheres: DataSet, tmp_path: Path) -> None:
    """15.2: every figure of the tables, as events that TensorBoard reads; they go on, too."""
    trainer(spheres, tmp_path, steps=4, validate_every=2, augmentation="none").run()
    trainer(spheres, tmp_path, steps=6, validate_every=2, augmentation="none").run()
    files = sorted((tmp_path / "tensorboard").iterdir())
    assert len(files) == 2
    found = [event for file in files for event in events_in(file)]
    tags = {value.tag for event in found for value in event.summary.value}
    assert {"training/loss", "training/learning_rate", "held_out/mean_dice"} <= tags
    assert "held_out/left_kidney_CT" in tags
    steps = [event.step for event in found if any(v.tag == "training/loss" for v in event.summary.value)]
    assert steps == [4, 6]
    rows = (tmp_path / "steps.csv").read_text().splitlines()[1:]
    assert [int(row.split(",")[0]) for row in rows] == steps


def events_in(path: Path) -> list[Event]:
    """Read a file of events: length, checksum, content and checksum of each."""
    content, found, place = path.read_bytes(), [], 0
    while place < len(content):
        (length,) = struct.unpack_from("<Q", content, place)
        found.append(Event.FromString(content[place + 12 : place + 12 + length]))
        place += length + 16
    return found


def test_training_stops_when_held_out_patients_no_longer_gain(spheres: DataSet, tmp_path: Path) -> None:
    each = trainer(spheres, tmp_path, steps=40, learning_rate=0.0, validate_every=2, patience=2)
    each.run()
    assert each.step == 6  # the first is the best, and two more are not better
    assert each.best_step == 2


def test_a_run_does_not_go_on_with_other_settings(spheres: DataSet, tmp_path: Path) -> None:
    from textsegment.errors import CheckpointError, SettingsError

    trainer(spheres, tmp_path, steps=1).run()
    with pytest.raises(SettingsError, match="batch"):
        trainer(spheres, tmp_path, batch=2)
    (tmp_path / "last.pt").write_bytes(b"PK")
    with pytest.raises(CheckpointError, match="damaged"):
        trainer(spheres, tmp_path)


def test_batches_are_divided_evenly_or_not_at_all(spheres: DataSet, tmp_path: Path) -> None:
    from textsegment.errors import SettingsError

    with pytest.raises(SettingsError, match="cannot be divided"):
        train(Run(TINY, QUICK, (spheres.folder,), tmp_path), lambda line: None, processes=2)


if os.name == "nt":
    pytest.skip("processes are killed by signals", allow_module_level=True)
