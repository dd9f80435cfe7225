"""Evaluation of a model: resumable, with the means of the paper and a paired test."""

import csv
import json
import math
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from textsegment.compare.comparison import Tolerances
from textsegment.compare.metrics import Measures
from textsegment.errors import InputError, InputUnreadableError, SettingsError
from textsegment.evaluation.means import Means, group_of
from textsegment.evaluation.paired import compare_models
from textsegment.evaluation.report import write_evaluation
from textsegment.evaluation.run import run, settings_of
from textsegment.evaluation.score import Score, ScoreFile
from textsegment.testing import FakeSegmenter, ball, phantom


@dataclass
class Case:
    """A case whose truth is what the fake segmenter finds, moved by some voxels."""

    sample_id: str
    shift: int = 0
    patient_id: str = "p"
    dataset: str = "made"
    modality: str = "CT"
    structures: tuple = ("liver", "left kidney")
    absent: tuple = ("spleen", "heart")
    half: bool = False
    read: list = field(default_factory=list)

    def volume(self):
        self.read.append(self.sample_id)
        return replace(phantom(), modality=self.modality)

    def mask(self, structure):
        geometry = phantom().geometry
        if structure in self.absent:
            return np.zeros(geometry.spatial_shape, dtype=bool)
        return np.roll(ball(structure, geometry), self.shift, axis=0)

    def known(self, structure, geometry):
        known = np.ones(geometry.spatial_shape, dtype=bool)
        if self.half:
            known[:, :, geometry.spatial_shape[2] // 2 :] = False
        return known


class Broken(Case):
    def volume(self):
        raise InputUnreadableError("The image is damaged.")


def evaluated(folder, cases, segmenter=None, tolerances=None, other=None):
    segmenter, tolerances = segmenter or FakeSegmenter(), tolerances or Tolerances()
    settings = settings_of(segmenter, "made", "0" * 64, "test", tolerances)
    scores = settings.begin(folder)
    failed = run(segmenter, cases, scores, tolerances=tolerances)
    found = scores.of_cases([case.sample_id for case in cases])
    codes = {name: error.code for name, error in failed.items()}
    return found, write_evaluation(folder, settings, found, failed=codes, other=other)


def test_scores_and_the_rule_for_absent_structures(tmp_path):
    found, summary = evaluated(tmp_path, [Case("a"), Case("b", shift=2)])
    by = {(score.sample_id, score.structure): score for score in found}
    assert by["a", "liver"].measures.dice == 1
    assert 0 < by["b", "liver"].measures.dice < 1
    assert by["b", "liver"].measures.hausdorff_mm > 0
    # Absent: 1 if the answer is empty, else 0; no distance.
    assert [by["a", name].measures.dice for name in ("spleen", "heart")] == [1, 0]
    assert math.isnan(by["a", "heart"].measures.hd95_mm)
    assert by["a", "heart"].truth_is_empty
    assert summary["cases"] == 2
    assert summary["overall"]["count"] == 4
    # Two structures are present, and two are not: an empty answer does not raise the mean of the former.
    assert summary["present"]["count"] == 2
    shown = [score.measures.dice for score in found if not score.truth_is_empty]
    assert summary["present"]["dice"] == pytest.approx(sum(shown) / 4, abs=1e-6)
    rows = list(csv.DictReader((tmp_path / "scores.csv").read_text("utf-8").splitlines()))
    assert len(rows) == 8
    assert float(rows[0]["dice"]) == found[0].measures.dice
    assert "left kidney (CT)" in (tmp_path / "evaluation.html").read_text()


def test_only_what_is_known_counts(tmp_path):
    ((liver, *_), _) = evaluated(tmp_path, [Case("a", shift=3, half=True, structures=("liver",), absent=())])
    geometry = phantom().geometry
    truth = np.roll(ball("liver", geometry), 3, axis=0)[:, :, : geometry.spatial_shape[2] // 2]
    assert liver.partly_known
    assert liver.measures.reference_ml == pytest.approx(truth.sum() * geometry.voxel_volume_ml)


def test_structures_that_the_model_does_not_offer_are_left_out(tmp_path):
    model = FakeSegmenter(structures={"CT": ("liver", "aorta"), "MR": ("aorta",)})
    other = Case("b", modality="MR")
    found, _ = evaluated(tmp_path, [Case("a"), other], model)
    assert [(score.sample_id, score.structure) for score in found] == [("a", "liver")]
    assert other.read == []


def outputs(folder):
    return {name: (folder / name).read_bytes() for name in ("scores.csv", "summary.json", "evaluation.html")}


def test_a_killed_evaluation_goes_on_and_gives_the_same(tmp_path):
    cases = [Case(name, shift=n) for n, name in enumerate("abcd")]
    evaluated(tmp_path / "whole", cases)
    evaluated(tmp_path / "parts", cases[:2])
    scores = tmp_path / "parts" / "scores.jsonl"
    # Killed in the middle of a line.
    lines = scores.read_bytes().splitlines(keepends=True)
    scores.write_bytes(lines[0] + lines[1][: len(lines[1]) // 2])
    again = [replace(case, read=[]) for case in cases]
    evaluated(tmp_path / "parts", again)
    assert [case.read for case in again] == [[], ["b"], ["c"], ["d"]]
    assert outputs(tmp_path / "parts") == outputs(tmp_path / "whole")


def test_another_evaluation_does_not_go_on(tmp_path):
    evaluated(tmp_path, [Case("a")])
    with pytest.raises(SettingsError, match="tolerance_mm"):
        evaluated(tmp_path, [Case("a")], tolerances=Tolerances(2.0))
    (tmp_path / "scores.jsonl").write_text('{"sample_id": "a"}\n')
    with pytest.raises(InputUnreadableError):
        evaluated(tmp_path, [Case("a")])


def test_a_case_that_cannot_be_read_is_said_and_tried_again(tmp_path):
    found, summary = evaluated(tmp_path, [Broken("a"), Case("b")])
    assert {score.sample_id for score in found} == {"b"}
    assert summary["failed"] == {"a": "input_unreadable"}
    assert "a: input_unreadable" in (tmp_path / "evaluation.html").read_text()
    found, summary = evaluated(tmp_path, [Case("a"), Case("b")])
    assert ({score.sample_id for score in found}, summary["failed"]) == ({"a", "b"}, {})


def score(dataset, structure, dice, modality="CT", patient="p", sample=None, hd95=1.0):
    measures = Measures(dice, dice / 2, 1.0, hd95, 2.0, 0.5, 10.0, 1.0, 1.0)
    return Score(dataset, sample or patient, patient, modality, structure, False, False, measures)


def test_means_as_in_the_paper():
    scores = [
        score("A", "liver", 1.0, sample="1"),
        score("A", "liver", 0.5, sample="2", hd95=math.nan),
        score("A", "liver tumor", 0.1, sample="1"),
        score("B", "liver", 0.0, sample="3"),
        score("B", "heart", 0.9, sample="3"),
        score("B", "liver", 0.6, modality="MR", sample="4"),
        score("B", "unheard of", 0.3, sample="3"),
    ]
    means = Means.of(scores)
    assert means.by_label["A", "CT", "liver"].dice == 0.75
    assert means.by_label["A", "CT", "liver"].hd95_count == 1
    assert means.by_dataset["A"].dice == pytest.approx((0.75 + 0.1) / 2)
    assert means.by_dataset["B"].dice == pytest.approx((0.0 + 0.9 + 0.6 + 0.3) / 4)
    # One structure in one modality, over the cases of all data sets.
    assert means.by_structure["CT", "liver"].dice == 0.5
    assert means.by_region["abdomen"].dice == pytest.approx((0.5 + 0.6) / 2)
    assert means.by_region["lesions"].dice == pytest.approx(0.1)
    assert set(means.by_region) == {"abdomen", "thorax", "lesions", "other"}
    assert means.overall.dice == pytest.approx((0.5 + 0.1 + 0.9 + 0.6 + 0.3) / 5)
    assert Means.of([]).overall is None


def test_every_structure_has_a_region():
    from textsegment.vocabulary.structures import load_structures

    regions = {group_of(code, name) for name, s in load_structures().items() for code in s.modalities}
    assert "other" not in regions
    assert len(regions) == 10


def test_a_paired_test_takes_patients_as_units():
    better = [
        score("A", "liver", 0.8, patient=str(n), sample=f"{n}-{m}") for n in range(10) for m in range(3)
    ]
    worse = [
        replace(s, measures=replace(s.measures, dice=0.8 - 0.01 * (1 + int(s.patient_id)))) for s in better
    ]
    found = compare_models(better, worse)
    dice = found.overall[0]
    assert (dice.patients, dice.pairs) == (10, 30)
    assert dice.mean == pytest.approx(0.055)
    assert dice.low < 0.055 < dice.high
    assert dice.p == pytest.approx(2 / 2**10)  # exact: all ten on one side
    back = compare_models(worse, better).overall[0]
    assert (back.mean, back.p) == (pytest.approx(-0.055), pytest.approx(dice.p))
    same = compare_models(better, better).overall[0]
    assert (same.mean, same.low, same.high, same.p) == (0, 0, 0, 1)
    few = compare_models(better[:9], worse[:9]).overall[0]
    assert (few.patients, few.p) == (3, None)


def test_p_values_of_many_structures_are_adjusted():
    names = ["liver", "heart", "aorta", "colon"]
    first = [score("A", name, 0.8, patient=str(n)) for name in names for n in range(8)]
    second = [replace(s, measures=replace(s.measures, dice=0.7 - int(s.patient_id) / 100)) for s in first]
    found = compare_models(first, second)
    assert [d.p for d in found.by_structure.values()] == pytest.approx([4 * 2 / 2**8] * 4)


def test_evaluations_without_common_ground_are_refused():
    with pytest.raises(InputError, match="in common"):
        compare_models([score("A", "liver", 1)], [score("A", "heart", 1)])
    other = score("A", "liver", 1)
    other = replace(other, measures=replace(other.measures, tolerance_mm=2.0))
    with pytest.raises(InputError, match="tolerances"):
        compare_models([score("A", "liver", 1)], [other])


def test_two_models_side_by_side_on_one_page(tmp_path):
    cases = [Case(str(n), shift=n % 3, patient_id=str(n)) for n in range(7)]
    good, _ = evaluated(tmp_path / "good", [replace(case, shift=0) for case in cases])
    bad, _ = evaluated(tmp_path / "bad", cases)
    settings = settings_of(FakeSegmenter(), "made", "0" * 64, "test", Tolerances())
    _, summary = evaluated(tmp_path / "bad", cases, other=(settings, compare_models(bad, good)))
    first = summary["compared_with"]["overall"][0]
    assert first["mean"] < 0
    assert first["p"] < 0.2
    assert "Compared with fake" in (tmp_path / "bad" / "evaluation.html").read_text()
    assert json.loads((tmp_path / "bad" / "summary.json").read_text())["compared_with"]["unpaired"] == 0


def test_scores_survive_the_file_exactly(tmp_path):
    scores = [score("A", "liver", 1 / 3, hd95=math.nan), score("A", "heart", 0.1 + 0.2)]
    ScoreFile(tmp_path / "s").add("p", scores)
    back = ScoreFile(tmp_path / "s").all()
    assert [s.measures.dice for s in back] == [1 / 3, 0.1 + 0.2]
    assert math.isnan(back[0].measures.hd95_mm)
