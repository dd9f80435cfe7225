"""DICOM segmentations: written on a scan, read back, and read by others."""

from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from made_dicom import write_enhanced, write_series
from made_scans import ANISOTROPIC, MIRRORED, OBLIQUE, SHEARED, all_orientations, overlapping_masks
from pydicom.dataelem import RawDataElement
from pydicom.uid import RLELossless

from textsegment.errors import GeometryError, InputNotFoundError, InputUnreadableError, OutputError
from textsegment.files.dicom.header import quiet_pydicom
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.dicom_seg.reader import read_dicom_seg
from textsegment.files.dicom_seg.writer import write_dicom_seg
from textsegment.geometry import Geometry
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.vocabulary.structures import load_structures

# Frames of 35 × 37 pixels end within a byte.
SHAPE = (37, 35, 12)
PROVENANCE = {"model": "sat-demo", "weights_sha256": "ab" * 32, "version": "1.2"}


def made_scan(folder: Path, affine=OBLIQUE, shape=SHAPE, **options):
    stored = np.random.default_rng(0).integers(0, 2000, shape).astype(np.uint16)
    write_series(folder, stored, affine, **options)
    return read_dicom(folder)


def segmented(scan, masks) -> Segmentation:
    geometry = scan.volume.geometry
    found = tuple(StructureMask.measured(name, mask, geometry) for name, mask in masks.items())
    return Segmentation(geometry, found, PROVENANCE)


def noise(shape, count=3):
    """Masks of pure chance: any frame or bit out of its place is seen."""
    generator = np.random.default_rng(1)
    return {f"structure {n}": generator.random(shape) < 0.3 for n in range(count)}


@pytest.mark.parametrize("matrix", [*all_orientations()[::5], OBLIQUE, MIRRORED, SHEARED, ANISOTROPIC])
def test_masks_come_back_bit_by_bit(tmp_path, matrix):
    scan = made_scan(tmp_path / "scan", matrix)
    shape = scan.volume.geometry.spatial_shape
    masks = noise(shape) | overlapping_masks(shape)
    warnings = write_dicom_seg(segmented(scan, masks), scan.source, tmp_path / "out.seg.dcm")
    assert warnings == ("Not found, so not in the DICOM segmentation: spleen.",)
    for geometry in (scan.volume.geometry, None):
        back = read_dicom_seg(tmp_path / "out.seg.dcm", geometry=geometry)
        # The noise reaches the first and the last slice, so the file tells the whole grid.
        assert np.allclose(back.geometry.affine, scan.volume.geometry.affine, rtol=0, atol=1e-5)
        assert [mask.structure for mask in back] == [name for name in masks if name != "spleen"]
        for mask in back:
            assert np.array_equal(back.full_mask(mask.structure), masks[mask.structure])


@pytest.mark.parametrize("matrix", [OBLIQUE, MIRRORED, ANISOTROPIC])
def test_highdicom_reads_the_same_masks_at_the_same_place(tmp_path, matrix):
    scan = made_scan(tmp_path / "scan", matrix)
    masks = noise(scan.volume.geometry.spatial_shape)
    write_dicom_seg(segmented(scan, masks), scan.source, tmp_path / "out.seg.dcm")
    volume = hd.seg.segread(tmp_path / "out.seg.dcm").get_volume()
    to_ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine
    index = np.argwhere(volume.array[..., 1])
    points = index @ to_ras[:3, :3].T + to_ras[:3, 3]
    ours = np.rint(scan.volume.geometry.to_index(points)).astype(int)
    again = np.zeros(scan.volume.geometry.spatial_shape, dtype=bool)
    again[tuple(ours.T)] = True
    assert np.array_equal(again, masks["structure 1"])


@pytest.mark.parametrize("masks", [noise(SHAPE, 1), {"liver": np.ones(SHAPE, dtype=bool)}])
def test_a_single_structure(tmp_path, masks):
    scan = made_scan(tmp_path / "scan")
    write_dicom_seg(segmented(scan, masks), scan.source, tmp_path / "out.seg.dcm")
    (name,) = masks
    back = read_dicom_seg(tmp_path / "out.seg.dcm", geometry=scan.volume.geometry)
    assert np.array_equal(back.full_mask(name), masks[name])
    assert hd.seg.segread(tmp_path / "out.seg.dcm").SegmentsOverlap == "NO"


def test_a_single_slice(tmp_path):
    scan = made_scan(tmp_path / "scan", shape=(37, 35, 1))
    masks = noise((37, 35, 1))
    write_dicom_seg(segmented(scan, masks), scan.source, tmp_path / "out.seg.dcm")
    for geometry in (scan.volume.geometry, None):
        back = read_dicom_seg(tmp_path / "out.seg.dcm", geometry=geometry)
        assert np.allclose(back.geometry.affine, scan.volume.geometry.affine, rtol=0, atol=1e-5)
        assert all(np.array_equal(back.full_mask(name), mask) for name, mask in masks.items())


def test_frames_refer_to_the_images_that_they_were_made_of(tmp_path):
    scan = made_scan(tmp_path / "scan")
    masks = overlapping_masks(SHAPE)
    write_dicom_seg(segmented(scan, masks), scan.source, tmp_path / "out.seg.dcm")
    dataset = pydicom.dcmread(tmp_path / "out.seg.dcm")
    images = {d.SOPInstanceUID: d for d in map(pydicom.dcmread, (tmp_path / "scan").iterdir())}
    first = next(iter(images.values()))
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientID", "PatientName"):
        assert dataset[keyword].value == first[keyword].value
    assert dataset.SeriesInstanceUID != first.SeriesInstanceUID
    assert dataset.ReferencedSeriesSequence[0].SeriesInstanceUID == first.SeriesInstanceUID
    assert dataset.SegmentsOverlap == "YES"
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        source = frame.DerivationImageSequence[0].SourceImageSequence[0]
        image = images[source.ReferencedSOPInstanceUID]
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        assert np.allclose(position, image.ImagePositionPatient, rtol=0, atol=1e-6)


def test_one_file_with_many_frames_as_source(tmp_path):
    stored = np.random.default_rng(0).integers(0, 2000, SHAPE).astype(np.uint16)
    order = [3, 0, 1, 2, *range(SHAPE[2] - 1, 3, -1)]
    write_enhanced(tmp_path / "scan.dcm", stored, MIRRORED, order=order)
    scan = read_dicom(tmp_path / "scan.dcm")
    masks = noise(SHAPE)
    write_dicom_seg(segmented(scan, masks), scan.source, tmp_path / "out.seg.dcm")
    back = read_dicom_seg(tmp_path / "out.seg.dcm", geometry=scan.volume.geometry)
    assert all(np.array_equal(back.full_mask(name), mask) for name, mask in masks.items())
    image = pydicom.dcmread(tmp_path / "scan.dcm")
    for frame in pydicom.dcmread(tmp_path / "out.seg.dcm").PerFrameFunctionalGroupsSequence:
        number = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber
        source = image.PerFrameFunctionalGroupsSequence[number - 1]
        ours, theirs = (f.PlanePositionSequence[0].ImagePositionPatient for f in (frame, source))
        assert np.allclose(ours, theirs, rtol=0, atol=1e-6)


def test_images_that_are_not_alike_to_the_last_digit(tmp_path):
    def sloppy(dataset, k):
        dataset.ImageOrientationPatient = [float(v) + 1e-7 * k for v in dataset.ImageOrientationPatient]
        del dataset.SliceThickness

    scan = made_scan(tmp_path / "scan", change=sloppy)
    masks = noise(SHAPE)
    write_dicom_seg(segmented(scan, masks), scan.source, tmp_path / "out.seg.dcm")
    back = read_dicom_seg(tmp_path / "out.seg.dcm", geometry=scan.volume.geometry)
    assert all(np.array_equal(back.full_mask(name), mask) for name, mask in masks.items())
    measures = (
        pydicom.dcmread(tmp_path / "out.seg.dcm").SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    )
    assert (float(measures.SliceThickness), float(measures.SpacingBetweenSlices)) == pytest.approx((2.5, 2.5))


def test_one_file_that_measures_each_frame(tmp_path):
    stored = np.random.default_rng(0).integers(0, 2000, SHAPE).astype(np.uint16)
    write_enhanced(tmp_path / "scan.dcm", stored, OBLIQUE)
    dataset = pydicom.dcmread(tmp_path / "scan.dcm")
    shared = dataset.SharedFunctionalGroupsSequence[0]
    for keyword in ("PixelMeasuresSequence", "PlaneOrientationSequence"):
        for frame in dataset.PerFrameFunctionalGroupsSequence:
            frame[keyword] = shared[keyword]
        del shared[keyword]
    dataset.save_as(tmp_path / "scan.dcm")
    scan = read_dicom(tmp_path / "scan.dcm")
    masks = noise(SHAPE)
    write_dicom_seg(segmented(scan, masks), scan.source, tmp_path / "out.seg.dcm")
    back = read_dicom_seg(tmp_path / "out.seg.dcm", geometry=scan.volume.geometry)
    assert all(np.array_equal(back.full_mask(name), mask) for name, mask in masks.items())
    image = (
        pydicom.dcmread(tmp_path / "out.seg.dcm").ReferencedSeriesSequence[0].ReferencedInstanceSequence[0]
    )
    assert image.ReferencedSOPClassUID == dataset.SOPClassUID
    assert image.ReferencedSOPInstanceUID == dataset.SOPInstanceUID


def test_slices_that_were_missing_refer_to_no_image(tmp_path):
    stored = np.random.default_rng(0).integers(0, 2000, SHAPE).astype(np.uint16)
    paths = write_series(tmp_path / "scan", stored, OBLIQUE)
    paths[5].unlink()
    scan = read_dicom(tmp_path / "scan")
    masks = noise(SHAPE, 1)
    write_dicom_seg(segmented(scan, masks), scan.source, tmp_path / "out.seg.dcm")
    frames = pydicom.dcmread(tmp_path / "out.seg.dcm").PerFrameFunctionalGroupsSequence
    assert len(frames) == SHAPE[2]
    assert sum("DerivationImageSequence" not in frame for frame in frames) == 1
    back = read_dicom_seg(tmp_path / "out.seg.dcm", geometry=scan.volume.geometry)
    assert np.array_equal(back.full_mask("structure 0"), masks["structure 0"])


def test_segments_are_named_coded_and_coloured(tmp_path):
    scan = made_scan(tmp_path / "scan")
    masks = {"left kidney": noise(SHAPE, 1)["structure 0"], "my thing": np.ones(SHAPE, dtype=bool)}
    write_dicom_seg(
        segmented(scan, masks), scan.source, tmp_path / "out.seg.dcm", names={"left kidney": "Kidney_L"}
    )
    kidney, other = pydicom.dcmread(tmp_path / "out.seg.dcm").SegmentSequence
    assert (kidney.SegmentLabel, kidney.SegmentDescription) == ("Kidney_L", "left kidney")
    kind = kidney.SegmentedPropertyTypeCodeSequence[0]
    assert (kind.CodeValue, kind.CodingSchemeDesignator) == ("64033007", "SCT")
    assert kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Left"
    assert kidney.SegmentAlgorithmType == "AUTOMATIC"
    algorithm = kidney.SegmentationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("sat-demo", "1.2")
    assert "ab" * 32 in algorithm.AlgorithmParameters
    color = hd.color.CIELabColor.from_dicom_value(kidney.RecommendedDisplayCIELabValue).to_rgb(clip=True)
    assert np.allclose(color, load_structures()["left kidney"].color, rtol=0, atol=2)
    assert other.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Tissue"
    assert kidney.TrackingUID != other.TrackingUID


def test_every_structure_of_the_vocabulary_can_be_coded(tmp_path):
    scan = made_scan(tmp_path / "scan")
    one_voxel = np.zeros(SHAPE, dtype=bool)
    one_voxel[5, 6, 7] = True
    masks = dict.fromkeys(load_structures(), one_voxel)
    write_dicom_seg(segmented(scan, masks), scan.source, tmp_path / "out.seg.dcm")
    items = pydicom.dcmread(tmp_path / "out.seg.dcm").SegmentSequence
    assert len({item.SegmentLabel for item in items}) == len(masks)
    for item in items:
        codes = load_structures()[item.SegmentDescription].codes
        assert item.SegmentedPropertyTypeCodeSequence[0].CodeValue == codes.type.value
        assert item.SegmentedPropertyCategoryCodeSequence[0].CodeValue == codes.category.value
        region = item.get("AnatomicRegionSequence")
        assert (region[0].CodeValue if region else None) == (codes.region.value if codes.region else None)


def test_names_of_any_script(tmp_path):
    def in_cyrillic(dataset, _):
        dataset.SpecificCharacterSet = "ISO_IR 144"
        dataset.PatientName = "Иванов^Иван"

    scan = made_scan(tmp_path / "scan", change=in_cyrillic)
    mask = noise(SHAPE, 1)["structure 0"]
    write_dicom_seg(
        segmented(scan, {"liver": mask}), scan.source, tmp_path / "out.seg.dcm", names={"liver": "肝臓"}
    )
    dataset = pydicom.dcmread(tmp_path / "out.seg.dcm")
    assert dataset.SegmentSequence[0].SegmentLabel == "肝臓"
    assert str(dataset.PatientName) == "ﾔﾏﾀﾞ^ﾀﾛｳ" or str(dataset.PatientName) == "Иванов^Иван"


def test_labels_are_one_value_each(tmp_path):
    scan = made_scan(tmp_path / "scan")
    masks = dict(zip("abcde", [noise(SHAPE, 1)["structure 0"]] * 5, strict=True))
    labels = dict(zip(masks, ["PTV\\GTV", "PTV/GTV", "a\tb\n", " ", "y" * 70], strict=True))
    write_dicom_seg(segmented(scan, masks), scan.source, tmp_path / "out.seg.dcm", names=labels)
    found = [item.SegmentLabel for item in pydicom.dcmread(tmp_path / "out.seg.dcm").SegmentSequence]
    assert found == ["PTV/GTV", "PTV/GTV (2)", "a b", "Segment", "y" * 64]


@pytest.mark.parametrize(
    ("keyword", "sound", "odd"),
    [
        ("PatientBirthDate", "19700101", "1970"),
        ("StudyDate", "20200102", "2020-1-2"),
        ("StudyTime", "101112", "noon"),
        ("PatientSex", "M", "?"),
        ("PatientID", "Q" * 60, "Q" * 59 + "ü"),
        ("PatientName", "Secret^Patient", "Müller^Patient"),
    ],
)
def test_patient_data_in_odd_form_is_repeated_as_it_is(tmp_path, keyword, sound, odd):
    paths = write_series(
        tmp_path / "scan",
        np.ones(SHAPE, dtype=np.uint16),
        OBLIQUE,
        change=lambda dataset, _: setattr(dataset, keyword, sound),
    )
    for path in paths:
        dataset = pydicom.dcmread(path)
        element = dataset[keyword]
        value = odd.encode("latin-1").ljust(len(sound) + len(sound) % 2)
        dataset[element.tag] = RawDataElement(
            element.tag, element.VR, len(value), value, 0, False, True, is_raw=True
        )
        dataset.save_as(path)
    scan = read_dicom(tmp_path / "scan")
    mask = noise(SHAPE, 1)["structure 0"]
    write_dicom_seg(segmented(scan, {"liver": mask}), scan.source, tmp_path / "out.seg.dcm")
    with quiet_pydicom():
        assert str(pydicom.dcmread(tmp_path / "out.seg.dcm")[keyword].value) == odd


def test_nothing_found_writes_nothing(tmp_path):
    scan = made_scan(tmp_path / "scan")
    with pytest.raises(OutputError, match="nothing to write"):
        write_dicom_seg(
            segmented(scan, {"liver": np.zeros(SHAPE, dtype=bool)}), scan.source, tmp_path / "out.seg.dcm"
        )
    assert not (tmp_path / "out.seg.dcm").exists()


def test_masks_of_another_grid_are_refused(tmp_path):
    scan = made_scan(tmp_path / "scan")
    other = Segmentation(Geometry(SHAPE, MIRRORED), ())
    with pytest.raises(GeometryError, match="another grid"):
        write_dicom_seg(other, scan.source, tmp_path / "out.seg.dcm")


def other_file(path: Path, kind: str):
    """Segmentations as others write them: fractional, label map, compressed."""
    folder = path.parent / "scan"
    scan = made_scan(folder, MIRRORED)
    labels = np.random.default_rng(2).integers(0, 3, SHAPE).astype(np.uint8)
    dataset = hd.seg.Segmentation(
        scan.source.datasets,
        labels.transpose(2, 1, 0),
        kind,
        [
            hd.seg.SegmentDescription(
                n, f"part {n}", hd.sr.CodedConcept("85756007", "SCT", "Tissue"),
                hd.sr.CodedConcept("85756007", "SCT", "Tissue"), "MANUAL",
            )
            for n in (1, 2)
        ],
        hd.UID(), 1, hd.UID(), 1, "Others", "Other", "1", "1",
        transfer_syntax_uid=RLELossless if kind != "BINARY" else "1.2.840.10008.1.2.1",
    )  # fmt: skip
    dataset.save_as(path)
    return scan, labels


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_files_of_others(tmp_path, kind):
    scan, labels = other_file(tmp_path / "other.dcm", kind)
    back = read_dicom_seg(tmp_path / "other.dcm", geometry=scan.volume.geometry)
    for number in (1, 2):
        assert np.array_equal(back.full_mask(f"part {number}"), labels == number)
    assert bool(back.warnings) == (kind == "FRACTIONAL")


def test_another_grid_is_refused_when_reading(tmp_path):
    scan = made_scan(tmp_path / "scan")
    write_dicom_seg(segmented(scan, noise(SHAPE)), scan.source, tmp_path / "out.seg.dcm")
    geometry = scan.volume.geometry
    shifted = geometry.affine.copy()
    shifted[:3, 3] += 1
    for other in (
        Geometry(SHAPE, shifted),
        Geometry((37, 35, 11), geometry.affine),
        Geometry(SHAPE, MIRRORED),
    ):
        with pytest.raises(GeometryError, match="do not lie on the planes"):
            read_dicom_seg(tmp_path / "out.seg.dcm", geometry=other)


def test_what_is_no_segmentation(tmp_path):
    with pytest.raises(InputNotFoundError):
        read_dicom_seg(tmp_path / "none.dcm")
    (tmp_path / "text.dcm").write_text("hello")
    made_scan(tmp_path / "scan")
    for path in (tmp_path / "text.dcm", next((tmp_path / "scan").iterdir())):
        with pytest.raises(InputUnreadableError, match="no DICOM segmentation"):
            read_dicom_seg(path)


def test_damage_is_typed(tmp_path):
    scan = made_scan(tmp_path / "scan")
    path = tmp_path / "out.seg.dcm"
    write_dicom_seg(segmented(scan, noise(SHAPE, 1)), scan.source, path)
    whole = path.read_bytes()
    for length in range(200, len(whole), len(whole) // 40):
        path.write_bytes(whole[:length])
        with pytest.raises((InputUnreadableError, GeometryError)):
            read_dicom_seg(path)
    for keyword in ("SegmentSequence", "PerFrameFunctionalGroupsSequence", "PixelData", "Rows"):
        path.write_bytes(whole)
        dataset = pydicom.dcmread(path)
        del dataset[keyword]
        dataset.save_as(path)
        with pytest.raises(InputUnreadableError):
            read_dicom_seg(path)
