"""``textsegment demo``: 3D Slicer's chest CT, the packaged model, the whole way."""

import json
import sys

import numpy as np
import pytest
from command_line import CHEST, textsegment
from matplotlib.image import imread

from textsegment import read_volume
from textsegment.files.images.seg_nrrd import read_seg_nrrd
from textsegment.inference.weights.models import list_models

NAMES = ["left lung", "right lung", "heart", "aorta", "vertebrae", "liver"]


@pytest.fixture(scope="module")
def masks(demo):
    folder, _ = demo
    return read_seg_nrrd(folder / "chest.seg.nrrd")


def test_the_package_carries_its_model():
    (status,) = (status for status in list_models() if status.name == "sat-demo")
    assert status.ready
    assert status.size < 10e6


def test_it_ends_well_and_says_what_it_is(demo):
    folder, ended = demo
    assert ended.code == 0, ended.err
    assert ended.err == ""
    assert "not for clinical use" in ended.out
    assert all(name in ended.out for name in NAMES)
    assert all(len(line) <= 80 for line in ended.out.splitlines() if str(folder) not in line)
    assert sorted(path.name for path in folder.iterdir()) == ["chest.seg.nrrd", "preview.png", "report.json"]


def test_masks_lie_on_the_grid_of_the_scan(masks):
    scan = read_volume(CHEST, modality="CT")
    assert masks.geometry.spatial_shape == scan.geometry.spatial_shape
    assert np.allclose(masks.geometry.affine, scan.geometry.affine, rtol=0, atol=1e-6)
    assert [mask.structure for mask in masks] == NAMES


def test_masks_are_anatomy(masks):
    scan = read_volume(CHEST, modality="CT")
    middle = {
        mask.structure: scan.geometry.to_ras(np.argwhere(masks.full_mask(mask.structure))).mean(axis=0)
        for mask in masks
    }
    right, left = middle["right lung"][0], middle["left lung"][0]
    assert right > left + 80, "x grows to the right of the patient"
    assert middle["liver"][2] < min(middle["left lung"][2], middle["right lung"][2]) - 50, "below the lungs"
    assert middle["vertebrae"][1] < middle["heart"][1] - 30, "behind the heart"
    assert left < middle["heart"][0] < right
    for lung in ("left lung", "right lung"):
        assert 1000 < masks[lung].statistics.volume_ml < 5000
        assert scan.voxels[masks.full_mask(lung)].mean() < -700
    for name, low, high in (("heart", 200, 1500), ("liver", 500, 2500), ("vertebrae", 150, 1500)):
        assert low < masks[name].statistics.volume_ml < high
    assert scan.voxels[masks.full_mask("vertebrae")].mean() > 100
    assert masks["aorta"].statistics.volume_ml > 50


def test_picture_is_a_picture(demo):
    folder, _ = demo
    pixels = imread(folder / "preview.png")
    height, width = pixels.shape[:2]
    assert 300 < height < 3000
    assert 1000 < width < 4000
    assert pixels[..., :3].std() > 0.1
    assert len(np.unique(pixels[..., :3] @ [1.0, 256.0, 65536.0])) > 1000


def test_report(demo):
    folder, _ = demo
    report = json.loads((folder / "report.json").read_text())
    assert report["model"] == "sat-demo"
    assert len(report["weights_sha256"]) == 64
    assert report["precision"] in ("float32", "bfloat16") or report["device"] != "cpu"
    assert report["image"]["modality"] == "CT"
    assert report["image"]["shape"] == [128, 128, 34]
    assert {"read", "prepare", "encode", "decode", "restore", "write"} <= set(report["timings_s"])
    assert all(seconds >= 0 for seconds in report["timings_s"].values())
    assert [entry["name"] for entry in report["structures"]] == NAMES
    assert all(entry["state"] in ("found", "cut off", "not found") for entry in report["structures"])
    assert all(0.5 <= entry["mean_confidence"] <= 1 for entry in report["structures"] if entry["voxels"])
    assert "not for clinical use" in report["disclaimer"]
    assert "CTChest" not in json.dumps(report), "no name of a file"


def test_without_slicerio_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "slicerio", None)
    monkeypatch.setattr("textsegment.files.sample.find_spec", lambda name: None)
    ended = textsegment("demo", "-o", tmp_path / "out")
    assert ended.code == 7
    assert "pip install slicerio" in ended.err
    assert not (tmp_path / "out").exists()


def test_a_typo_stops_it_before_anything_is_made(tmp_path):
    ended = textsegment("demo", "livr", "-o", tmp_path / "out")
    assert ended.code == 2
    assert "liver" in ended.err
    assert not (tmp_path / "out").exists()
