"""Derived structures of a segmentation: recipes, names, warnings."""

import math

import numpy as np
import pytest
from made_scans import OBLIQUE, overlapping_masks, segmentation

from textsegment.derive.expression import parse_definition
from textsegment.derive.structures import derive
from textsegment.errors import ExpressionError, UnknownStructureError
from textsegment.geometry import Geometry
from textsegment.segmentation import Segmentation, StructureMask


@pytest.fixture
def found():
    return segmentation(OBLIQUE, overlapping_masks())


def derived(found, *texts, **options):
    return derive(found, [parse_definition(text) for text in texts], **options)


def test_what_is_there_stays_and_recipes_are_kept(found):
    result = derived(found, "Both = liver + kidney", "Rest = Both - left_kidney")
    assert result.masks[:4] == found.masks
    masks = overlapping_masks()
    assert np.array_equal(result.full_mask("Both"), masks["liver"] | masks["kidney"])
    assert np.array_equal(
        result.full_mask("Rest"), (masks["liver"] | masks["kidney"]) & ~masks["left kidney"]
    )
    assert result.provenance["recipes"] == ['Both = "liver" + "kidney"', 'Rest = "Both" - "left_kidney"']
    assert result.provenance["model"] == found.provenance["model"]
    assert "recipes" not in found.provenance
    again = derived(result, "More = Rest")
    assert len(again.provenance["recipes"]) == 3


def test_numbers_beside_a_derived_mask(found):
    voxels = np.arange(np.prod(found.geometry.spatial_shape), dtype=float).reshape(
        found.geometry.spatial_shape
    )
    result = derived(found, "Both = liver + kidney", voxels=voxels)
    statistics = result["Both"].statistics
    whole = result.full_mask("Both")
    assert statistics.voxel_count == whole.sum()
    assert statistics.volume_ml == pytest.approx(whole.sum() * found.geometry.voxel_volume_ml)
    assert statistics.mean_intensity == pytest.approx(voxels[whole].mean())
    assert math.isnan(statistics.mean_confidence)
    assert statistics.touches_border


def test_names_of_the_output_may_be_used(found):
    names = {"left kidney": "Kidney_L"}
    by_either = derived(found, "A = KIDNEY_l", "B = Left  Kidney", names=names)
    assert np.array_equal(by_either.full_mask("A"), found.full_mask("left kidney"))
    assert np.array_equal(by_either.full_mask("B"), found.full_mask("left kidney"))


def test_unknown_and_taken_names(found):
    with pytest.raises(UnknownStructureError, match="'left kidny'") as caught:
        derived(found, "A = left kidny")
    assert "left kidney" in caught.value.suggestions
    with pytest.raises(UnknownStructureError) as caught:
        derived(found, "A = Kidny_L", names={"left kidney": "Kidney_L"})
    assert "There are Kidney_L, kidney" in caught.value.hint
    with pytest.raises(UnknownStructureError, match="lung and liver"):
        derived(found, "A = lung and liver")
    with pytest.raises(ExpressionError, match="already"):
        derived(found, "Left_Kidney = liver")


def test_what_should_be_known_is_said():
    geometry = Geometry((12, 12, 8), np.diag([1, 1, 5, 1.0]))
    block = np.zeros((12, 12, 8), dtype=bool)
    block[4:8, 4:8, 1:3] = True
    masks = (
        StructureMask.measured("liver", block, geometry),
        StructureMask.measured("spleen", np.zeros_like(block), geometry),
    )
    result = derived(
        Segmentation(geometry, masks), "A = liver - spleen", "B = liver margin 3", "C = liver margin 8"
    )
    assert result["A"].warnings == ("A: spleen was not found, so it has no part in it.",)
    assert result["B"].warnings == (
        "B: on this grid the margin is I 5.0 instead of 3.0 mm, S 5.0 instead of 3.0 mm.",
    )
    assert any("beyond the image" in warning for warning in result["C"].warnings)
    nothing = derived(Segmentation(geometry, masks), "D = spleen margin 5")["D"]
    assert nothing.statistics.is_empty
