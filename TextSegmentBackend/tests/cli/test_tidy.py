"""``--tidy`` and ``--no-tidy``: as is usual for the model, recorded, and the same with a server."""

import json

import numpy as np
import pytest
from command_line import CHEST, textsegment
from odd_server import KEY, OddServer, serving

from textsegment.files.images.seg_nrrd import read_seg_nrrd
from textsegment.testing import ball


def segment(folder, *options, text="lung, liver"):
    ended = textsegment(
        "segment", CHEST, text, "--modality", "CT", "--overwrite",
        "-o", folder / "out.seg.nrrd", "--json", folder / "report.json", *options,
    )  # fmt: skip
    assert ended.code == 0, ended.err
    report = json.loads((folder / "report.json").read_text())
    return ended.out, report, read_seg_nrrd(folder / "out.seg.nrrd")


@pytest.fixture
def united():
    def check(folder, *options):
        """The fake engine's balls lie anywhere, so that a tidy lung is the union of its two parts."""
        out, report, masks = segment(folder, "--tidy", *options)
        assert [mask.structure for mask in masks] == ["lung", "liver"]
        both = ball("left lung", masks.geometry) | ball("right lung", masks.geometry)
        assert np.array_equal(masks.full_mask("lung"), both)
        assert np.array_equal(masks.full_mask("liver"), ball("liver", masks.geometry))
        assert "Tidied: made of left lung, right lung" in " ".join(out.split())
        assert report["tidy"] is True
        assert [entry["tidied"] for entry in report["structures"]] == [True, False]
        assert report["structures"][0]["codes"] == ["tidy_made_of_parts"]
        assert "Tidied" in masks["lung"].warnings[0]

    return check


@pytest.mark.usefixtures("fake_engine")
def test_wholes_are_made_of_parts_that_were_not_asked_for(tmp_path, united):
    united(tmp_path)


def test_the_same_with_a_server(tmp_path, united, monkeypatch):
    monkeypatch.setenv("TEXTSEGMENT_TOKEN", KEY)
    with serving(OddServer(key=KEY)) as server:
        united(tmp_path, "--server", server.url)


@pytest.mark.usefixtures("fake_engine")
@pytest.mark.parametrize("options", [(), ("--no-tidy",)])
def test_masks_of_other_models_are_left_as_they_are(tmp_path, options):
    _, report, masks = segment(tmp_path, *options)
    assert np.array_equal(masks.full_mask("lung"), ball("lung", masks.geometry))
    assert "tidy" not in report
    assert not any(entry["tidied"] for entry in report["structures"])


@pytest.mark.usefixtures("engine")
def test_the_demonstration_model_is_tidy_unless_told_otherwise(tmp_path):
    text = "lung, liver"
    out, report, masks = segment(tmp_path, text=text)
    _, raw_report, raw = segment(tmp_path, "--no-tidy", text=text)
    assert report["tidy"] is True
    assert "tidy" not in raw_report
    assert not (masks.full_mask("liver") & ~raw.full_mask("liver")).any()
    [_, entry], [_, raw_entry] = report["structures"], raw_report["structures"]
    assert entry["tidied"]
    assert entry["voxels"] < raw_entry["voxels"]
    assert "Tidied: " in out


@pytest.mark.usefixtures("fake_engine")
def test_structures_made_of_others_are_made_of_tidy_ones(tmp_path):
    definition = "Both = lung"
    _, report, masks = segment(tmp_path, "--tidy", "--derive", definition)
    assert np.array_equal(masks.full_mask("Both"), masks.full_mask("lung"))
    assert report["structures"][-1]["codes"] == ["tidy_made_of_parts"]


@pytest.mark.usefixtures("fake_engine")
def test_a_second_run_of_a_batch_with_the_other_choice_is_computed_anew(tmp_path):
    scans = tmp_path / "scans"
    scans.mkdir()
    (scans / "chest.nrrd").symlink_to(CHEST)
    command = ["segment", scans, "lung", "--modality", "CT", "-o", f"{tmp_path}/results/"]
    assert textsegment(*command, "--no-tidy").code == 0
    assert "kept" in textsegment(*command).out
    ended = textsegment(*command, "--tidy")
    assert "kept" not in ended.out
    assert ended.code == 8  # what is there is not overwritten unasked
    assert textsegment(*command, "--tidy", "--overwrite").code == 0
    assert "kept" in textsegment(*command, "--tidy").out
