"""Text encoders learn from the vocabulary, and from images of structures, at toy size."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import textsegment
from spheres import TINY as TOY

from textsegment.datasets.data_set import DataSet
from textsegment.errors import CheckpointError, SettingsError
from textsegment.files.images.nifti import write_nifti
from textsegment.model.checkpoints.text_file import load_text_encoder
from textsegment.training.knowledge.image_tower import ImageTower
from textsegment.training.knowledge.image_training import ImageTextData, ImageTextTrainer
from textsegment.training.knowledge.knowledge import Knowledge, Relation
from textsegment.training.knowledge.pairs import PairSampler
from textsegment.training.knowledge.retrieval import retrieve
from textsegment.training.knowledge.structure_crops import StructureSampler
from textsegment.training.knowledge.text_tower import SIZES, TextTower, pieces_of
from textsegment.training.knowledge.text_training import TextSettings, TextTrainer
from textsegment.training.network.export import load_start
from textsegment.training.network.starting import make_learner

TINY = replace(TOY, name="tiny", features=(4, 4, 8, 8, 8, 8), width=48)


@pytest.fixture(scope="module")
def whole():
    return Knowledge.of_vocabulary()


@pytest.fixture(scope="module")
def some(whole):
    """Concepts that have texts in several languages, and what is said about them."""
    many = [text.concept for text in whole.texts if text.language == "de"]
    chosen = list(dict.fromkeys(many))[:60]
    numbers = {concept: number for number, concept in enumerate(chosen)}

    def of(texts):
        return tuple(
            text._replace(concept=numbers[text.concept]) for text in texts if text.concept in numbers
        )

    relations = tuple(
        Relation(numbers[a], edge, numbers[b])
        for a, edge, b in whole.relations
        if a in numbers and b in numbers
    )
    return Knowledge(tuple(whole.names[n] for n in chosen), of(whole.texts), relations, of(whole.held_out))


@pytest.fixture(scope="module")
def pieces(some):
    return pieces_of(some)


def tower_of(pieces, seed=0):
    return TextTower.new(SIZES["toy"], pieces, seed)


def test_the_vocabulary_has_sources_and_holds_nothing_twice(whole, tmp_path):
    assert len(set(whole.names)) == len(whole.names) > 9000
    assert {text.source for text in whole.texts} == {"TextSegment", "SAT", "UBERON", "TG-263"}
    learnt = {text.text.lower() for text in whole.texts} | set(whole.names)
    assert not learnt & {text.text.lower() for text in whole.held_out}
    assert 300 < len(whole.held_out) < 1000
    assert ("left kidney", "is a", "kidney") in {
        (whole.names[a], {"is-a": "is a"}.get(edge), whole.names[b]) for a, edge, b in whole.relations
    }
    whole.write(tmp_path / "k.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "k.jsonl").read_text("utf-8").splitlines()]
    assert len(lines) == len(whole.names)
    assert sum(text.get("held_out", False) for line in lines for text in line["texts"]) == len(whole.held_out)
    assert Knowledge.of_vocabulary().digest == whole.digest


def test_pairs_depend_on_seed_and_step_alone(some):
    one, same, other = (PairSampler(some, 16, seed) for seed in (0, 0, 1))
    one.draw(3)
    assert one.draw(5).first == same.draw(5).first
    assert one.draw(5).first != other.draw(5).first
    assert one.draw(5).first != one.draw(6).first
    drawn = one.draw(0)
    texts = {(text.text, text.concept) for text in some.texts}
    for first, second, concept in zip(*drawn, strict=True):
        assert first != second
        assert (second, concept) in texts or second == some.names[concept]


def test_a_small_vocabulary_splits_any_text(pieces):
    ids, mask = pieces.encode(["left kidney", "Tränendrüse xyzzy", "腎臓", "?!"])
    assert mask[:, :3].all()
    assert pieces.ids(["left kidney"]) != pieces.ids(["right kidney"])
    unknown = pieces.pieces.index("[UNK]")
    assert unknown not in pieces.ids(["tranendruse xyzzy"])[0]
    assert ids.max() < len(pieces.pieces)


def test_retrieval_counts_ties_against_the_encoder(some):
    same = retrieve(lambda texts: torch.ones(len(texts), 1), some, some.held_out)
    assert (same.recall_at_1, same.recall_at_10, same.median_rank) == (0, 0, len(some.names))


def test_stage_1_lifts_retrieval_above_the_untrained_encoder(some, pieces, tmp_path):
    trainer = TextTrainer(
        tower_of(pieces), some, tmp_path, TextSettings(steps=60, batch_size=32, learning_rate=1e-2), str
    )
    learnt_before = retrieve(trainer.tower.embed, some, some.texts)
    path = trainer.run()
    learnt = retrieve(trainer.tower.embed, some, some.texts)
    assert learnt.recall_at_1 > learnt_before.recall_at_1 + 0.3
    found = json.loads((tmp_path / "retrieval.json").read_text())
    assert found["trained"]["all"]["recall_at_5"] > found["untrained"]["all"]["recall_at_5"]
    # What was written is what was trained, in half precision, and any text can be embedded by it.
    encoder = load_text_encoder(path)
    embedded = encoder.encode(["left kidney", "niere"], "CT")
    expected = trainer.tower.encoder.eval().encode(["left kidney", "niere"], "CT")
    assert torch.allclose(embedded, expected, atol=0.02)


def test_a_resumed_run_equals_an_uninterrupted_one(some, pieces, tmp_path):
    settings = TextSettings(steps=9, batch_size=8)
    whole = TextTrainer(tower_of(pieces), some, tmp_path / "whole", settings, str)
    whole.run()
    first = TextTrainer(tower_of(pieces), some, tmp_path / "parts", settings, str, checkpoint_every=4)
    first.take_step()
    first._before = {"all": {}}
    for _ in range(4):
        first.take_step()
    first.save()
    resumed = TextTrainer(tower_of(pieces, seed=5), some, tmp_path / "parts", settings, str)
    assert resumed.step == 5
    resumed.run()
    for name, tensor in whole.tower.state_dict().items():
        assert torch.equal(tensor, resumed.tower.state_dict()[name]), name


def test_another_run_or_a_damaged_one_does_not_go_on(some, pieces, tmp_path):
    TextTrainer(tower_of(pieces), some, tmp_path, TextSettings(steps=1, batch_size=4), str).run()
    with pytest.raises(SettingsError):
        TextTrainer(tower_of(pieces), some, tmp_path, TextSettings(steps=2, batch_size=4), str)
    (tmp_path / "last.pt").write_bytes(b"PK")
    with pytest.raises(CheckpointError):
        TextTrainer(tower_of(pieces), some, tmp_path, TextSettings(steps=1, batch_size=4), str)


def test_open_layers_are_all_that_learns(some, pieces, tmp_path):
    tower = tower_of(pieces)
    before = {name: tensor.clone() for name, tensor in tower.state_dict().items()}
    trainer = TextTrainer(tower, some, tmp_path, TextSettings(steps=3, batch_size=8, open_layers=1), str)
    trainer.take_step()
    changed = {name for name, tensor in tower.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed
    assert all(name.startswith(("encoder.mpnet.layers.0", "log_scale")) for name in changed)


@pytest.fixture(scope="module")
def spheres(tmp_path_factory):
    """A set of four patients: a bright ball on the left, a dark one on the right; one is held out."""
    folder = tmp_path_factory.mktemp("spheres")
    affine = np.diag([-3.0, -3.0, 3.0, 1.0])
    index = np.stack(np.indices((64, 32, 32)), axis=-1)
    cases = []
    for number in range(4):
        labels = np.zeros((64, 32, 32), dtype=np.uint8)
        labels[np.linalg.norm(index - [44, 16, 14 + number], axis=-1) < 9] = 1
        labels[np.linalg.norm(index - [18, 16, 16], axis=-1) < 7] = 2
        noise = np.random.default_rng(number).normal(0, 10, labels.shape)
        write_nifti(
            folder / f"s{number}.nii.gz",
            (np.array([0, 200, -200])[labels] + noise).astype(np.int16),
            affine,
            "",
        )
        write_nifti(folder / f"l{number}.nii.gz", labels, affine, "")
        split = "validation" if number == 3 else "train"
        cases.append(
            {
                "image": f"s{number}.nii.gz",
                "labels": f"l{number}.nii.gz",
                "modality": "CT",
                "patient": str(number),
                "split": split,
                "names": {"1": "liver", "2": "spleen"},
            }
        )
    description = {"name": "spheres", "structures": {"CT": ["liver", "spleen"]}, "cases": cases}
    (folder / "spheres.json").write_text(json.dumps(description))
    ended = textsegment(
        "data", "prepare", folder / "spheres.json", "--model", "sat-demo", "-o", folder / "set"
    )
    assert ended.code == 0, ended.err
    return folder / "set"


def image_trainer(spheres, some, pieces, folder, steps):
    sets = [DataSet(spheres)]
    data = ImageTextData(
        some,
        StructureSampler(sets, "train", TINY.patch_size, 0),
        StructureSampler(sets, "validation", TINY.patch_size, 0),
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        image = ImageTower(TINY, SIZES["toy"].width)
    settings = TextSettings(steps=steps, batch_size=16, learning_rate=3e-3)
    return ImageTextTrainer(tower_of(pieces), image, data, folder, settings, str, checkpoint_every=1000)


def test_stage_2_brings_images_and_names_together(spheres, some, pieces, tmp_path):
    trainer = image_trainer(spheres, some, pieces, tmp_path, 24)
    path = trainer.run()
    found = json.loads((tmp_path / "image-retrieval.json").read_text())
    assert (found["validation"]["structures"], found["validation"]["bank"]) == (2, 2)
    assert found["validation"]["recall_at_1"] == 1.0
    assert load_text_encoder(path).width == SIZES["toy"].width
    # Both encoders are where training of a segmentation model starts, with a table or with the text encoder.
    start = load_start(str(tmp_path / "start.safetensors"))
    assert start.text_encoder.pieces.pieces == pieces.pieces
    for architecture in ("table", "knowledge"):
        learner = make_learner(replace(TINY, text_encoder=architecture), [DataSet(spheres)], start)
        for name, tensor in trainer.image.encoder.state_dict().items():
            assert torch.equal(learner.network.backbone.encoder.state_dict()[name], tensor)
        expected = trainer.text.encoder.encode(["liver", "spleen"], "CT")
        assert torch.allclose(learner.text(["liver", "spleen"], "CT"), expected, atol=1e-5)


def test_a_resumed_stage_2_equals_an_uninterrupted_one(spheres, some, pieces, tmp_path):
    whole = image_trainer(spheres, some, pieces, tmp_path / "whole", 4)
    first = image_trainer(spheres, some, pieces, tmp_path / "parts", 4)
    for _ in range(4):
        whole.take_step()
    for _ in range(2):
        first.take_step()
    first.save()
    resumed = image_trainer(spheres, some, pieces, tmp_path / "parts", 4)
    for _ in range(2):
        resumed.take_step()
    for name, tensor in (*whole.image.state_dict().items(), *whole.text.state_dict().items()):
        there = resumed.image if name in resumed.image.state_dict() else resumed.text
        assert torch.equal(tensor, there.state_dict()[name]), name


def test_features_of_a_structure_are_those_under_its_mask(spheres):
    """Vectors do not change with voxels that no stage of the encoder sees from the structure."""
    (crop, *_) = StructureSampler([DataSet(spheres)], "train", TINY.patch_size, 0).draw(0, 1)
    assert crop.image.shape == (1, 1, *TINY.patch_size)
    assert set(crop.structures) == {"liver", "spleen"}
    assert all(mask.any() for mask in crop.masks)
    vectors = ImageTower(TINY, 48)(crop.image, crop.masks)
    assert vectors.shape == (2, 48)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(2))
    alone = ImageTower(TINY, 48)
    both = alone(crop.image, crop.masks)
    assert torch.allclose(both[1:], alone(crop.image, crop.masks[1:]), atol=1e-6)


def test_the_command_runs_both_stages(spheres, some, tmp_path, monkeypatch):
    monkeypatch.setattr(Knowledge, "of_vocabulary", classmethod(lambda cls: some))
    monkeypatch.setattr("textsegment.training.knowledge.stages.CONFIGS", {"sat-demo": TINY})
    options = ["--size", "toy", "--steps", 3, "--batch-size", 8, "--set", spheres, "--image-steps", 2]
    ended = textsegment("train-text", "-o", tmp_path / "run", *options)
    assert ended.code == 0, ended.err
    assert "untrained: R@1" in ended.out
    assert Path(ended.out.strip().rpartition(": ")[2]) == tmp_path / "run/image-text/text-encoder.safetensors"
    for code, bad in (
        (2, ["--size", "huge"]),
        (2, ["--size", "demo", "--set", spheres]),
        (3, ["--set", tmp_path]),
        (3, ["--base", "no such thing"]),
    ):
        ended = textsegment("train-text", "-o", tmp_path / "other", *bad)
        assert ended.code == code, ended
        assert len(ended.err.splitlines()) <= 2
        assert not (tmp_path / "other" / "last.pt").exists()
