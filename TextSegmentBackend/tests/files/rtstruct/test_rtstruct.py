"""Structure sets, read back by programs of other people: matplotlib, scikit-image, OpenCV."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pydicom
import pytest
from made_dicom import write_enhanced, write_series
from made_scans import ANISOTROPIC, OBLIQUE, SHEARED, affine, rotation, segmentation
from matplotlib.path import Path as Polygon
from pydicom.uid import generate_uid

from textsegment import __version__
from textsegment.caution import Caution
from textsegment.derive.expression import parse_definition
from textsegment.derive.structures import derive
from textsegment.errors import (
    GeometryError,
    InputError,
    InputNotFoundError,
    InputUnreadableError,
    OutputError,
    SettingsError,
)
from textsegment.files.dicom.presentation import Presentation
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.dicom_seg.writer import write_dicom_seg
from textsegment.files.rtstruct.writer import write_rtstruct
from textsegment.segmentation import StructureMask

SHAPE = (44, 36, 14)
AXIAL = np.diag([-1.0, -1, 1])
SAGITTAL = np.array([[0, 0, -1.0], [-1, 0, 0], [0, -1, 0]])
CORONAL = np.array([[-1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
FEET_FIRST = np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]])
ORIENTATIONS = {
    "axial": affine(AXIAL),
    "sagittal": affine(SAGITTAL),
    "coronal": affine(CORONAL),
    "feet first": affine(FEET_FIRST),
    "oblique": OBLIQUE,
    "in reversed order": OBLIQUE @ np.diag([1, 1, -1, 1]),
    "doubly oblique, square pixels": affine(rotation(-0.4, 0.9, 0.2) @ AXIAL, (1.3, 1.3, 3)),
    "anisotropic": ANISOTROPIC,
    "tilted gantry": SHEARED,
    "far away": affine(AXIAL, (0.97, 0.97, 3.27), (-250.4, 812.3, -1432.9)),
}


def pictures(shape=SHAPE):
    """Structures of all kinds: round, with hole and island, in parts, tiny, at the border, overlapping."""
    i, j, k = np.indices(shape)

    def ball(centre, radii):
        return sum(((x - c) / r) ** 2 for x, c, r in zip((i, j, k), centre, radii, strict=True)) <= 1

    found = {
        "liver": ball((20, 16, 6), (16, 12, 5)),
        "urinary bladder": ball((22, 18, 7), (14, 11, 5)) & ~ball((21, 17, 7), (8, 7, 4)),
        "left kidney": np.zeros(shape, dtype=bool),
        "spleen": np.zeros(shape, dtype=bool),
        "prostate": np.zeros(shape, dtype=bool),
    }
    found["urinary bladder"] |= ball((21, 16, 7), (3, 4, 3))
    found["left kidney"][3:9, 2:7, 1:4] = found["left kidney"][30:39, 20:33, 9:] = True
    found["left kidney"][10, 7, 2] = found["left kidney"][5, 4, 2] = True
    found["spleen"][:5, :, :3] = True
    found["prostate"][17, 30, 5] = True
    return found


@pytest.fixture
def scan(tmp_path):
    return made_scan(tmp_path / "scan", OBLIQUE)


def made_scan(folder, matrix, shape=SHAPE, **options):
    stored = np.arange(np.prod(shape), dtype=np.uint32).reshape(shape) % 3000
    write_series(folder, stored, matrix, **options)
    return read_dicom(folder)


def result(scan, masks=None):
    return segmentation(scan.volume.geometry.affine, pictures() if masks is None else masks)


def names(dataset):
    return [roi.ROIName for roi in dataset.StructureSetROISequence]


def contours(dataset, name):
    (number,) = [roi.ROINumber for roi in dataset.StructureSetROISequence if roi.ROIName == name]
    (item,) = [roi for roi in dataset.ROIContourSequence if roi.ReferencedROINumber == number]
    return item.get("ContourSequence", [])


def mask_by_even_odd(dataset, name, geometry):
    """What lies inside, pixel centre by pixel centre, in the plane that the points themselves lie in."""
    mask = np.zeros(geometry.spatial_shape, dtype=bool)
    centres = np.stack(np.indices(geometry.spatial_shape[:2]), axis=-1).reshape(-1, 2) + 1e-6
    for contour in contours(dataset, name):
        points_ras = np.array(contour.ContourData, dtype=float).reshape(-1, 3) * [-1, -1, 1]
        index = geometry.to_index(points_ras)
        k = round(float(index[0, 2]))
        assert np.abs(index[:, 2] - k).max() < 1e-3
        polygon = Polygon(np.append(index[:, :2], index[:1, :2], axis=0), closed=True)
        mask[:, :, k] ^= polygon.contains_points(centres).reshape(mask.shape[:2])
    return mask


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_contours_give_the_masks_back_exactly(tmp_path, orientation):
    scan = made_scan(tmp_path / "scan", ORIENTATIONS[orientation])
    warnings = write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm")
    dataset = pydicom.dcmread(tmp_path / "plan.dcm")
    assert names(dataset) == list(pictures())
    for name, mask in pictures().items():
        assert np.array_equal(mask_by_even_odd(dataset, name, scan.volume.geometry), mask), name
    said = [warning.code for warning in warnings]
    assert said == ([] if orientation in ("axial", "feet first", "far away") else ["not_axial"])


def test_each_contour_lies_on_the_image_that_it_names(tmp_path, scan):
    write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm")
    images = {d.SOPInstanceUID: d for d in map(pydicom.dcmread, (tmp_path / "scan").iterdir())}
    dataset = pydicom.dcmread(tmp_path / "plan.dcm")
    for name in names(dataset):
        for contour in contours(dataset, name):
            (reference,) = contour.ContourImageSequence
            image = images[reference.ReferencedSOPInstanceUID]
            assert reference.ReferencedSOPClassUID == image.SOPClassUID
            row, column = np.array(image.ImageOrientationPatient, dtype=float).reshape(2, 3)
            points = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
            height = (points - np.array(image.ImagePositionPatient, dtype=float)) @ np.cross(row, column)
            assert np.abs(height).max() < 1e-3
            assert contour.ContourGeometricType == "CLOSED_PLANAR"
            assert contour.NumberOfContourPoints == len(points) >= 3
    (frame,) = dataset.ReferencedFrameOfReferenceSequence
    (study,) = frame.RTReferencedStudySequence
    (series,) = study.RTReferencedSeriesSequence
    first = next(iter(images.values()))
    assert frame.FrameOfReferenceUID == dataset.FrameOfReferenceUID == first.FrameOfReferenceUID
    assert study.ReferencedSOPInstanceUID == dataset.StudyInstanceUID == first.StudyInstanceUID
    assert series.SeriesInstanceUID == first.SeriesInstanceUID != dataset.SeriesInstanceUID
    assert {image.ReferencedSOPInstanceUID for image in series.ContourImageSequence} == set(images)


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_dcmrtstruct2nii_reads_the_masks(tmp_path, monkeypatch):
    import SimpleITK as sitk  # noqa: N813

    monkeypatch.setattr(pydicom, "read_file", pydicom.dcmread, raising=False)
    adapters = import_module("dcmrtstruct2nii.adapters.input.contours.rtstructinputadapter")
    convert = import_module("dcmrtstruct2nii.adapters.convert.rtstructcontour2mask")
    scan = made_scan(tmp_path / "scan", affine(rotation(0.2, 0.1, -0.3) @ AXIAL, (0.9, 1.4, 2.5)))
    write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm")
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / "scan")))
    image = reader.Execute()
    for roi in adapters.RtStructInputAdapter().ingest(str(tmp_path / "plan.dcm")):
        read = convert.DcmPatientCoords2Mask().convert(roi["sequence"], image, 0, 1)
        mask = sitk.GetArrayFromImage(read).T.astype(bool)
        assert np.array_equal(mask, pictures()[roi["name"]]), roi["name"]


def test_rt_utils_reads_the_masks(tmp_path):
    """It rounds points to whole pixels, and needs square images of square pixels."""
    rt_utils = import_module("rt_utils")
    shape = (64, 64, 14)
    scan = made_scan(tmp_path / "scan", affine(AXIAL, (1.4, 1.4, 3)), shape)
    masks = pictures(shape)
    write_rtstruct(result(scan, masks), scan.source, tmp_path / "plan.dcm")
    read = rt_utils.RTStructBuilder.create_from(str(tmp_path / "scan"), str(tmp_path / "plan.dcm"))
    assert read.get_roi_names() == list(masks)
    for name, mask in masks.items():
        found = read.get_roi_mask_by_name(name).transpose(1, 0, 2)
        assert dice(found, mask) >= 0.99 or mask.sum() * scan.volume.geometry.voxel_volume_ml < 1, name


def test_regions_say_what_they_are(tmp_path, scan):
    masks = pictures()
    shown = {
        "left kidney": masks["left kidney"],
        "kidney tumor": masks["prostate"],
        "body": masks["liver"],
        "something else": masks["liver"],
    }
    write_rtstruct(result(scan, shown), scan.source, tmp_path / "plan.dcm", names={"left kidney": "Kidney_L"})
    dataset = pydicom.dcmread(tmp_path / "plan.dcm")
    kidney, tumor, body, other = dataset.RTROIObservationsSequence
    assert names(dataset) == ["Kidney_L", "kidney tumor", "body", "something else"]
    assert [roi.ROINumber for roi in dataset.StructureSetROISequence] == [1, 2, 3, 4]
    assert {roi.ROIGenerationAlgorithm for roi in dataset.StructureSetROISequence} == {"AUTOMATIC"}
    assert [o.RTROIInterpretedType for o in (kidney, tumor, body, other)] == ["ORGAN", "", "EXTERNAL", ""]
    (code,) = kidney.RTROIIdentificationCodeSequence
    assert (code.CodingSchemeDesignator, code.CodeValue, code.CodeMeaning) == ("SCT", "64033007", "Kidney")
    assert code.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Left"
    assert kidney.SegmentedPropertyCategoryCodeSequence[0].CodeMeaning == "Anatomical Structure"
    assert tumor.RTROIIdentificationCodeSequence[0].CodeMeaning == "Neoplasm"
    assert tumor.AnatomicRegionSequence[0].CodeMeaning == "Kidney"
    assert "RTROIIdentificationCodeSequence" not in other
    colors = [tuple(item.ROIDisplayColor) for item in dataset.ROIContourSequence]
    assert len(set(colors)) == 4


def test_descriptions_hold_structure_recipe_and_what_should_be_known(tmp_path, scan):
    masks = pictures()
    found = segmentation(
        scan.volume.geometry.affine,
        {
            "left kidney": masks["liver"],
            "right kidney": masks["left kidney"],
            "kidney tumor": masks["prostate"],
        },
    )
    spleen = StructureMask.measured("spleen", masks["spleen"], found.geometry, warnings=("Ends at µ.",))
    recipes = [
        "Kidneys = left kidney + right kidney",
        "Mixed = spleen + kidney tumor",
        "Ring = spleen - Kidneys",
    ]
    made = derive(replace(found, masks=(*found.masks, spleen)), [parse_definition(text) for text in recipes])
    write_rtstruct(
        replace(
            made, masks=tuple(made[name] for name in ("left kidney", "Kidneys", "Mixed", "Ring", "spleen"))
        ),
        scan.source,
        tmp_path / "plan.dcm",
        names={"left kidney": "Kidney_L"},
    )
    dataset = pydicom.dcmread(tmp_path / "plan.dcm")
    regions = dataset.StructureSetROISequence
    told = {roi.ROIName: roi.ROIDescription for roi in regions}
    assert told["Kidney_L"] == "left kidney."
    assert told["Kidneys"].startswith('Kidneys = "left kidney" + "right kidney".')
    assert told["Mixed"].startswith('Mixed = "spleen" + "kidney tumor". Reaches the border of the image')
    assert told["Ring"].startswith('Ring = "spleen" - "Kidneys".')
    assert told["spleen"] == "spleen. Reaches the border of the image: perhaps cut off. Note: Ends at ?."
    types = [item.RTROIInterpretedType for item in dataset.RTROIObservationsSequence]
    assert types == ["ORGAN", "ORGAN", "", "", "ORGAN"]
    makers = {roi.ROIGenerationDescription.partition(" #")[0] for roi in regions}
    assert makers == {f"TextSegment {__version__} sat-nano"}


def test_the_file_says_that_a_machine_made_it_and_nobody_approved(tmp_path, scan):
    write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm")
    dataset = pydicom.dcmread(tmp_path / "plan.dcm")
    assert dataset.ApprovalStatus == "UNAPPROVED"
    assert "machine-made" in dataset.SeriesDescription
    assert dataset.StructureSetLabel == dataset.Manufacturer == "TextSegment"
    assert "sat-nano" in dataset.StructureSetDescription
    assert dataset.PatientID == "SECRET-ID"
    assert dataset.PatientName == "Secret^Patient"
    assert dataset.Modality == "RTSTRUCT"


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 126", "Διονυσιος"),
        ("ISO_IR 192", "Buc^Jérôme"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
    ],
)
def test_names_of_patients_keep_their_script(tmp_path, character_set, name):
    def call(dataset, k):
        dataset.SpecificCharacterSet = character_set
        dataset.PatientName = name

    scan = made_scan(tmp_path / "scan", OBLIQUE, change=call)
    write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm")
    dataset = pydicom.dcmread(tmp_path / "plan.dcm")
    assert str(dataset.PatientName) == name
    assert np.array_equal(mask_by_even_odd(dataset, "liver", scan.volume.geometry), pictures()["liver"])


def test_structures_that_were_not_found_are_left_out_or_kept_empty(tmp_path, scan):
    masks = {"liver": pictures()["liver"], "spleen": np.zeros(SHAPE, dtype=bool)}
    _, warning = write_rtstruct(result(scan, masks), scan.source, tmp_path / "plan.dcm")
    assert "left out of the structure set: spleen" in warning
    assert names(pydicom.dcmread(tmp_path / "plan.dcm")) == ["liver"]
    _, warning = write_rtstruct(result(scan, masks), scan.source, tmp_path / "plan.dcm", keep_empty=True)
    assert "without contours" in warning
    dataset = pydicom.dcmread(tmp_path / "plan.dcm")
    assert names(dataset) == ["liver", "spleen"]
    assert contours(dataset, "spleen") == []
    del masks["liver"]
    with pytest.raises(OutputError, match="nothing to write"):
        write_rtstruct(result(scan, masks), scan.source, tmp_path / "other.dcm")
    assert not (tmp_path / "other.dcm").exists()


def test_appending_makes_a_new_instance_and_keeps_the_old_regions(tmp_path, scan):
    masks = pictures()
    before, after = tmp_path / "before.dcm", tmp_path / "after.dcm"
    write_rtstruct(result(scan, {"liver": masks["liver"]}), scan.source, before, names={"liver": "Liver"})
    old = pydicom.dcmread(before)
    old.ApprovalStatus, old.ReviewerName, old.ReviewDate = "APPROVED", "Doctor", "20260102"
    old.StructureSetLabel = "CLINICAL"
    old.StructureSetROISequence[0].ROINumber = old.ROIContourSequence[0].ReferencedROINumber = 7
    old.RTROIObservationsSequence[0].ReferencedROINumber = 7
    old.save_as(before)
    content = before.read_bytes()
    added = result(scan, {"liver": masks["spleen"], "spleen": masks["spleen"]})
    write_rtstruct(added, scan.source, after, append_to=before, names={"liver": "LIVER"})
    new = pydicom.dcmread(after)
    assert before.read_bytes() == content
    assert names(new) == ["Liver", "LIVER_2", "spleen"]
    assert [roi.ROINumber for roi in new.StructureSetROISequence] == [7, 8, 9]
    assert new.StructureSetROISequence[0] == old.StructureSetROISequence[0]
    assert new.ROIContourSequence[0] == old.ROIContourSequence[0]
    assert new.RTROIObservationsSequence[0] == old.RTROIObservationsSequence[0]
    assert len({item.ObservationNumber for item in new.RTROIObservationsSequence}) == 3
    assert new.SOPInstanceUID != old.SOPInstanceUID
    assert new.PredecessorStructureSetSequence[0].ReferencedSOPInstanceUID == old.SOPInstanceUID
    assert new.ApprovalStatus == "UNAPPROVED"
    assert "ReviewerName" not in new
    assert new.StructureSetLabel == "CLINICAL"
    assert new.StructureSetDescription.startswith("Extended by a machine")
    assert len(new.ReferencedFrameOfReferenceSequence) == 1
    assert np.array_equal(mask_by_even_odd(new, "spleen", scan.volume.geometry), masks["spleen"])


def test_what_was_said_of_the_old_instance_is_not_said_of_the_new_one(tmp_path, scan):
    write_rtstruct(result(scan), scan.source, tmp_path / "old.dcm")
    old = pydicom.dcmread(tmp_path / "old.dcm")
    old.SOPInstanceStatus, old.SOPAuthorizationDateTime = "AO", "20260102"
    old.DeviceSerialNumber, old.StationName = "77", "PLANNING"
    old.DigitalSignaturesSequence = [pydicom.Dataset()]
    old.save_as(tmp_path / "old.dcm")
    write_rtstruct(result(scan), scan.source, tmp_path / "new.dcm", append_to=tmp_path / "old.dcm")
    new = pydicom.dcmread(tmp_path / "new.dcm")
    for keyword in ("SOPInstanceStatus", "SOPAuthorizationDateTime", "DigitalSignaturesSequence"):
        assert keyword not in new
    for keyword in ("DeviceSerialNumber", "StationName"):
        assert keyword not in new


def test_numbers_of_regions_stay_within_what_dicom_can_hold(tmp_path, scan):
    write_rtstruct(result(scan), scan.source, tmp_path / "old.dcm")
    old = pydicom.dcmread(tmp_path / "old.dcm")
    old.StructureSetROISequence[0].ROINumber = old.ROIContourSequence[0].ReferencedROINumber = 2**31 - 1
    old.RTROIObservationsSequence[0].ReferencedROINumber = 2**31 - 1
    old.save_as(tmp_path / "old.dcm")
    write_rtstruct(result(scan), scan.source, tmp_path / "new.dcm", append_to=tmp_path / "old.dcm")
    numbers = [roi.ROINumber for roi in pydicom.dcmread(tmp_path / "new.dcm").StructureSetROISequence]
    assert numbers == [2**31 - 1, 2, 3, 4, 5, 1, 6, 7, 8, 9]


def test_names_that_had_to_change_are_said(tmp_path, scan):
    """rt5: names in other scripts became ROI; they become those of TG-263, or the model's."""
    masks = {name: pictures()[name] for name in ("liver", "spleen", "left kidney", "prostate")}
    new_names = {"liver": "肝臓", "spleen": "x" * 70, "left kidney": "Größe", "prostate": "Prostate"}
    _, said = write_rtstruct(result(scan, masks), scan.source, tmp_path / "plan.dcm", names=new_names)
    assert said == (f"Written under another name: 肝臓 as Liver, {'x' * 70} as X{'x' * 63}, Größe as Grosse.")
    assert names(pydicom.dcmread(tmp_path / "plan.dcm")) == ["Liver", "X" + "x" * 63, "Grosse", "Prostate"]
    options = {"names": new_names, "short_names": True}
    _, said = write_rtstruct(result(scan, masks), scan.source, tmp_path / "plan.dcm", **options)
    assert said == "Written under another name: 肝臓 as Liver, Größe as Grosse."
    own = {"左肺": pictures()["liver"], "левая почка": pictures()["prostate"]}
    own["left kidney"] = pictures()["spleen"]
    write_rtstruct(result(scan, own), scan.source, tmp_path / "own.dcm", names={"left kidney": "左腎"})
    assert names(pydicom.dcmread(tmp_path / "own.dcm")) == ["ROI", "ROI_2", "Kidney_L"]


def test_names_in_any_script_on_demand(tmp_path, scan):
    """rt5: Unicode is offered, also where a set is extended, whose names keep their letters."""
    masks = {name: pictures()[name] for name in ("liver", "spleen")}
    shown = Presentation(label="肝", series_description="Größe", unicode_names=True)
    path = tmp_path / "plan.dcm"
    wanted = {"liver": "左\\肺", "spleen": "Größe"}
    said = write_rtstruct(result(scan, masks), scan.source, path, names=wanted, presentation=shown)
    assert [warning.code for warning in said if isinstance(warning, Caution)] == ["not_axial"]
    dataset = pydicom.dcmread(path)
    assert names(dataset) == ["左 肺", "Größe"]
    assert (dataset.SpecificCharacterSet, dataset.StructureSetLabel) == ("ISO_IR 192", "肝")
    assert dataset.SeriesDescription == "Größe"
    assert dataset.PatientName == "Secret^Patient"
    write_rtstruct(result(scan, masks), scan.source, tmp_path / "new.dcm", append_to=path)
    assert names(pydicom.dcmread(tmp_path / "new.dcm")) == ["左 肺", "Größe", "liver", "spleen"]


def test_unicode_is_written_into_sets_and_scans_of_another_character_set(tmp_path):
    """rt5: what was there is spelled the same in the new set."""

    def greek(dataset, k):
        dataset.SpecificCharacterSet, dataset.PatientName = "ISO_IR 126", "Διονυσιος"

    scan, shown = made_scan(tmp_path / "scan", OBLIQUE, change=greek), Presentation(unicode_names=True)
    masks = {"liver": pictures()["liver"]}
    write_rtstruct(result(scan, masks), scan.source, tmp_path / "old.dcm", names={"liver": "Liver"})
    options = {"names": {"liver": "左肺"}, "presentation": shown, "append_to": tmp_path / "old.dcm"}
    write_rtstruct(result(scan, masks), scan.source, tmp_path / "new.dcm", **options)
    new = pydicom.dcmread(tmp_path / "new.dcm")
    assert (str(new.PatientName), names(new)) == ("Διονυσιος", ["Liver", "左肺"])
    assert np.array_equal(mask_by_even_odd(new, "左肺", scan.volume.geometry), masks["liver"])


def test_series_have_numbers_labels_and_descriptions_of_their_own(tmp_path, scan):
    """rt5: structure set, segmentation and images were all series 1 with one description."""
    write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm")
    write_dicom_seg(result(scan), scan.source, tmp_path / "out.seg.dcm")
    image = pydicom.dcmread(next((tmp_path / "scan").iterdir()))
    found = [image, *(pydicom.dcmread(tmp_path / name) for name in ("plan.dcm", "out.seg.dcm"))]
    assert [int(dataset.SeriesNumber) for dataset in found] == [3, 1003, 2003]
    assert len({str(dataset.SeriesDescription) for dataset in found}) == 3
    shown = Presentation(label="Boost (2)", series_description="Week 3")
    write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm", presentation=shown)
    write_dicom_seg(result(scan), scan.source, tmp_path / "out.seg.dcm", presentation=shown)
    plan, masks = (pydicom.dcmread(tmp_path / name) for name in ("plan.dcm", "out.seg.dcm"))
    assert (plan.StructureSetLabel, plan.SeriesDescription) == ("Boost (2)", "Week 3")
    assert (masks.ContentLabel, masks.ContentDescription) == ("BOOST _2", "Boost (2)")
    assert masks.SeriesDescription == "Week 3"


@pytest.mark.parametrize("number", [None, "", "-5", "2147483647", "12"])
def test_any_number_of_the_scan_gives_a_number(tmp_path, number):
    """rt5."""

    def change(dataset, k):
        dataset.SeriesNumber = number

    scan = made_scan(tmp_path / "scan", OBLIQUE, change=change)
    write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm")
    assert pydicom.dcmread(tmp_path / "plan.dcm").SeriesNumber == (1012 if number == "12" else 1000)


@pytest.mark.parametrize(
    "options",
    [
        {"label": "x" * 17},
        {"label": " "},
        {"label": "a\\b"},
        {"label": "Größe"},
        {"series_description": "x" * 65},
        {"series_description": "a\nb"},
        {"series_description": "肝"},
    ],
)
def test_labels_that_dicom_cannot_hold_are_refused(options):
    """rt5."""
    with pytest.raises(SettingsError):
        Presentation(**options)


def test_contours_stay_within_the_outer_edges_of_the_image(tmp_path, scan):
    write_rtstruct(result(scan, {"liver": np.ones(SHAPE, dtype=bool)}), scan.source, tmp_path / "plan.dcm")
    for contour in contours(pydicom.dcmread(tmp_path / "plan.dcm"), "liver"):
        points_ras = np.array(contour.ContourData, dtype=float).reshape(-1, 3) * [-1, -1, 1]
        index = scan.volume.geometry.to_index(points_ras)[:, :2]
        assert index.min() > -0.5
        assert (index < np.array(SHAPE[:2]) - 0.5).all()


def test_appending_over_the_file_itself(tmp_path, scan):
    path = tmp_path / "plan.dcm"
    write_rtstruct(result(scan), scan.source, path)
    write_rtstruct(result(scan), scan.source, path, append_to=path)
    assert len(names(pydicom.dcmread(path))) == 2 * len(pictures())


def test_only_a_structure_set_of_this_patient_and_place_can_be_extended(tmp_path, scan):
    other = made_scan(tmp_path / "other", OBLIQUE)
    write_rtstruct(result(other), other.source, tmp_path / "other.dcm")
    with pytest.raises(InputError, match="frame of reference"):
        write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm", append_to=tmp_path / "other.dcm")
    write_rtstruct(result(scan), scan.source, tmp_path / "same.dcm")
    dataset = pydicom.dcmread(tmp_path / "same.dcm")
    dataset.PatientID = "ANOTHER"
    dataset.save_as(tmp_path / "same.dcm")
    with pytest.raises(InputError, match="another patient") as caught:
        write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm", append_to=tmp_path / "same.dcm")
    assert "ANOTHER" not in str(caught.value)
    with pytest.raises(InputNotFoundError):
        write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm", append_to=tmp_path / "none.dcm")
    for path in (next((tmp_path / "scan").iterdir()), __file__):
        with pytest.raises(InputUnreadableError):
            write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm", append_to=path)
    whole = (tmp_path / "same.dcm").read_bytes()
    (tmp_path / "same.dcm").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError):
        write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm", append_to=tmp_path / "same.dcm")
    assert not (tmp_path / "plan.dcm").exists()


def test_contours_of_a_series_with_gaps_lie_on_its_own_images(tmp_path):
    folder = tmp_path / "scan"
    for path in write_series(folder, np.arange(np.prod(SHAPE)).reshape(SHAPE) % 999, OBLIQUE)[5:7]:
        path.unlink()
    scan = read_dicom(folder)
    masks = pictures()
    _, between, gaps = write_rtstruct(result(scan, masks), scan.source, tmp_path / "plan.dcm")
    assert "Between the images of the series only, so left out of the structure set: prostate" in between
    assert "own images only" in gaps
    found = mask_by_even_odd(pydicom.dcmread(tmp_path / "plan.dcm"), "liver", scan.volume.geometry)
    assert not found[:, :, 5:7].any()
    assert np.array_equal(np.delete(found, (5, 6), axis=2), np.delete(masks["liver"], (5, 6), axis=2))


def test_contours_on_unevenly_spaced_images_lie_in_their_planes(tmp_path):
    places = np.array([0, 1, 2.3, 3.2, 4.45, 5.45, 6.45, 7.45])

    def move(dataset, k):
        position = OBLIQUE @ [0, 0, places[k], 1]
        dataset.ImagePositionPatient = [f"{v:.6f}" for v in position[:3] * [-1, -1, 1]]

    scan = made_scan(tmp_path / "scan", OBLIQUE, (44, 36, 8), change=move)
    shape = scan.volume.geometry.spatial_shape
    i, j, _ = np.indices(shape)
    column = np.hypot((i - 20) * 0.7, (j - 18) * 1.1) < 10
    write_rtstruct(result(scan, {"aorta": column}), scan.source, tmp_path / "plan.dcm")
    found = contours(pydicom.dcmread(tmp_path / "plan.dcm"), "aorta")
    grid = segmentation(OBLIQUE, {"aorta": np.zeros((44, 36, 8), dtype=bool)}).geometry
    at = [grid.to_index(np.reshape(c.ContourData, (-1, 3)).astype(float) * [-1, -1, 1])[:, 2] for c in found]
    assert np.allclose([a.mean() for a in at], places, atol=1e-3)
    assert max(np.ptp(a) for a in at) < 1e-3
    assert len({c.ContourImageSequence[0].ReferencedSOPInstanceUID for c in found}) == 8


def test_contours_on_an_enhanced_object_name_its_frames(tmp_path):
    order = [13, 3, 1, 0, 2, 4, *range(5, 13)]
    stored = np.arange(np.prod(SHAPE)).reshape(SHAPE) % 999
    write_enhanced(tmp_path / "enhanced.dcm", stored, OBLIQUE, order=order)
    scan = read_dicom(tmp_path / "enhanced.dcm")
    write_rtstruct(result(scan), scan.source, tmp_path / "plan.dcm")
    dataset = pydicom.dcmread(tmp_path / "plan.dcm")
    for contour in contours(dataset, "liver"):
        points_ras = np.array(contour.ContourData, dtype=float).reshape(-1, 3) * [-1, -1, 1]
        k = round(float(scan.volume.geometry.to_index(points_ras)[0, 2]))
        assert order[contour.ContourImageSequence[0].ReferencedFrameNumber - 1] == k
    frame = dataset.ReferencedFrameOfReferenceSequence[0]
    (image,) = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0].ContourImageSequence
    assert "ReferencedFrameNumber" not in image


def test_outlines_of_a_very_rough_structure_are_not_cut_short(tmp_path):
    """More points than the 65534 bytes that an explicit representation has room for."""
    scan = made_scan(tmp_path / "scan", affine(AXIAL), (150, 150, 2))
    rough = np.random.default_rng(0).random((150, 150, 2)) > 0.3
    write_rtstruct(result(scan, {"lung": rough}), scan.source, tmp_path / "plan.dcm")
    dataset = pydicom.dcmread(tmp_path / "plan.dcm")
    assert max(contour.NumberOfContourPoints for contour in contours(dataset, "lung")) > 65534 / 3 / 8
    assert np.array_equal(mask_by_even_odd(dataset, "lung", scan.volume.geometry), rough)


def test_another_grid_and_lost_identifiers_are_refused(tmp_path, scan):
    moved = scan.volume.geometry.affine.copy()
    moved[0, 3] += 1
    with pytest.raises(GeometryError, match="another grid"):
        write_rtstruct(segmentation(moved, pictures()), scan.source, tmp_path / "plan.dcm")
    uid = generate_uid()
    careless = made_scan(tmp_path / "b", OBLIQUE, change=lambda d, k: setattr(d, "SOPInstanceUID", uid))
    with pytest.raises(OutputError, match="No DICOM object can refer"):
        write_rtstruct(result(careless), careless.source, tmp_path / "plan.dcm")
    with pytest.raises(OutputError, match="folder"):
        write_rtstruct(result(scan), scan.source, tmp_path / "none" / "plan.dcm")
    assert not (tmp_path / "plan.dcm").exists()
