"""Two segmentations are compared structure by structure, on whatever grids they lie."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_scans import OBLIQUE, segmentation

from textsegment.compare.alignment import Fit, align
from textsegment.compare.comparison import Tolerances, compare
from textsegment.compare.matching import match
from textsegment.errors import GeometryError, InputError, SettingsError
from textsegment.geometry import Geometry
from textsegment.segmentation import Segmentation, StructureMask

SHAPE = (20, 18, 12)


def blob(shape=SHAPE, start=(4, 3, 2), stop=(13, 10, 9)):
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = True
    mask[start[0], start[1], start[2]] = False  # no symmetry
    return mask


def made(geometry, **masks):
    return Segmentation(
        geometry, tuple(StructureMask.measured(name, mask, geometry) for name, mask in masks.items())
    )


def only(comparison):
    (found,) = comparison.structures
    return found.measures


GRID = Geometry(SHAPE, OBLIQUE)


@given(st.permutations(range(3)), st.tuples(*[st.booleans()] * 3), st.tuples(*[st.integers(0, 3)] * 3))
@settings(max_examples=15, deadline=None)
def test_other_axes_and_other_extents_are_the_same_voxels(order, flips, cut):
    reference = made(GRID, liver=blob())
    # The same patient on a grid that begins elsewhere and runs along other axes.
    start = np.array(cut)
    mask = blob()[tuple(slice(n, None) for n in cut)]
    affine = OBLIQUE.copy()
    affine[:3, 3] = GRID.to_ras(start)
    for axis, flip in enumerate(flips):
        if flip:
            mask = np.flip(mask, axis)
            affine[:3, 3] += affine[:3, axis] * (mask.shape[axis] - 1)
            affine[:3, axis] *= -1
    mask, affine = mask.transpose(order), affine[:, [*order, 3]]
    result = made(Geometry(mask.shape, affine), liver=mask)
    aligned = align(result, reference)
    assert aligned.fit is (
        Fit.SAME if (order, flips, cut) == ([0, 1, 2], (False,) * 3, (0, 0, 0)) else Fit.ALIGNED
    )
    kept = blob()
    for axis, n in enumerate(cut):
        kept[(slice(None),) * axis + (slice(0, n),)] = False
    found = only(compare(result, reference))
    assert found.dice == pytest.approx(2 * kept.sum() / (kept.sum() + blob().sum()))
    assert found.reference_ml == pytest.approx(blob().sum() * GRID.voxel_volume_ml)


def test_a_result_that_reaches_beyond_the_grid_of_the_reference_counts_whole():
    wide = made(Geometry((30, 18, 12), OBLIQUE), liver=blob((30, 18, 12), stop=(26, 10, 9)))
    found = only(compare(wide, made(GRID, liver=blob(stop=(20, 10, 9)))))
    assert found.result_ml > found.reference_ml
    assert found.hausdorff_mm == pytest.approx(6 * GRID.spacing[0])


def test_other_voxels_are_resampled_and_that_is_said():
    fine = OBLIQUE.copy()
    fine[:3, :3] /= 2
    fine[:3, 3] = GRID.to_ras((-0.25, -0.25, -0.25))
    double = np.kron(blob(), np.ones((2, 2, 2))).astype(bool)
    comparison = compare(made(Geometry(double.shape, fine), liver=double), made(GRID, liver=blob()))
    assert comparison.aligned.fit is Fit.RESAMPLED
    assert [warning.code for warning in comparison.warnings] == ["result_resampled"]
    assert only(comparison).dice == 1.0
    # The other way round, the reference keeps its voxels.
    back = compare(made(GRID, liver=blob()), made(Geometry(double.shape, fine), liver=double))
    assert only(back).reference_ml == pytest.approx(double.sum() * GRID.voxel_volume_ml / 8)
    assert only(back).dice > 0.98


def test_different_places_are_refused():
    affine = OBLIQUE.copy()
    affine[:3, 3] += 1000
    with pytest.raises(GeometryError):
        compare(made(Geometry(SHAPE, affine), liver=blob()), made(GRID, liver=blob()))


def test_missing_extra_and_empty_structures():
    empty = np.zeros(SHAPE, dtype=bool)
    result = made(GRID, liver=blob(), spleen=empty, heart=empty, aorta=blob())
    reference = made(GRID, liver=blob(), spleen=blob(), heart=empty, colon=blob())
    comparison = compare(result, reference)
    json = comparison.to_json()
    assert (json["missing"], json["extra"], json["unclear"]) == (["colon"], ["aorta"], [])
    assert [entry["dice"] for entry in json["structures"]] == [1.0, 0.0, 1.0]
    assert [entry["hd95_mm"] for entry in json["structures"]] == [0.0, None, None]
    assert json["mean_dice"] == pytest.approx(2 / 3, abs=1e-6)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("left_kidney", "Left Kidney"),
        ("Kidney_L", "left kidney"),
        ("SpinalCord", "spinal cord"),
        ("rechte Niere", "kidney_right"),
    ],
)
def test_names_that_mean_the_same_match(ours, theirs):
    assert match([ours], [theirs]).pairs == ((ours, theirs),)


@pytest.mark.parametrize(
    ("ours", "theirs"), [("left kidney", "right kidney"), ("kidney", "left kidney"), ("GTV", "PTV")]
)
def test_names_that_do_not_mean_the_same_do_not(ours, theirs):
    found = match([ours], [theirs])
    assert (found.pairs, found.missing, found.extra) == ((), (theirs,), (ours,))


def test_names_that_several_have_are_unclear_and_never_compared():
    found = match(["liver", "liver", "spleen"], ["liver", "spleen"])
    assert (found.pairs, found.unclear) == ((("spleen", "spleen"),), ("liver",))
    found = match(["Kidney_L", "L kidney"], ["left kidney"])
    assert (found.pairs, found.unclear) == ((), ("Kidney_L", "L kidney", "left kidney"))
    found = match(["Kidney_L", "left_kidney"], ["left kidney"])
    assert (found.pairs, found.extra) == ((("left_kidney", "left kidney"),), ("Kidney_L",))


def test_pairs_can_be_given():
    found = match(["model", "liver"], ["human", "liver"], {"model": "liver", "liver": "human"})
    assert set(found.pairs) == {("model", "liver"), ("liver", "human")}
    with pytest.raises(SettingsError):
        match(["liver"], ["liver"], {"liver": "lever"})


def test_no_structure_in_common():
    with pytest.raises(InputError, match="in common"):
        compare(made(GRID, liver=blob()), made(GRID, spleen=blob()))


def test_tolerances_of_structures():
    reference = made(GRID, liver=blob(), spleen=blob())
    moved = np.roll(blob(), 1, axis=2)
    tolerances = Tolerances.parse(["0.5", "spleen=3"])
    liver, spleen = compare(
        made(GRID, liver=moved, spleen=moved), reference, tolerances=tolerances
    ).structures
    assert (liver.measures.tolerance_mm, spleen.measures.tolerance_mm) == (0.5, 3)
    assert liver.measures.surface_dice < 1 == spleen.measures.surface_dice
    with pytest.raises(SettingsError, match="lever"):
        compare(reference, reference, tolerances=Tolerances.parse(["lever=1"]))
    for text in ("x", "liver=", "-1", "liver=nan", ""):
        with pytest.raises(SettingsError):
            Tolerances.parse([text])


def test_warnings_of_both_are_kept():
    geometry = GRID
    mask = StructureMask.measured("liver", blob(), geometry, warnings=("Edited by a person.",))
    comparison = compare(Segmentation(geometry, (mask,), warnings=("Old.",)), made(geometry, liver=blob()))
    assert comparison.warnings == ("Old.", "liver: Edited by a person.")


def test_a_whole_grid_is_never_filled():
    """Small masks on a grid of 10^12 voxels are compared at once."""
    geometry = Geometry((10_000, 10_000, 10_000), np.eye(4))
    mask = StructureMask.measured("liver", blob(), geometry, start=(5_000, 5_000, 5_000))
    both = Segmentation(geometry, (mask,))
    assert math.isclose(only(compare(both, both)).dice, 1)


def test_the_fixture_of_other_tests_compares():
    both = segmentation(OBLIQUE, {"liver": blob()})
    assert only(compare(both, both)).surface_dice == 1
