"""``textsegment calibrate``: a real model, on a prepared set whose labels are what it finds itself."""

import json

import numpy as np
import pytest
from command_line import demo_engine, textsegment

from textsegment.files.images.nifti import write_nifti
from textsegment.geometry import Geometry
from textsegment.inference.weights.calibrations import calibration_of
from textsegment.volume import Volume

SHAPE = (40, 36, 24)
AFFINE = np.diag([6.0, 5.0, 8.0, 1.0])
NAMES = ("left lung", "right lung", "heart")


@pytest.fixture(autouse=True)
def one_engine(monkeypatch, tmp_path):
    monkeypatch.setattr("textsegment.inference.engine.LocalSegmenter", lambda *_, **__: demo_engine())
    monkeypatch.setenv("TEXTSEGMENT_HOME", str(tmp_path / "home"))


def chest() -> np.ndarray:
    """Two balls of lung in an ellipse of soft tissue, with a rod of bone."""
    i, j, k = np.indices(SHAPE)
    voxels = np.full(SHAPE, -1000, dtype=np.int16)
    voxels[((i - 20) / 18) ** 2 + ((j - 18) / 15) ** 2 < 1] = 40
    for centre in (11, 29):
        voxels[((i - centre) / 7) ** 2 + ((j - 19) / 10) ** 2 + ((k - 12) / 11) ** 2 < 1] = -850
    voxels[(np.abs(i - 20) < 3) & (np.abs(j - 7) < 3)] = 400
    return voxels


def prepared(folder, count):
    """A set of scans of twins, which cost the engine no more than one."""
    found = demo_engine().segment(Volume(chest(), Geometry(SHAPE, AFFINE), "CT"), NAMES)
    voxels, labels, cases = chest(), np.zeros(SHAPE, dtype=np.uint8), []
    for value, mask in enumerate(found, start=1):
        labels[mask.full(SHAPE)] = value
    there = {str(value): NAMES[value - 1] for value in np.unique(labels)[1:]}
    for number in range(count):
        write_nifti(folder / f"s{number}.nii.gz", voxels, AFFINE, "")
        write_nifti(folder / f"l{number}.nii.gz", labels, AFFINE, "")
        case = {"image": f"s{number}.nii.gz", "labels": f"l{number}.nii.gz", "modality": "CT", "names": there}
        cases.append(case | {"patient": f"p{number}", "split": "validation"})
    description = {"name": "made", "structures": {"CT": list(NAMES)}, "cases": cases}
    (folder / "made.json").write_text(json.dumps(description))
    ended = textsegment("data", "prepare", folder / "made.json", "--model", "sat-demo", "-o", folder / "set")
    assert ended.code == 0, ended.err
    return folder / "set"


def test_a_calibration_is_measured_kept_and_used(tmp_path):
    ended = textsegment("calibrate", "sat-demo", prepared(tmp_path, 10))
    assert ended.code == 0, ended.err
    assert ended.out.count("good masks") == 11
    made = calibration_of(demo_engine().info().weights_sha256)
    assert made.scans == 10
    assert made.masks >= 10
    assert 0 <= made.unsure_95 <= made.unsure_98 < 1
    assert f"95 % have an unsure share of at most {made.unsure_95:.3f}" in ended.out


def test_too_few_scans_keep_nothing(tmp_path):
    data = prepared(tmp_path, 2)
    before = calibration_of(demo_engine().info().weights_sha256)
    ended = textsegment("calibrate", "sat-demo", data)
    assert ended.code == 3
    assert "a calibration needs 10" in ended.err
    assert calibration_of(demo_engine().info().weights_sha256) == before
    assert textsegment("calibrate", "sat-demo", data, "--split", "half").code == 2
    assert textsegment("calibrate", "sat-demo", tmp_path / "none").code == 3
