"""``textsegment evaluate``: a real model on a prepared set."""

import json

import nibabel as nib
import numpy as np
import pytest
from command_line import demo_engine, textsegment

from textsegment.files.images.nifti import write_nifti

SHAPE = (24, 20, 16)
AFFINE = np.diag([-4.0, -3.0, 5.0, 1.0])


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A set of two cases, each with a liver, and without a aorta."""
    folder = tmp_path_factory.mktemp("source")
    cases = []
    for number in (1, 2):
        labels = np.zeros(SHAPE, dtype=np.uint8)
        labels[4 : 12 + number, 5:15, 4:12] = 1
        noise = np.random.default_rng(number).normal(0, 20, SHAPE)
        write_nifti(folder / f"s{number}.nii.gz", (labels * 100 + noise).astype(np.int16), AFFINE, "")
        write_nifti(folder / f"l{number}.nii.gz", labels, AFFINE, "")
        cases.append(
            {
                "image": f"s{number}.nii.gz",
                "labels": f"l{number}.nii.gz",
                "modality": "CT",
                "patient": f"p{number}",
                "split": "validation",
                "names": {"1": "liver"},
                "annotated": ["liver", "aorta"],
            }
        )
    description = {"name": "made", "structures": {"CT": ["liver", "aorta"]}, "cases": cases}
    (folder / "made.json").write_text(json.dumps(description))
    ended = textsegment("data", "prepare", folder / "made.json", "--model", "sat-demo", "-o", folder / "set")
    assert ended.code == 0, ended.err
    return folder / "set"


@pytest.fixture(autouse=True)
def one_engine(monkeypatch):
    monkeypatch.setattr("textsegment.inference.engine.LocalSegmenter", lambda *_, **__: demo_engine())


def test_a_model_is_evaluated_and_goes_on(prepared, tmp_path):
    ended = textsegment("evaluate", "sat-demo", prepared, "-o", tmp_path / "a", "--tolerance", "2")
    assert ended.code == 0, ended.err
    assert ended.out.count("2 structures, mean Dice") == 2
    summary = json.loads((tmp_path / "a" / "summary.json").read_text())
    assert (summary["cases"], summary["patients"]) == (2, 2)
    assert {entry["structure"] for entry in summary["structures"]} == {"liver", "aorta"}
    assert summary["settings"]["tolerance_mm"] == 2
    assert summary["settings"]["split"] == "validation"
    before = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    # A second run computes nothing and writes the same.
    again = textsegment("evaluate", "sat-demo", prepared, "-o", tmp_path / "a", "--tolerance", "2")
    assert again.code == 0
    assert "mean Dice" not in again.out
    assert {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()} == before


def test_two_evaluations_side_by_side(prepared, tmp_path):
    for name in ("a", "b"):
        extra = ["--against", tmp_path / "a"] if name == "b" else []
        ended = textsegment("evaluate", "sat-demo", prepared, "-o", tmp_path / name, *extra)
        assert ended.code == 0, ended.err
    assert "Against sat-demo: Dice +0.000" in ended.out
    assert "too few patients" in ended.out


def test_bad_calls_are_two_lines(prepared, tmp_path):
    for code, arguments in (
        (3, [tmp_path / "none", "-o", tmp_path / "a"]),
        (3, [prepared, "-o", tmp_path / "a", "--split", "test"]),
        (2, [prepared, "-o", tmp_path / "a", "--split", "some"]),
        (2, [prepared, "-o", tmp_path / "a", "--tolerance", "x"]),
        (2, [prepared, "-o", tmp_path / "a", "--against", tmp_path]),
    ):
        ended = textsegment("evaluate", "sat-demo", *arguments)
        assert ended.code == code, (arguments, ended)
        assert len(ended.err.splitlines()) <= 2
        assert not (tmp_path / "a").exists()


def test_a_case_that_is_gone_is_said(prepared, tmp_path):
    scan = prepared.parent / "s2.nii.gz"
    kept = scan.read_bytes()
    try:
        write_nifti(scan, np.zeros((4, 4, 4), dtype=np.int16), AFFINE, "")
        assert nib.load(scan).shape == (4, 4, 4)
        ended = textsegment("evaluate", "sat-demo", prepared, "-o", tmp_path / "a")
        assert ended.code == 8
        assert "[input_invalid]" in ended.err
    finally:
        scan.write_bytes(kept)
    assert textsegment("evaluate", "sat-demo", prepared, "-o", tmp_path / "a").code == 0
