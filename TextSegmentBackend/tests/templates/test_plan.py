"""From a template to masks and files: order, names, derived lines, finishing, what is required."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from made_dicom import write_series
from made_scans import OBLIQUE, SHEARED

from textsegment.derive.finishing import finished
from textsegment.derive.holes import without_holes
from textsegment.derive.plan import make_plan
from textsegment.errors import UnknownStructureError
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.images.seg_nrrd import read_seg_nrrd
from textsegment.files.results import write_result
from textsegment.files.rtstruct.limits import area_mm2, simplified_to
from textsegment.files.rtstruct.reader import read_rtstruct
from textsegment.geometry import Geometry
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.templates.reading import template_from_toml
from textsegment.testing import FakeSegmenter, ball, phantom
from textsegment.vocabulary.structures import known_in
from textsegment.vocabulary.template import Finishing, RegionStyle

KNOWN = known_in("CT")
OURS = """
[[structure]]
name = "Liver_PRV"
derive = "Liver margin 4"

[[structure]]
name = "Kidneys"
text = "left kidney, right kidney"

[[structure]]
name = "Rest"
derive = "PTV - Kidneys"

[[structure]]
name = "Liver"
text = "liver"
required = true
"""


def plan(text=OURS, *structures, **options):
    template = template_from_toml("ours", text)
    return make_plan(structures, **{"modality": "CT", "available": KNOWN, "template": template, **options})


def test_lines_keep_their_order_and_may_use_later_ones():
    wanted = plan()
    assert wanted.prompts == ("left kidney", "right kidney", "liver")
    assert wanted.written_names == ("Liver_PRV", "Kidneys", "Liver")
    assert wanted.missing == {"Made of structures that are not there (PTV)": ("Rest",)}
    volume = phantom()
    result = wanted.finish(FakeSegmenter().segment(volume, wanted.prompts), volume.voxels)
    assert [mask.structure for mask in result] == ["Liver_PRV", "Kidneys", "liver"]
    grown = result.full_mask("Liver_PRV")
    assert (grown & ball("liver", volume.geometry) == ball("liver", volume.geometry)).all()
    assert grown.sum() > ball("liver", volume.geometry).sum()


def test_a_target_that_is_given_is_used():
    assert plan(given=["PTV"]).written_names == ("Liver_PRV", "Kidneys", "Rest", "Liver")


def test_a_text_beside_a_template():
    wanted = plan(OURS, "spleen", "liver", naming="tg263")
    assert wanted.written_names == ("Spleen", "Liver", "Liver_PRV", "Kidneys")


def test_what_is_required_and_cannot_be_made_is_refused():
    with pytest.raises(UnknownStructureError, match=r"Liver \(not in this model\)"):
        plan(available=["left kidney", "right kidney"])
    with pytest.raises(
        UnknownStructureError, match=r"Rest \(made of structures that are not there \(ptv\)\)"
    ):
        plan(OURS.replace('- Kidneys"', '- Kidneys"\nrequired = true'))


def test_what_is_required_and_not_found_is_said():
    wanted = plan('[[structure]]\nname = "Appendix"\ntext = "liver"\nrequired = true')
    volume = phantom()
    found = FakeSegmenter().segment(volume, wanted.prompts)
    empty = StructureMask.measured("liver", np.zeros(volume.voxels.shape, bool), volume.geometry)
    said = wanted.finish(Segmentation(found.geometry, (empty,), found.provenance)).warnings
    assert [each.code for each in said] == ["required_not_found"]
    assert said[0].startswith("Appendix: ")
    assert not wanted.finish(found).warnings


def test_a_derived_line_is_made_of_finished_masks_and_finished_itself():
    text = """
[[structure]]
name = "Liver"
text = "liver"
keep_largest = true
[[structure]]
name = "Ring"
derive = "(Liver margin 2) - Liver"
fill_holes = true
"""
    geometry = Geometry((30, 30, 9), np.eye(4))
    voxels = np.zeros((30, 30, 9), bool)
    voxels[5:15, 5:15, 2:7] = voxels[20:23, 20:23, 2:5] = True
    liver = StructureMask.measured("liver", voxels, geometry)
    result = plan(text).finish(Segmentation(geometry, (liver,)))
    assert not result.full_mask("liver")[18:].any()
    assert [each.code for each in result["liver"].warnings] == ["tidy_parts"]
    ring = result.full_mask("Ring")
    assert not ring[18:].any()  # the part that was removed has no ring
    assert ring[5:15, 5:15, 2:7].all()  # the hole, which the liver was
    assert "holes_filled" in {each.code for each in result["Ring"].warnings}
    assert result["Ring"].origin.tidied


GRID = Geometry((20, 24, 6), np.diag([2.0, 1.0, 3.0, 1.0]))


def mask_with(*boxes):
    voxels = np.zeros(GRID.spatial_shape, bool)
    for box in boxes:
        voxels[box] = True
    return StructureMask.measured("liver", voxels, GRID)


BIG, SMALL = np.s_[2:10, 3:15, 1:5], np.s_[14:16, 18:21, 2:3]  # 384 and 6 voxels of 6 mm³


@pytest.mark.parametrize(
    ("finishing", "count"),
    [
        (Finishing(), 390),
        (Finishing(smallest_part_ml=0.03), 390),
        (Finishing(smallest_part_ml=0.04), 384),
        (Finishing(smallest_part_ml=1000), 384),
        (Finishing(keep_largest=True), 384),
    ],
)
def test_small_parts(finishing, count):
    mask = mask_with(BIG, SMALL)
    after = finished(mask, finishing, GRID)
    assert after.statistics.voxel_count == count
    assert after.statistics.volume_ml == pytest.approx(count * 0.006)
    assert (after is mask) == (count == 390)


def test_finishing_never_empties_a_mask_nor_touches_an_empty_one():
    speck = mask_with(np.s_[3:4, 3:4, 3:4])
    assert finished(speck, Finishing(True, 500, True, 10), GRID) is speck
    empty = mask_with()
    assert finished(empty, Finishing(True, 1, True, 1), GRID) is empty


def test_confidence_stays_as_it_was_measured():
    mask = mask_with(BIG, SMALL)
    mask = replace(mask, statistics=replace(mask.statistics, mean_confidence=0.87))
    after = finished(mask, Finishing(keep_largest=True), GRID, np.full(GRID.spatial_shape, 40.0))
    assert (after.statistics.mean_confidence, after.statistics.mean_intensity) == (0.87, 40.0)


def test_holes_of_slices():
    mask = np.zeros((9, 11, 3), bool)
    mask[1:8, 1:10] = True
    mask[3:5, 3:5, 0] = False  # closed in its slice, open above
    mask[3:5, 3:5, 1] = False
    mask[4:9, 6, 1] = False  # reaches the border
    mask[2, 2, 2] = mask[3, 3, 2] = False  # meet at a corner only
    full = without_holes(mask)
    assert full[1:8, 1:10, 0].all()
    assert full[3:5, 3:5, 1].all()
    assert not full[4:8, 6, 1].any()
    assert full[1:8, 1:10, 2].all()
    assert not full[0].any()
    spiral = np.ones((9, 9, 1), bool)
    spiral[1, :8] = spiral[1:8, 7] = spiral[7, 1:8] = spiral[3:8, 1] = spiral[3, 1:6] = spiral[3:6, 5] = False
    assert np.array_equal(without_holes(spiral), spiral)


@pytest.mark.parametrize("matrix", [OBLIQUE, SHEARED])
def test_type_color_and_limits_of_contours_in_a_structure_set(tmp_path, matrix):
    shape = (40, 36, 8)
    write_series(tmp_path / "scan", np.arange(np.prod(shape)).reshape(shape) % 2000, matrix)
    scan = read_dicom(tmp_path / "scan")
    i, j = np.indices(shape)[:2]
    voxels = (i - 18) ** 2 + (j - 16) ** 2 < 144
    voxels[2, 2] = True  # a speck in each slice
    geometry = scan.volume.geometry
    masks = tuple(StructureMask.measured(name, voxels, geometry) for name in ("liver", "spleen"))
    styles = {"liver": RegionStyle("AVOIDANCE", (1, 2, 3), 5.0, 12)}
    said = []
    path = tmp_path / "plan.rtstruct.dcm"
    write_result(
        Segmentation(geometry, masks), path, source=scan.source, styles=styles, on_warning=said.append
    )
    plan = pydicom.dcmread(path)
    first, second = plan.RTROIObservationsSequence
    assert (first.RTROIInterpretedType, second.RTROIInterpretedType) == ("AVOIDANCE", "ORGAN")
    first, second = plan.ROIContourSequence
    assert list(first.ROIDisplayColor) == [1, 2, 3] != list(second.ROIDisplayColor)
    assert [contour.NumberOfContourPoints for contour in first.ContourSequence] == [12] * 8
    assert len(second.ContourSequence) == 16
    assert max(int(contour.NumberOfContourPoints) for contour in second.ContourSequence) > 20
    read = read_rtstruct(path, scan.source)
    exact, coarse = read.full_mask("spleen"), read.full_mask("liver")
    assert np.array_equal(exact, voxels)
    voxels[2, 2] = False
    assert 2 * (coarse & voxels).sum() / (coarse.sum() + voxels.sum()) > 0.95
    assert {each.code for each in said} >= {"contours_tiny", "contours_limited"}


def test_colors_in_a_segmentation_of_slicer(tmp_path):
    volume = phantom()
    found = FakeSegmenter().segment(volume, ["liver"])
    write_result(found, tmp_path / "a.seg.nrrd", styles={"liver": RegionStyle(color=(255, 0, 51))})
    header = (tmp_path / "a.seg.nrrd").read_bytes().split(b"\n\n")[0].decode()
    assert "Segment0_Color:=1.0 0.0 0.2" in header
    assert read_seg_nrrd(tmp_path / "a.seg.nrrd")["liver"].statistics.voxel_count


def test_simplified_rings_keep_their_area_and_their_limit():
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    ring = np.stack([30 * np.cos(angle), 20 * np.sin(angle)], axis=1)
    for most in (3, 4, 17, 100, 399, 400, 1000):
        simple = simplified_to(ring, most)
        assert len(simple) == min(most, 400)
        if most >= 17:
            assert area_mm2(simple, (1, 0.5)) == pytest.approx(area_mm2(ring, (1, 0.5)), rel=0.04)
    square = np.array([[0.0, 0], [0, 1], [0, 2], [2, 2], [2, 1], [2, 0]])
    assert simplified_to(square, 4).tolist() == [[0, 0], [0, 2], [2, 2], [2, 0]]
