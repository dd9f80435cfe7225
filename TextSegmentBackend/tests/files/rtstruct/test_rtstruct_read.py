"""Structure sets of other programs: contours beside, between and across the slices."""

import numpy as np
import pytest
from made_scans import MIRRORED, OBLIQUE, SHEARED
from small_sets import SHAPE, codes, cone, made_scan, rough, written

from textsegment.caution import Caution
from textsegment.files.rtstruct.reader import read_rtstruct
from textsegment.files.rtstruct.writer import write_rtstruct
from textsegment.segmentation import Segmentation, StructureMask


@pytest.mark.parametrize("matrix", [OBLIQUE, MIRRORED, SHEARED])
def test_any_mask_comes_back_exactly(tmp_path, matrix):
    scan = made_scan(tmp_path / "scan", matrix)
    masks = {"liver": rough(0), "left kidney": rough(1)}
    written(scan, tmp_path / "plan.dcm", masks)
    read = read_rtstruct(tmp_path / "plan.dcm", scan.source)
    assert [mask.structure for mask in read] == list(masks)
    assert read.geometry == scan.volume.geometry
    for name, mask in masks.items():
        assert np.array_equal(read.full_mask(name), mask)
        assert read[name].warnings == ()


def test_separate_contours_of_a_hole_are_understood(tmp_path):
    scan = made_scan(tmp_path / "scan")
    outer, inner = np.zeros(SHAPE, dtype=bool), np.zeros(SHAPE, dtype=bool)
    outer[3:18, 4:16, 2], inner[6:12, 7:12, 2] = True, True
    dataset = written(scan, tmp_path / "plan.dcm", {"liver": outer, "spleen": inner})
    first, second = dataset.ROIContourSequence
    first.ContourSequence.append(second.ContourSequence[0])
    dataset.save_as(tmp_path / "plan.dcm")
    assert np.array_equal(
        read_rtstruct(tmp_path / "plan.dcm", scan.source).full_mask("liver"), outer & ~inner
    )


def test_points_lines_and_empty_regions_are_no_masks(tmp_path):
    scan = made_scan(tmp_path / "scan")
    dataset = written(scan, tmp_path / "plan.dcm", {"a": rough(0), "b": rough(1), "c": rough(2)})
    for contour in dataset.ROIContourSequence[0].ContourSequence:
        contour.ContourGeometricType = "OPEN_PLANAR"
    del dataset.ROIContourSequence[1].ContourSequence
    dataset.save_as(tmp_path / "plan.dcm")
    assert [mask.structure for mask in read_rtstruct(tmp_path / "plan.dcm", scan.source)] == ["c"]


def slices_moved(dataset, geometry, place_of, *, kind="CLOSED_PLANAR"):
    """Move the contours of the first region along the third axis: from slice to slice."""
    normal = np.linalg.inv(geometry.affine)[2, :3] * [-1, -1, 1]
    kept = []
    for contour in dataset.ROIContourSequence[0].ContourSequence:
        points = np.reshape(contour.ContourData, (-1, 3)).astype(float)
        k = float(geometry.to_index(points * [-1, -1, 1])[:, 2].mean())
        place = place_of(round(k))
        if place is not None:
            moved = points + (place - k) * geometry.affine[:3, 2] * [-1, -1, 1]
            assert normal @ (moved - points)[0] == pytest.approx(place - k)
            contour.ContourData = [f"{v:.4f}" for v in moved.ravel()]
            kept.append(contour)
    dataset.ROIContourSequence[0].ContourSequence = kept


def read_moved(tmp_path, mask, place_of, matrix=OBLIQUE):
    scan = made_scan(tmp_path / "scan", matrix)
    dataset = written(scan, tmp_path / "plan.dcm", {"PTV": mask})
    slices_moved(dataset, scan.volume.geometry, place_of)
    dataset.save_as(tmp_path / "plan.dcm")
    return read_rtstruct(tmp_path / "plan.dcm", scan.source)["PTV"]


@pytest.mark.parametrize("matrix", [OBLIQUE, MIRRORED, SHEARED])
@pytest.mark.parametrize("shift", [0.133, 0.4, 0.4999, 0.5001, -0.2, -0.49])
def test_contours_beside_the_slices_go_to_the_nearest_one(tmp_path, shift, matrix):
    """rt1: contours 0.4 mm off a plane vanished, and half of a target with them."""
    mask = read_moved(tmp_path, cone(), lambda k: k + shift, matrix)
    expected = cone() if shift < 0.49 else np.roll(cone(), 1, axis=2)
    assert np.array_equal(mask.full(SHAPE), expected)
    assert codes(mask) == {"contours_moved": 6}
    assert mask.warnings[0].startswith("PTV: Contours that lie beside the slices of the scan, by up to ")


def test_every_second_contour_beside_the_slices(tmp_path):
    """rt1: of contours on planes 0.4 mm apart from those of the scan every second one was lost."""
    mask = read_moved(tmp_path, cone(), lambda k: k + 0.13 * (k % 2))
    assert np.array_equal(mask.full(SHAPE), cone())
    assert codes(mask) == {"contours_moved": 3}


def test_contours_that_lie_farther_apart_than_the_slices_are_interpolated(tmp_path):
    """rt1: contours on every second slice made a region with holes."""
    mask = read_moved(tmp_path, cone(), lambda k: k if k % 2 else None)
    full = mask.full(SHAPE)
    assert codes(mask) == {"slices_interpolated": 2}
    for k in range(1, 6):
        difference = full[:, :, k] ^ cone()[:, :, k]
        assert difference.sum() <= (0 if k % 2 else 22), k
        assert full[:, :, k].any()


def test_contours_that_lie_closer_together_than_the_slices_are_left_out_in_part(tmp_path):
    """rt1: two planes of contours that fall on one slice do not cancel each other out."""
    mask = read_moved(tmp_path, cone(range(8)), lambda k: k * 0.6)
    full = mask.full(SHAPE)
    assert codes(mask)["contours_too_close"] == 3
    for k in range(5):
        (source,) = [n for n in range(8) if abs(n * 0.6 - k) == min(abs(m * 0.6 - k) for m in range(8))][:1]
        assert np.array_equal(full[:, :, k], cone(range(8))[:, :, source])
    assert not full[:, :, 5:].any()


def test_a_gap_in_a_region_is_said_and_stays(tmp_path):
    """rt1: a slice without a contour among many stays empty, with a word."""
    mask = read_moved(tmp_path, cone(range(8)), lambda k: None if k in (4, 5) else k)
    assert np.array_equal(mask.full(SHAPE), cone((0, 1, 2, 3, 6, 7)))
    assert codes(mask) == {"slices_without_contours": 2}


def test_two_parts_with_nothing_between_are_no_gap(tmp_path):
    parts = np.zeros(SHAPE, dtype=bool)
    parts[2:6, 2:6, :2] = parts[14:20, 12:17, 6:] = True
    scan = made_scan(tmp_path / "scan")
    written(scan, tmp_path / "plan.dcm", {"PTV": parts})
    mask = read_rtstruct(tmp_path / "plan.dcm", scan.source)["PTV"]
    assert (mask.warnings, mask.statistics.voxel_count) == ((), parts.sum())


def test_contours_beyond_the_last_slice_are_left_out_with_a_warning(tmp_path):
    mask = read_moved(tmp_path, cone(), lambda k: k + 3)
    assert np.array_equal(mask.full(SHAPE)[:, :, 3:], cone()[:, :, :5])
    assert codes(mask) == {"contours_left_out": 2}
    assert str(mask.warnings[0]) == "PTV: Contours that lie on no slice of the scan were left out: 2."


@pytest.mark.parametrize("place", [lambda k: k + 20, lambda k: k - 9])
def test_a_region_that_lost_everything_is_kept_with_a_warning(tmp_path, place):
    """rt1: an empty region was dropped, and the warning with it."""
    mask = read_moved(tmp_path, cone(), place)
    assert mask.statistics.is_empty
    assert codes(mask) == {"contours_left_out": 6}


def test_contours_across_the_slices_are_left_out_with_a_warning(tmp_path):
    scan = made_scan(tmp_path / "scan")
    dataset = written(scan, tmp_path / "plan.dcm", {"PTV": cone()})
    affine = scan.volume.geometry.affine
    corners = np.array([[3, 5, 1], [3, 15, 1], [3, 15, 6], [3, 5, 6]]) @ affine[:3, :3].T + affine[:3, 3]
    contour = dataset.ROIContourSequence[0].ContourSequence[0]
    contour.ContourData = [f"{v:.4f}" for v in (corners * [-1, -1, 1]).ravel()]
    contour.NumberOfContourPoints = len(corners)
    dataset.save_as(tmp_path / "plan.dcm")
    mask = read_rtstruct(tmp_path / "plan.dcm", scan.source)["PTV"]
    assert codes(mask) == {"contours_left_out": 1}
    assert np.array_equal(mask.full(SHAPE), cone(range(2, 7)))


def test_a_region_smaller_than_a_voxel_is_kept_with_a_warning(tmp_path):
    """rt1: it disappeared without a word."""
    scan = made_scan(tmp_path / "scan")
    dataset = written(scan, tmp_path / "plan.dcm", {"seed": cone((3,))})
    affine = scan.volume.geometry.affine
    corners = np.array([[3.2, 5.2, 3], [3.8, 5.2, 3], [3.5, 5.8, 3]]) @ affine[:3, :3].T + affine[:3, 3]
    contour = dataset.ROIContourSequence[0].ContourSequence[0]
    contour.ContourData = [f"{v:.4f}" for v in (corners * [-1, -1, 1]).ravel()]
    contour.NumberOfContourPoints = len(corners)
    dataset.save_as(tmp_path / "plan.dcm")
    mask = read_rtstruct(tmp_path / "plan.dcm", scan.source)["seed"]
    assert mask.statistics.is_empty
    assert str(mask.warnings[0]) == "seed: Its contours hold no centre of a voxel."


def test_what_this_program_wrote_about_a_region_is_read_again(tmp_path):
    """rt1: a warning that stands in a file goes on with what is taken from it."""
    scan = made_scan(tmp_path / "scan")
    said = Caution("contours_left_out", "PTV", count=3)
    ring = StructureMask.measured("Ring", cone(), scan.volume.geometry, warnings=(said,))
    write_rtstruct(Segmentation(scan.volume.geometry, (ring,)), scan.source, tmp_path / "plan.dcm")
    (mask,) = read_rtstruct(tmp_path / "plan.dcm", scan.source)
    assert mask.warnings == (f"Ring: {said}",)


def test_contours_beyond_the_image_are_cut_off_with_a_warning(tmp_path):
    scan = made_scan(tmp_path / "scan")
    box = np.zeros(SHAPE, dtype=bool)
    box[3:18, 4:16, 2:5] = True
    dataset = written(scan, tmp_path / "plan.dcm", {"liver": box})
    shift = 12 * scan.volume.geometry.affine[:3, 0] * [-1, -1, 1]
    contour = dataset.ROIContourSequence[0].ContourSequence[0]
    moved = np.reshape(contour.ContourData, (-1, 3)).astype(float) + shift
    contour.ContourData = [f"{v:.4f}" for v in moved.ravel()]
    dataset.save_as(tmp_path / "plan.dcm")
    (mask,) = read_rtstruct(tmp_path / "plan.dcm", scan.source)
    assert mask.warnings == ("liver: Contours that reach beyond the image were cut off at its border: 1.",)
    assert mask.statistics.voxel_count == 2 * 15 * 12 + 9 * 12
