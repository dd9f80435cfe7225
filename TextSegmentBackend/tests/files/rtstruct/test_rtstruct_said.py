"""What a structure set says of itself and of its regions: names, descriptions, numbers, labels."""

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from made_scans import OBLIQUE, segmentation
from pictured_sets import SHAPE, contours, made_scan, mask_by_even_odd, names, pictures, result

from textsegment import __version__
from textsegment.caution import Caution
from textsegment.derive.expression import parse_definition
from textsegment.derive.structures import derive
from textsegment.errors import (
    OutputError,
    SettingsError,
)
from textsegment.files.dicom.presentation import Presentation
from textsegment.files.dicom_seg.writer import write_dicom_seg
from textsegment.files.rtstruct.writer import write_rtstruct
from textsegment.segmentation import StructureMask


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
