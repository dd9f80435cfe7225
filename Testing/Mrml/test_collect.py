"""Cases collected from real MRML nodes are data to train on, without anything about the patient."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import slicer
from cases import erase_a_voxel, row_of, volume_node
from textsegment.errors import OutputError
from textsegment.testing import FakeSegmenter, phantom
from TextSegmentLib import settings
from TextSegmentLib.collect.case import CollectedCase
from TextSegmentLib.collect.pseudonym import patient_of, pseudonym
from TextSegmentLib.logic import TextSegmentLogic
from TextSegmentLib.scene.results.results import Results

NAMES = ("liver", "left kidney", "aorta")


class Store(dict):
    """Settings in memory."""

    def value(self, name):
        return self.get(name)

    def setValue(self, name, value):
        self[name] = value


class Database:
    """Slicer's DICOM database, as far as it is asked."""

    def __init__(self, patient):
        self.patient = patient

    def instanceValue(self, _uid, tag):
        return self.patient if tag == "0010,0020" else ""


@pytest.fixture(autouse=True)
def store(monkeypatch):
    kept = Store()
    monkeypatch.setattr(settings, "_store", lambda: kept)
    return kept


@pytest.fixture
def patient(monkeypatch):
    """Patient that all volumes with identifiers of images belong to."""
    database = Database("MRN-4711")
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    return database


def results_of(shift, accepted=NAMES):
    volume = phantom()
    volume = type(volume)(volume.voxels + shift, volume.geometry, "CT")
    node = volume_node(volume, "Doe^Jane CT")
    node.SetAttribute("DICOM.instanceUIDs", f"1.2.{shift} 1.3.{shift}")
    segmentation = TextSegmentLogic().segment(
        node, ", ".join(NAMES), segmenter=FakeSegmenter(), modality="CT"
    )
    results = Results(node, segmentation)
    for name in accepted:
        results.accept(row_of(results, name))
    return results


def collect(results, folder):
    rows = [row for row in results.rows if row.accepted]
    case = CollectedCase(results.volume_node, results.segmentation_node, rows, folder)
    assert case._task.wait(60)
    return case.result()


def test_two_cases_are_prepared_and_fine_tuned_on(patient, tmp_path):
    """15.1: accepted and edited segments with their scan; Doe's two scans stay in one split."""
    folder = tmp_path / "collected"
    folder.mkdir()
    first, second = results_of(0), results_of(10, accepted=("liver", "aorta"))
    erase_a_voxel(first.segmentation_node, "liver")
    made = [collect(first, folder), collect(second, folder)]
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in made)
    patient.patient = "MRN-0815"
    collect(results_of(20), folder)

    from textsegment.datasets.data_set import DataSet
    from textsegment.datasets.preparation import PreparationSettings, prepare
    from textsegment.datasets.sources.opening import open_source

    prepare([open_source(folder)], tmp_path / "set", PreparationSettings((3.0, 3.0, 3.0)), lambda line: None)
    cases = {case.sample_id: case for case in DataSet(tmp_path / "set")}
    one, two = (cases[path.name] for path in made)
    assert set(NAMES) <= set(one.structures)
    assert {"liver", "aorta"} <= set(two.structures)
    assert "left kidney" not in two.structures
    assert one.patient_id == two.patient_id
    assert len({case.patient_id for case in cases.values()}) == 2
    volume = one.volume()
    assert volume.modality == "CT"
    np.testing.assert_allclose(volume.geometry.affine, phantom().geometry.affine, atol=1e-6)
    np.testing.assert_array_equal(volume.voxels, phantom().voxels)
    found = FakeSegmenter().segment(phantom(), list(NAMES))
    np.testing.assert_array_equal(one.mask("aorta"), found.full_mask("aorta"))
    assert one.mask("liver").sum() == found.full_mask("liver").sum() - 1  # as it was edited

    sys.path.insert(0, str(Path(__file__).parents[2] / "TextSegmentBackend" / "tests" / "support"))
    import torch
    from spheres import QUICK, TINY
    from textsegment.model.checkpoints import checkpoint
    from textsegment.model.sat import SAT
    from textsegment.training.run import Run, train
    from textsegment.training.settings import fine_tuning

    checkpoint.save_demo(
        SAT(TINY), [("liver", "CT")], torch.randn(1, TINY.width), tmp_path / "start.safetensors"
    )
    recipe = replace(fine_tuning(QUICK), steps=2, validate_every=0, augmentation="none")
    run = Run(TINY, recipe, (tmp_path / "set",), tmp_path / "run", str(tmp_path / "start.safetensors"))
    offered = checkpoint.load(train(run, lambda line: None)).text_encoder.supported("CT")
    assert set(NAMES) <= set(offered)


def test_nothing_about_the_patient_is_written(patient, tmp_path):
    results = results_of(0)
    segment = results.segmentation_node.GetSegmentation().GetSegment(row_of(results, "aorta").segment_id)
    segment.SetName("aorta of Jane Doe")
    case = collect(results, tmp_path)
    written = b"".join(path.read_bytes() for path in case.iterdir()) + case.name.encode()
    for secret in (b"Doe", b"Jane", b"4711", b"1.2.0", b"1.3.0"):
        assert secret not in written
    record = json.loads((case / "case.json").read_text())
    assert {each["name"] for each in record["segments"]} == {"liver", "left kidney"}
    assert record["patient"] == patient_of(results.volume_node)
    assert record["patient_is_known"]


def test_pseudonyms_need_the_secret_of_this_computer(patient, store):
    node = results_of(0).volume_node
    before = patient_of(node)
    assert before == patient_of(node)
    store.clear()
    assert patient_of(node) != before
    patient.patient = ""
    assert patient_of(node) is None
    assert len(pseudonym("x")) == 16


def test_a_case_replaces_its_older_self_and_nothing_else(patient, tmp_path, monkeypatch):
    results = results_of(0, accepted=("liver",))
    case = collect(results, tmp_path)
    results.accept(row_of(results, "aorta"))
    assert collect(results, tmp_path) == case
    assert len(list(case.glob("*.seg.nrrd"))) == 2
    before = {path.name: path.read_bytes() for path in case.iterdir()}

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("TextSegmentLib.collect.case.write_segment", full)
    with pytest.raises(OutputError):
        collect(results, tmp_path)
    assert {path.name: path.read_bytes() for path in case.iterdir()} == before
    assert list(tmp_path.iterdir()) == [case]
    monkeypatch.undo()
    monkeypatch.setattr(settings, "_store", lambda: Store({"TextSegment/collectSecret": "ab"}))
    other = collect(results, tmp_path)
    (other / "case.json").write_text("{}")
    with pytest.raises(OutputError, match="something else"):
        collect(results, tmp_path)
    with pytest.raises(OutputError, match="not there"):
        collect(results, tmp_path / "nowhere")
