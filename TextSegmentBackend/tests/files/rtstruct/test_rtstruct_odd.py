"""Structure sets that are odd, damaged, or belong to something else."""

from contextlib import nullcontext

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from small_sets import codes, cone, first, made_scan, rough, written

from textsegment.errors import InputError, InputNotFoundError, InputUnreadableError, TextSegmentError
from textsegment.files.rtstruct.reader import read_rtstruct
from textsegment.files.rtstruct.writer import write_rtstruct
from textsegment.segmentation import Segmentation, StructureMask


def changed(tmp_path, scan, change, masks=None):
    """Read a structure set of two regions that was changed."""
    dataset = written(scan, tmp_path / "plan.dcm", masks or {"a": cone(), "b": rough(1)})
    change(dataset)
    dataset.save_as(tmp_path / "plan.dcm")
    return read_rtstruct(tmp_path / "plan.dcm", scan.source)


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
