"""Texts, templates and definitions together: what the model is asked, and what comes out."""

import numpy as np
import pytest

from textsegment.derive.expression import parse_definition
from textsegment.derive.plan import make_plan
from textsegment.errors import ExpressionError, PromptError, UnknownStructureError
from textsegment.testing import FakeSegmenter, ball, phantom
from textsegment.vocabulary.structures import known_in
from textsegment.vocabulary.template import Template, TemplateEntry, load_templates

KNOWN = known_in("CT")
MINE = Template(
    "mine",
    "Mine",
    (
        TemplateEntry("Lungs", ("left lung", "right lung"), relation="parts"),
        TemplateEntry("Lung_L", ("left lung",)),
        TemplateEntry("LAD", (), relation="none"),
        TemplateEntry("Kidney_L", ("left kidney",)),
    ),
)


def plan(*structures, **options):
    return make_plan(structures, **{"modality": "CT", "available": KNOWN, **options})


def finished(wanted):
    volume = phantom()
    result = FakeSegmenter().segment(volume, wanted.prompts)
    return wanted.finish(result, volume.voxels), volume


def test_a_text_alone():
    wanted = plan("liver", "left kidney", "liver", naming="tg263")
    assert wanted.outputs == ("liver", "left kidney")
    assert wanted.prompts == ("liver", "left kidney", "liver")
    assert wanted.written_names == ("Liver", "Kidney_L")
    assert not wanted.missing


def test_given_structures_of_one_name_cannot_be_told_apart():
    ring = parse_definition("Ring = liver - ptv")
    with pytest.raises(ExpressionError, match="'ptv' is the name of several structures that were given"):
        plan("liver", definitions=[ring], given=["PTV", "ptv ", "GTV"])
    assert plan("liver", definitions=[ring], given=["PTV", "GTV", "gtv"]).given == ("PTV",)


def test_lines_made_of_several_prompts_are_their_union():
    wanted = plan(template=MINE)
    assert wanted.prompts == ("left lung", "right lung", "left kidney")
    assert wanted.written_names == ("Lungs", "Lung_L", "Kidney_L")
    assert wanted.missing == {"Not in the model": ("LAD",)}
    result, volume = finished(wanted)
    assert [mask.structure for mask in result] == ["Lungs", "left lung", "left kidney"]
    both = ball("left lung", volume.geometry) | ball("right lung", volume.geometry)
    assert np.array_equal(result.full_mask("Lungs"), both)
    assert result["Lungs"].origin.recipe == 'Lungs = "left lung" + "right lung"'
    assert result["Lungs"].origin.union_of == ("left lung", "right lung")
    assert result.provenance["template"] == "mine"
    assert result["Lungs"].statistics.mean_intensity == pytest.approx(volume.voxels[both].mean())


def test_text_template_and_definitions_together():
    wanted = plan(
        "liver",
        "right lung",
        template=MINE,
        definitions=[
            parse_definition("Rest = Lungs - Lung_L margin 4"),
            parse_definition("More = Rest + liver"),
        ],
        naming="tg263",
    )
    assert wanted.written_names == ("Liver", "Lung_R", "Lungs", "Lung_L", "Kidney_L", "Rest", "More")
    result, volume = finished(wanted)
    assert [mask.structure for mask in result][-2:] == ["Rest", "More"]
    assert not (result.full_mask("Rest") & ball("left lung", volume.geometry)).any()


def test_the_template_names_what_the_text_asks_for_too():
    assert plan("left lung", template=MINE).written_names == ("Lung_L", "Lungs", "Kidney_L")


def test_two_lines_of_one_prompt_are_both_written():
    twice = Template("t", "T", (TemplateEntry("A", ("liver",)), TemplateEntry("B", ("liver",))))
    result, volume = finished(plan(template=twice))
    assert np.array_equal(result.full_mask("B"), ball("liver", volume.geometry))
    assert [mask.structure for mask in result] == ["liver", "B"]


def test_names_of_template_and_text_never_meet():
    odd = Template("t", "T", (TemplateEntry("Liver", ("spleen",)),))
    assert plan("liver", template=odd, naming="tg263").written_names == ("liver", "Liver")


@pytest.mark.parametrize("name", sorted(load_templates()))
def test_every_template_runs(name):
    wanted = plan(template=load_templates()[name].with_optional())
    result, _ = finished(wanted)
    assert len(result) == len(wanted.outputs) == len(set(wanted.written_names))
    assert set(wanted.prompts) <= set(KNOWN)


def test_a_small_model_runs_what_it_has_and_says_what_it_lacks():
    wanted = plan(template=load_templates()["oar_pelvis_prostate"], available={"urinary bladder"})
    assert wanted.written_names == ("Bladder",)
    assert "Rectum" in wanted.missing["Not in this model"]
    with pytest.raises(UnknownStructureError, match="nothing of"):
        plan(template=load_templates()["oar_pelvis_prostate"], available={"left lung"})


def test_what_cannot_work_is_refused_before_any_mask():
    with pytest.raises(UnknownStructureError, match="'spleen'"):
        plan("liver", definitions=[parse_definition("A = liver - spleen")])
    with pytest.raises(ExpressionError, match="already"):
        plan("liver", definitions=[parse_definition("Liver = liver margin 3")])
    with pytest.raises(PromptError, match="no prompt"):
        plan()
