"""Derived structures of a segmentation: recipes, names, warnings."""

import math

import numpy as np
import pytest
from made_scans import OBLIQUE, overlapping_masks, segmentation

from textsegment.caution import Caution
from textsegment.derive.expression import parse_definition
from textsegment.derive.structures import derive, require_whole
from textsegment.errors import ExpressionError, InputError, UnknownStructureError
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
    assert result["Both"].origin.recipe == 'Both = "liver" + "kidney"'
    assert result["Both"].origin.union_of == ("liver", "kidney")
    assert result["Rest"].origin.recipe == 'Rest = "Both" - "left_kidney"'
    assert result["Rest"].origin.union_of == ()
    assert result.provenance["model"] == found.provenance["model"]
    assert not any(mask.origin.is_derived for mask in found)
    again = derived(result, "More = Rest")
    assert [mask.structure for mask in again if mask.origin.is_derived] == ["Both", "Rest", "More"]


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


def boxes(**warnings):
    geometry = Geometry((12, 12, 8), np.diag([1, 1, 5, 1.0]))
    masks = []
    for number, (name, said) in enumerate(warnings.items()):
        block = np.zeros((12, 12, 8), dtype=bool)
        block[2 + number : 8, 2:8, 1:5] = True
        masks.append(StructureMask.measured(name, block, geometry, warnings=said))
    return Segmentation(geometry, tuple(masks))


def test_what_should_be_known_of_operands_goes_along():
    """rt1: the warning of an incomplete target was lost with what was derived of it."""
    lost = Caution("contours_left_out", "PTV", count=12)
    found = boxes(PTV=(lost,), cord=(), liver=("Edited by a person.",))
    result = derived(found, "A = PTV + cord", "B = cord - A", "C = liver & cord", "D = cord margin 1")
    assert result["A"].warnings == result["B"].warnings == (lost,)
    assert result["A"].warnings[0].code == "contours_left_out"
    assert result["C"].warnings == ("liver: Edited by a person.",)
    assert result["PTV"].warnings == (lost,)
    assert all(warning.about == "D" for warning in result["D"].warnings)


@pytest.mark.parametrize("text", ["A = PTV margin 3", "A = (PTV - cord) + PTV", 'A = "PTV" & PTV'])
def test_it_goes_along_once(text):
    """rt1."""
    lost = Caution("slices_without_contours", "PTV", count=1)
    assert derived(boxes(PTV=(lost,), cord=()), text)["A"].warnings.count(lost) == 1


def test_operands_that_are_cut_off_are_said_where_the_result_does_not_show_it():
    """rt1: a contraction of what leaves the image is as incomplete as the operand."""
    geometry = Geometry((12, 12, 8), np.diag([1, 1, 1, 1.0]))
    block, core = np.zeros((2, 12, 12, 8), dtype=bool)
    block[2:9, 2:9, 3:] = core[4:6, 4:6, 4:6] = True
    masks = [StructureMask.measured(name, mask, geometry) for name, mask in (("PTV", block), ("cord", core))]
    result = derived(Segmentation(geometry, tuple(masks)), "A = PTV & cord", "B = PTV + cord", "C = A + cord")
    said = "PTV: It reaches the border of the image, where a part of it may be missing."
    assert result["A"].warnings == result["C"].warnings == (said,)
    assert result["B"].warnings == ()


@pytest.mark.parametrize("code", ["contours_left_out", "contours_too_small", "contours_beyond_image"])
def test_what_lost_everything_when_it_was_read_is_refused(code):
    """rt1: nothing minus a target that could not be read is a wrong mask."""
    geometry = Geometry((4, 4, 4), np.eye(4))
    values = {} if code == "contours_too_small" else {"count": 2}
    nothing = np.zeros((4, 4, 4), dtype=bool)
    said = (Caution(code, "PTV", **values),)
    lost = StructureMask.measured("PTV", nothing, geometry, warnings=said)
    some = StructureMask.measured("PTV", ~nothing, geometry, warnings=said)
    plain = StructureMask.measured("PTV", nothing, geometry)
    require_whole([some, plain])
    with pytest.raises(InputError, match="'PTV' lies on the slices"):
        require_whole([some, lost])
