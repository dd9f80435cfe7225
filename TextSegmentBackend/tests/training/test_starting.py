"""Training from trained weights, with parts frozen, and with a frozen text encoder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from spheres import QUICK, TINY, TOY_TOML
from tiny_model import TINY_TEXT

from textsegment.datasets.data_set import DataSet
from textsegment.errors import CheckpointError, InputError, SettingsError
from textsegment.model.checkpoints import checkpoint
from textsegment.model.sat import SAT
from textsegment.model.text.embedding_table import EmbeddingTable
from textsegment.model.text.text_encoder import KnowledgeEncoder
from textsegment.training.network.prompts import FrozenText, PromptTable, most_alike
from textsegment.training.outcome.validation import Score
from textsegment.training.outcome.verdict import judge
from textsegment.training.settings import DEMO_RECIPE, PUBLISHED_RECIPE, fine_tuning, read_model
from textsegment.training.trainer import Trainer

KNOWING = replace(TINY, width=12, heads=2, text_encoder="knowledge")


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """Weights of a table model that knows both kidneys, not the liver."""
    torch.manual_seed(1)
    path = tmp_path / "trained.safetensors"
    names = [("left kidney", "CT"), ("right kidney", "CT"), ("kidney", "CT")]
    checkpoint.save_demo(SAT(TINY), names, torch.randn(3, TINY.width), path)
    return path


@pytest.fixture
def knowing(tmp_path: Path) -> Path:
    """Weights with SAT's text encoder."""
    torch.manual_seed(2)
    path = tmp_path / "knowing.safetensors"
    checkpoint.save_knowledge(SAT(KNOWING), KnowledgeEncoder(TINY_TEXT), path)
    return path


def quiet(line: str) -> None:
    """Discard a line of progress."""


def test_a_new_structure_starts_from_the_one_with_the_most_similar_name(
    spheres: DataSet, trained: Path, tmp_path: Path
) -> None:
    run = Trainer(TINY, QUICK, [spheres], tmp_path / "run", quiet, start_from=str(trained))
    before = checkpoint.load(trained)
    for name, tensor in before.network.state_dict().items():
        assert torch.equal(tensor, run.learner.network.state_dict()[name]), name
    table, text = before.text_encoder, run.learner.text
    assert isinstance(table, EmbeddingTable)
    assert isinstance(text, PromptTable)
    assert torch.equal(text(["left kidney"], "CT"), table.encode(["left kidney"], "CT"))
    liver = text(["liver"], "CT").detach()
    distance = (liver - table.embeddings).abs().amax(1).min()
    assert 0 < float(distance) < 1
    assert most_alike(("left kidneys", "CT"), [("left kidney", "CT"), ("liver", "CT")])[0] == "left kidney"


def test_only_the_chosen_parts_learn(spheres: DataSet, trained: Path, tmp_path: Path) -> None:
    """15.3: few trainable parts."""
    settings = replace(QUICK, train=("mask", "text"), steps=2)
    run = Trainer(TINY, settings, [spheres], tmp_path / "run", quiet, start_from=str(trained))
    before = {name: tensor.clone() for name, tensor in run.learner.state_dict().items()}
    run.run()
    changed = {
        name for name, tensor in run.learner.state_dict().items() if not torch.equal(tensor, before[name])
    }
    assert changed
    assert all(name.startswith(("network.mask_embed_proj.", "heads.", "text.")) for name in changed)
    with pytest.raises(SettingsError, match="'bakbone'"):
        replace(QUICK, train=("bakbone",))


def test_replayed_sets_are_trained_on_beside(spheres: DataSet, tmp_path: Path) -> None:
    run = Trainer(TINY, replace(QUICK, replay=1.0, steps=2), [spheres], tmp_path, quiet, replay=[spheres])
    run.run()
    assert run.cases.held_bytes == 0
    assert run.replay is not None
    assert run.replay.held_bytes > 0


def test_a_frozen_text_encoder_learns_its_modality_only(
    spheres: DataSet, knowing: Path, tmp_path: Path
) -> None:
    """15.2: the published recipe freezes the text; what is exported is used by its path."""
    from textsegment.inference.engine import LocalSegmenter

    settings = replace(QUICK, objective="independent", augmentation="published", steps=3)
    run = Trainer(KNOWING, settings, [spheres], tmp_path / "run", quiet, start_from=str(knowing))
    text = run.learner.text
    assert isinstance(text, FrozenText)
    before = checkpoint.load(knowing).text_encoder
    assert torch.allclose(
        text(["liver", "kidney"], "CT"), before.encode(["liver", "kidney"], "CT"), atol=1e-6
    )
    weights = run.run()
    after = checkpoint.load(weights).text_encoder
    assert isinstance(before, KnowledgeEncoder)
    assert isinstance(after, KnowledgeEncoder)
    changed = {
        name
        for name, tensor in after.state_dict().items()
        if not torch.equal(tensor, before.state_dict()[name])
    }
    assert changed == {"modality_embed.weight"}
    moved = (after.modality_embed.weight - before.modality_embed.weight).abs().amax(1)
    assert moved[0] > 5 * moved[1:].max()  # CT was trained, the others decayed a little
    segmenter = LocalSegmenter(str(weights), device="cpu", precision="fp32")
    assert len(segmenter.segment(spheres[0].volume(), ["liver"])) == 1


def test_what_does_not_fit_is_refused(spheres: DataSet, trained: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="same architecture"):
        Trainer(replace(TINY, width=36), QUICK, [spheres], tmp_path, quiet, start_from=str(trained))
    with pytest.raises(InputError, match="needs a trained text encoder"):
        Trainer(KNOWING, QUICK, [spheres], tmp_path, quiet)
    with pytest.raises(InputError, match="on a grid of 3 × 3 × 3 mm"):
        Trainer(replace(TINY, spacing=(1.0, 1.0, 3.0)), QUICK, [spheres], tmp_path, quiet)


def test_a_structure_that_is_never_found_starts_again_from_a_living_one(
    spheres: DataSet, tmp_path: Path
) -> None:
    lines: list[str] = []
    run = Trainer(TINY, QUICK, [spheres], tmp_path, lines.append)
    run.dice = {("left kidney", "CT"): 0.9, ("right kidney", "CT"): 0.0, ("kidney", "CT"): 0.5}
    text = run.learner.text
    assert isinstance(text, PromptTable)
    before = {name: text([name], "CT").detach().clone() for name, _ in text.prompts}
    run.revive()
    assert lines[-1] == "right kidney (CT) starts again from left kidney"
    assert all(torch.equal(text([name], "CT"), old) for name, old in before.items() if name != "right kidney")
    revived = text(["right kidney"], "CT").detach()
    assert 0 < float((revived - before["left kidney"]).abs().max()) < 1


def test_the_rate_rises_linearly_and_falls_as_a_cosine() -> None:
    settings = replace(QUICK, steps=110, warm_up_steps=10)
    rates = [settings.rate(step) for step in (0, 9, 10, 60, 109)]
    assert rates == pytest.approx([1e-3, 1e-2, 1e-2, 5e-3, 1e-2 * 0.5 * (1 + np.cos(np.pi * 0.99))])


def test_models_and_recipes_are_read_from_toml(tmp_path: Path) -> None:
    path = tmp_path / "toy.toml"
    path.write_text(TOY_TOML)
    config, recipe = read_model(str(path))
    assert config == TINY
    assert (recipe.learning_rate, recipe.objective) == (1e-2, "exclusive")
    path.write_text('base = "sat-nano"\n[training]\nbatch = 16\n')
    config, recipe = read_model(str(path))
    assert (config.name, recipe) == ("sat-nano", replace(PUBLISHED_RECIPE, batch=16))
    assert read_model("sat-demo")[1] == DEMO_RECIPE
    path.write_text("flux = 3")
    with pytest.raises(SettingsError, match="flux"):
        read_model(str(path))
    path.write_text("= 3")
    with pytest.raises(InputError):
        read_model(str(path))
    with pytest.raises(SettingsError, match="no model"):
        read_model("sat-huge")
    for size in ("[32, 32, 32]", "[64, 48, 32]", "[64, 64]", "[0, 64, 64]"):
        path.write_text(f'base = "sat-demo"\npatch_size = {size}')
        with pytest.raises(SettingsError, match="does not fit"):
            read_model(str(path))
        path.write_text(f'base = "sat-demo"\n[training]\nsizes = [[{size}, 1.0]]')
        with pytest.raises(SettingsError, match="does not fit"):
            read_model(str(path))


def test_fine_tuning_keeps_what_the_model_knew_and_says_whether_it_is_better(
    spheres: DataSet, trained: Path, tmp_path: Path
) -> None:
    """15.3: structures that the set does not show stay; before and after on held-out patients."""
    from textsegment.training.run import Run, train

    torch.manual_seed(1)
    known = [("left kidney", "CT"), ("spleen", "CT")]
    checkpoint.save_demo(SAT(TINY), known, torch.randn(2, TINY.width), trained)
    settings = replace(fine_tuning(QUICK), steps=2, validate_every=2, learning_rate=0.0)
    lines: list[str] = []
    weights = train(Run(TINY, settings, (spheres.folder,), tmp_path / "run", str(trained)), lines.append)
    offered = checkpoint.load(weights).text_encoder.supported("CT")
    assert offered is not None
    assert set(offered) == {"left kidney", "right kidney", "kidney", "liver", "spleen"}
    assert lines[-1].startswith("Not better: the mean Dice changed by +0.000 on 1 held-out patient.")
    page = (tmp_path / "run" / "training.html").read_text()
    assert "<tr><td>right kidney</td><td>CT</td><td>–</td><td>" in page
    backbone = checkpoint.load(trained).network.backbone.state_dict()
    after = checkpoint.load(weights).network.backbone.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in backbone.items())


def scores(values: list[float]) -> list[Score]:
    return [Score(f"case {n}", f"patient {n}", "CT", "liver", value) for n, value in enumerate(values)]


@pytest.mark.parametrize(
    ("gains", "is_better", "said"),
    [
        ([0.05] * 7, True, "Better"),
        ([0.05] * 3, None, "too few to say"),
        ([-0.05] * 7, False, "Keep the model"),
        ([0.3, -0.2, 0.2, -0.3, 0.1, 0.05, -0.1], None, "may be chance"),
        ([], None, "nothing can be said"),
    ],
)
def test_a_model_is_not_called_better_unless_it_is(gains: list[float], is_better: object, said: str) -> None:
    """15.3"""
    before = [0.5 + 0.001 * n for n in range(len(gains))]
    after = [value + gain + 0.001 * n for n, (value, gain) in enumerate(zip(before, gains, strict=True))]
    verdict = judge(scores(before), scores(after))
    assert verdict.is_better is is_better
    assert said in verdict.sentence


def test_a_step_whose_loss_is_no_number_is_left_out(spheres: DataSet, tmp_path: Path) -> None:
    """One such step would turn all weights into nothing, unnoticed until the end."""
    lines: list[str] = []
    settings = replace(QUICK, steps=40, augmentation="none")
    run = Trainer(TINY, settings, [spheres], tmp_path, lines.append)
    objective = run.objective

    def broken(levels, patch, structures, step, random):  # type: ignore[no-untyped-def]
        found = objective(levels, patch, structures, step, random)
        return found._replace(loss=found.loss * float("nan")) if step > 0 else found

    run.objective = broken  # type: ignore[assignment]
    with pytest.raises(SettingsError, match="no finite number for 20 steps"):
        run.run()
    assert sum("left out" in line for line in lines) == 20
    assert all(torch.isfinite(tensor).all() for tensor in run.learner.state_dict().values())
