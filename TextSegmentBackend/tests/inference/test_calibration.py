"""Calibration of weights: measured on labelled scans, kept by digest, and used by engine and server."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from tiny_engine import phantom as body
from tiny_engine import tiny_model

from textsegment.doubt import Calibration
from textsegment.errors import InputError, WeightsTamperedError
from textsegment.evaluation.calibration import calibrate
from textsegment.inference.engine import LocalSegmenter
from textsegment.inference.weights.calibrations import calibration_of, keep_calibration
from textsegment.inference.weights.models import load_model
from textsegment.segmentation import Segmentation
from textsegment.testing import FakeSegmenter, ball, phantom

MADE = Calibration(0.25, 0.5, 12, 200)


@dataclass
class Case:
    """A phantom in which the liver lies where the fake segmenter finds it, and the heart does not."""

    sample_id: str
    modality: str = "CT"
    structures: tuple[str, ...] = ("liver", "heart", "tricorder")

    def volume(self):
        return phantom()

    def mask(self, structure):
        name = "liver" if structure == "liver" else "left kidney"
        return ball(name, self.volume().geometry)

    def known(self, structure, geometry):
        return np.ones(geometry.spatial_shape, dtype=bool)


class Unsure(FakeSegmenter):
    """Is ever more unsure of what it finds, by 1 % each time."""

    def __init__(self):
        super().__init__()
        self.jobs = 0

    def segment(self, volume, prompts, **options):
        self.jobs += 1
        found = super().segment(volume, prompts, **options)
        masks = tuple(
            replace(m, statistics=replace(m.statistics, unsure_share=self.jobs / 100)) for m in found
        )
        return Segmentation(found.geometry, masks, found.provenance, found.warnings)


def test_quantiles_over_the_good_masks_of_plain_and_noisy_scans():
    told = []
    found = calibrate(Unsure(), [Case(f"scan{n}") for n in range(10)], on_case=lambda *of: told.append(of))
    assert told == [(f"scan{n}", 2) for n in range(10)]  # the liver, twice; the heart is nowhere near
    assert (found.scans, found.masks) == (10, 20)
    assert found.unsure_95 == pytest.approx(0.1905)
    assert found.unsure_98 == pytest.approx(0.1962)


def test_too_few_scans_are_refused():
    cases = [*(Case(str(n)) for n in range(9)), Case("no structure", structures=("tricorder",))]
    with pytest.raises(InputError, match="found in 9 scans: a calibration needs 10"):
        calibrate(Unsure(), cases)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXTSEGMENT_HOME", str(tmp_path))
    return tmp_path


def test_it_is_kept_by_the_digest_of_the_weights(home):
    assert calibration_of("a" * 64) is None
    path = keep_calibration("sat-x", "a" * 64, MADE)
    keep_calibration("sat-y", "b" * 64, replace(MADE, masks=7))
    assert calibration_of("a" * 64) == MADE
    assert calibration_of("b" * 64).masks == 7
    assert json.loads(path.read_text())["a" * 64]["model"] == "sat-x"


def test_the_demo_comes_with_one_that_an_own_one_replaces(home):
    model = load_model("sat-demo")
    assert 0 < model.calibration.unsure_95 <= model.calibration.unsure_98 < 1
    assert model.calibration.scans >= 10
    keep_calibration("sat-demo", model.digest, MADE)
    assert load_model("sat-demo").calibration == MADE


@pytest.mark.parametrize("content", ["", "[]", "{", '{"DIGEST": 3}', '{"DIGEST": {"unsure_95": "x"}}'])
def test_a_damaged_file_is_said(home, content):
    path = keep_calibration("sat-x", "a" * 64, MADE)
    path.write_text(content.replace("DIGEST", "a" * 64))
    with pytest.raises(WeightsTamperedError, match="damaged"):
        calibration_of("a" * 64)
    if not content.startswith('{"'):
        with pytest.raises(WeightsTamperedError, match="damaged"):
            keep_calibration("sat-x", "a" * 64, MADE)
        assert path.read_text() == content


def test_the_engine_says_it_and_judges_by_it():
    model = replace(tiny_model(), calibration=Calibration(0.0, 0.0, 10, 10))  # everything is unsure
    segmenter = LocalSegmenter(model, device="cpu", precision="fp32", threads=1)
    assert segmenter.info().calibration == model.calibration
    names = segmenter.info().structures["CT"]
    result = segmenter.segment(body(), names)
    assert result.provenance["calibration"] == model.calibration.to_values()
    found = sum(not mask.statistics.is_empty for mask in result)
    (said,) = (w for w in result.warnings if getattr(w, "code", "") == "mostly_doubtful")
    assert dict(said.values) == {"count": found, "total": found}
    assert not any("doubtful" in w for w in segmenter.segment(body(), names[:3]).warnings)
