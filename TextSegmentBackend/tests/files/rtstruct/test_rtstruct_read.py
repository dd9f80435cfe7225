from contextlib import nullcontext

import numpy as np
import pydicom
import pytest
from made_dicom import write_series
from made_scans import MIRRORED, OBLIQUE, SHEARED, segmentation
from pydicom.data import get_testdata_file
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from textsegment.caution import Caution
from textsegment.errors import InputError, InputNotFoundError, InputUnreadableError, TextSegmentError
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.rtstruct.reader import read_rtstruct
from textsegment.files.rtstruct.writer import write_rtstruct
from textsegment.segmentation import Segmentation, StructureMask

SHAPE = (24, 20, 8)


def made_scan(folder, matrix=OBLIQUE):
    write_series(folder, np.arange(np.prod(SHAPE)).reshape(SHAPE), matrix)
    return read_dicom(folder)


def written(scan, path, masks):
    write_rtstruct(segmentation(scan.volume.geometry.affine, masks), scan.source, path)
    return pydicom.dcmread(path)


def rough(seed):
    return np.random.default_rng(seed).random(SHAPE) > 0.6


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


def cone(slices=range(1, 7)):
    """Smaller from slice to slice, and not symmetric."""
    mask = np.zeros(SHAPE, dtype=bool)
    for k in slices:
        mask[3 : 19 - k, 4 : 16 - k // 2, k] = True
    return mask


def read_moved(tmp_path, mask, place_of, matrix=OBLIQUE):
    scan = made_scan(tmp_path / "scan", matrix)
    dataset = written(scan, tmp_path / "plan.dcm", {"PTV": mask})
    slices_moved(dataset, scan.volume.geometry, place_of)
    dataset.save_as(tmp_path / "plan.dcm")
    return read_rtstruct(tmp_path / "plan.dcm", scan.source)["PTV"]


def codes(mask):
    return {warning.code: warning.values.get("count") for warning in mask.warnings}


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


def changed(tmp_path, scan, change, masks=None):
    """Read a structure set of two regions that was changed."""
    dataset = written(scan, tmp_path / "plan.dcm", masks or {"a": cone(), "b": rough(1)})
    change(dataset)
    dataset.save_as(tmp_path / "plan.dcm")
    return read_rtstruct(tmp_path / "plan.dcm", scan.source)


def first(dataset):
    return dataset.ROIContourSequence[0].ContourSequence


def put(item, tag, vr, value):
    """Put bytes into an item, whatever pydicom thinks of them."""
    value += b" " * (len(value) % 2)
    item[tag] = RawDataElement(Tag(tag), vr, len(value), value, 0, True, True)


def spoil(dataset, text):
    """Put a number into the first contour that is none."""
    points = b"\\".join([*(str(v).encode() for v in first(dataset)[0].ContourData[:-1]), text])
    put(first(dataset)[0], 0x30060050, "DS", points)


ODD_CONTOURS = {
    "no points": lambda d: first(d)[0].__delattr__("ContourGeometricType"),
    "two numbers": lambda d: setattr(first(d)[0], "ContourData", [1, 2]),
    "no number": lambda d: spoil(d, b"12,5"),
    "not finite": lambda d: spoil(d, b"nan"),
    "far away": lambda d: spoil(d, b"1e30"),
    "another kind": lambda d: setattr(first(d)[0], "ContourGeometricType", "CLOSED"),
}


@pytest.mark.parametrize("odd", ODD_CONTOURS)
def test_a_contour_that_cannot_be_read_is_left_out_and_said(tmp_path, odd):
    """rt3: one odd contour condemned the whole file."""
    scan = made_scan(tmp_path / "scan")
    read = changed(tmp_path, scan, ODD_CONTOURS[odd])
    assert [mask.structure for mask in read] == ["a", "b"]
    assert np.array_equal(read.full_mask("a"), cone(range(2, 7)))
    assert codes(read["a"]) == {"contours_unreadable": 1}
    assert np.array_equal(read.full_mask("b"), rough(1))
    assert read["b"].warnings == ()


def test_contours_without_or_with_a_wrong_number_of_points(tmp_path):
    """rt3: the points themselves say how many they are."""
    scan = made_scan(tmp_path / "scan")

    def change(dataset):
        del first(dataset)[0].NumberOfContourPoints
        first(dataset)[1].NumberOfContourPoints = 999
        first(dataset)[2].NumberOfContourPoints = None

    read = changed(tmp_path, scan, change)
    assert np.array_equal(read.full_mask("a"), cone())
    assert codes(read["a"]) == {"points_miscounted": 1}


def renumber(dataset, number):
    dataset.StructureSetROISequence[1].ROINumber = number


ODD_ITEMS = {
    "no region of this number": lambda d: setattr(d.ROIContourSequence[0], "ReferencedROINumber", 77),
    "no number": lambda d: d.ROIContourSequence[0].__delattr__("ReferencedROINumber"),
    "an empty number": lambda d: setattr(d.ROIContourSequence[0], "ReferencedROINumber", None),
    "no description": lambda d: d.StructureSetROISequence.pop(0),
    "a description without a number": lambda d: d.StructureSetROISequence[0].__delattr__("ROINumber"),
}


@pytest.mark.parametrize("odd", ODD_ITEMS)
def test_contours_of_no_region_are_left_out_and_said(tmp_path, odd):
    """rt3: an item without its counterpart condemned the whole file."""
    scan = made_scan(tmp_path / "scan")
    read = changed(tmp_path, scan, ODD_ITEMS[odd])
    assert [mask.structure for mask in read] == ["b"]
    assert np.array_equal(read.full_mask("b"), rough(1))
    assert [(warning.code, warning.values["count"]) for warning in read.warnings] == [("items_unassigned", 1)]


def test_two_regions_of_one_number_are_not_guessed(tmp_path):
    """rt3: contours would get the name of the wrong region."""
    scan = made_scan(tmp_path / "scan")
    read = changed(tmp_path, scan, lambda dataset: renumber(dataset, 1), {n: rough(3) for n in "abc"})
    assert [mask.structure for mask in read] == ["c"]
    assert [(warning.code, warning.values["count"]) for warning in read.warnings] == [("items_unassigned", 2)]


def test_what_is_odd_elsewhere_does_not_matter(tmp_path):
    """rt3: values that nobody asks for, and numbers that are none."""
    scan = made_scan(tmp_path / "scan")

    def change(dataset):
        del dataset.RTROIObservationsSequence[0].ObservationNumber
        del dataset.StructureSetROISequence[1].ROIName
        put(dataset.ROIContourSequence[0], 0x3006002A, "IS", b"red")
        put(dataset.RTROIObservationsSequence[1], 0x300600B0, "SQ", b"no sequence")

    read = changed(tmp_path, scan, change)
    assert [(mask.structure, mask.warnings) for mask in read] == [("a", ()), ("ROI 2", ())]


@pytest.mark.parametrize("unknown", ["contours", "all"])
def test_contours_of_unknown_representation_are_read(tmp_path, unknown):
    """rt3: explicit value representations have no room for more than 64 kB, so long contours are UN."""
    scan = made_scan(tmp_path / "scan")
    turns = np.linspace(0, 2 * np.pi, 6000, endpoint=False)
    circle = np.stack([11 + 7 * np.cos(turns), 9 + 6 * np.sin(turns), np.full(6000, 3)], axis=1)
    affine = scan.volume.geometry.affine
    points = (circle @ affine[:3, :3].T + affine[:3, 3]) * [-1, -1, 1]
    dataset = written(scan, tmp_path / "plan.dcm", {"a": cone((3,)), "b": rough(1)})
    (contour,) = dataset.ROIContourSequence[0].ContourSequence
    contour.ContourData, contour.NumberOfContourPoints = [f"{v:.3f}" for v in points.ravel()], 6000
    dataset.save_as(tmp_path / "implicit.dcm")
    expected = read_rtstruct(tmp_path / "implicit.dcm", scan.source)
    dataset = pydicom.dcmread(tmp_path / "implicit.dcm")
    if unknown == "all":
        for item in dataset.ROIContourSequence:
            for each in item.ContourSequence:
                data = "\\".join(map(str, each.ContourData)).encode()
                put(each, 0x30060050, "UN", data)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    with pytest.warns(UserWarning, match="64 kByte") if unknown == "contours" else nullcontext():
        dataset.save_as(tmp_path / "explicit.dcm", implicit_vr=False, little_endian=True)
    (contour, *_) = pydicom.dcmread(tmp_path / "explicit.dcm").ROIContourSequence[0].ContourSequence
    assert isinstance(contour.ContourData, bytes)
    read = read_rtstruct(tmp_path / "explicit.dcm", scan.source)
    for name in "ab":
        assert read[name].warnings == ()
        assert np.array_equal(read.full_mask(name), expected.full_mask(name))
    assert read["a"].statistics.voxel_count == pytest.approx(np.pi * 42, rel=0.05)
    write_rtstruct(
        Segmentation(scan.volume.geometry, (read["b"],)), scan.source, tmp_path / "new.dcm",
        append_to=tmp_path / "explicit.dcm",
    )  # fmt: skip
    again = read_rtstruct(tmp_path / "new.dcm", scan.source)
    assert [mask.structure for mask in again] == ["a", "b", "b_2"]
    assert np.array_equal(again.full_mask("a"), expected.full_mask("a"))


def test_a_set_with_odd_items_can_be_extended_and_keeps_them(tmp_path):
    """rt3: what cannot be read is somebody's all the same."""
    scan, path = made_scan(tmp_path / "scan"), tmp_path / "plan.dcm"
    dataset = written(scan, path, {"a": cone(), "b": rough(1)})
    spoil(dataset, b"12,5")
    before = first(dataset)[0].get_item(0x30060050).value
    del dataset.RTROIObservationsSequence[0].ObservationNumber
    dataset.ROIContourSequence[1].ReferencedROINumber = 77
    dataset.save_as(path)
    added = Segmentation(scan.volume.geometry, (StructureMask.measured("c", cone(), scan.volume.geometry),))
    write_rtstruct(added, scan.source, tmp_path / "new.dcm", append_to=path)
    new = pydicom.dcmread(tmp_path / "new.dcm")
    raw = new.ROIContourSequence[0].ContourSequence[0].get_item(0x30060050)
    assert raw.value == before
    assert [roi.ROINumber for roi in new.StructureSetROISequence] == [1, 2, 78]
    read = read_rtstruct(tmp_path / "new.dcm", scan.source)
    assert [mask.structure for mask in read] == ["a", "c"]
    assert np.array_equal(read.full_mask("c"), cone())


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_a_file_that_was_cut_short_is_refused(tmp_path, syntax):
    """rt3, the opposite: parts are left out of whole files, not whatever a broken copy lacks."""
    scan, path = made_scan(tmp_path / "scan"), tmp_path / "plan.dcm"
    dataset = written(scan, path, {name: rough(number) for number, name in enumerate("abc")})
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(path, implicit_vr=syntax.is_implicit_VR, little_endian=True)
    whole = path.read_bytes()
    end = whole.rindex(b"\x06\x30\x80\x00")  # of the contours
    for length in (*np.linspace(3000, end - 1, 30).astype(int), len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputUnreadableError):
            read_rtstruct(path, scan.source)


def test_regions_of_another_frame_of_reference_are_left_out_with_a_warning(tmp_path):
    scan = made_scan(tmp_path / "scan")
    dataset = written(scan, tmp_path / "plan.dcm", {"a": rough(0), "b": rough(1), "c": rough(2)})
    dataset.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = "1.2.3"
    del dataset.StructureSetROISequence[1].ReferencedFrameOfReferenceUID
    dataset.save_as(tmp_path / "plan.dcm")
    read = read_rtstruct(tmp_path / "plan.dcm", scan.source)
    assert [mask.structure for mask in read] == ["b", "c"]
    assert read.warnings == ("Regions of another frame of reference were left out: 1.",)


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


def test_other_files_are_refused(tmp_path):
    scan = made_scan(tmp_path / "scan")
    with pytest.raises(InputNotFoundError):
        read_rtstruct(tmp_path / "none.dcm", scan.source)
    with pytest.raises(InputUnreadableError, match="no structure set"):
        read_rtstruct(next((tmp_path / "scan").iterdir()), scan.source)
    with pytest.raises(InputError, match="frame of reference"):
        read_rtstruct(get_testdata_file("rtstruct.dcm"), scan.source)


def test_no_damage_gives_another_error_or_speaks_of_the_patient(tmp_path):
    scan, path = made_scan(tmp_path / "scan"), tmp_path / "plan.dcm"
    written(scan, path, {"liver": np.pad(np.ones((4, 4, 2), dtype=bool), ((3, 17), (3, 13), (2, 4)))})
    whole, generator, messages = path.read_bytes(), np.random.default_rng(0), []
    for _ in range(200):
        content = bytearray(whole[: generator.choice([len(whole), generator.integers(140, len(whole))])])
        for place in generator.integers(132, len(content), 5):
            content[place] = generator.integers(256)
        path.write_bytes(content)
        try:
            read_rtstruct(path, scan.source)
        except TextSegmentError as error:
            messages.append(str(error))
    assert len(messages) > 80
    assert not any("secret" in message.lower() for message in messages)
