"""What objects repeat from the images, with the conditions of the standard, judged by two validators."""

from datetime import datetime, timedelta, timezone

import numpy as np
import pydicom
import pytest
from iod_check import standard_errors
from made_dicom import write_series
from made_scans import OBLIQUE, segmentation
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.tag import Tag
from pydicom.uid import JPEGBaseline8Bit

from textsegment.files.dicom.header import read_headers
from textsegment.files.dicom.inherited import TABLE
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.dicom_seg.writer import write_dicom_seg
from textsegment.files.rtstruct.reader import read_rtstruct
from textsegment.files.rtstruct.writer import write_rtstruct

SHAPE = (12, 10, 4)
WRITERS = {"plan.rtstruct.dcm": write_rtstruct, "plan.seg.dcm": write_dicom_seg}


def item(**values):
    dataset = pydicom.Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def code(value, scheme, meaning):
    return [item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)]


DEIDENTIFIED = code("113100", "DCM", "Basic Application Confidentiality Profile")
MOUSE = code("447612001", "SCT", "Mus musculus")
TRIAL = {
    "ClinicalTrialSponsorName": "Sponsor",
    "ClinicalTrialProtocolID": "P-7",
    "ClinicalTrialProtocolName": "",
    "ClinicalTrialSiteID": "12",
    "ClinicalTrialSiteName": "",
    "ClinicalTrialSubjectID": "S-9",
}
SOURCES = {
    "plain": {},
    "de-identified, by codes": {
        "PatientIdentityRemoved": "YES", "DeidentificationMethodCodeSequence": DEIDENTIFIED,
        "LongitudinalTemporalInformationModified": "REMOVED",
    },
    "de-identified, in words": {"PatientIdentityRemoved": "YES", "DeidentificationMethod": "by hand"},
    "de-identified, both": {
        "PatientIdentityRemoved": "YES", "DeidentificationMethod": "by hand",
        "DeidentificationMethodCodeSequence": DEIDENTIFIED,
    },
    "trial": TRIAL,
    "trial, without what may be empty": {
        key: TRIAL[key]
        for key in ("ClinicalTrialSponsorName", "ClinicalTrialProtocolID", "ClinicalTrialSubjectID")
    },
    "trial, read by number, ethics committee, time point": TRIAL | {
        "ClinicalTrialSubjectReadingID": "R-1", "ClinicalTrialTimePointID": "T1",
        "ClinicalTrialTimePointDescription": "after four weeks",
        "ClinicalTrialProtocolEthicsCommitteeName": "Board",
        "ClinicalTrialProtocolEthicsCommitteeApprovalNumber": "17",
        "LongitudinalTemporalOffsetFromEvent": 28.0, "LongitudinalTemporalEventType": "ENROLLMENT",
    },
    "mouse, by code": {"PatientSpeciesCodeSequence": MOUSE},
    "mouse, in words": {
        "PatientSpeciesDescription": "Mouse", "PatientSexNeutered": "UNALTERED", "StrainDescription": "X",
        "ResponsiblePerson": "Keeper", "ResponsiblePersonRole": "OWNER", "PatientBreedDescription": "none",
    },
    "human": {"PatientSpeciesCodeSequence": code("337915000", "SCT", "homo sapiens")},
    "time zone": {"TimezoneOffsetFromUTC": "+0530", "StudyDate": "20260102", "StudyTime": "101112"},
    "issuers": {
        "IssuerOfPatientID": "HOSPITAL", "TypeOfPatientID": "TEXT", "AccessionNumber": "A1",
        "IssuerOfAccessionNumberSequence": [item(LocalNamespaceEntityID="HOSPITAL")],
        "IssuerOfPatientIDQualifiersSequence": [item(UniversalEntityID="1.2.3", UniversalEntityIDType="ISO")],
    },
    "lossy": {
        "LossyImageCompression": "01", "LossyImageCompressionRatio": "10",
        "LossyImageCompressionMethod": "ISO_10918_1",
    },
    "lossy twice": {
        "LossyImageCompression": "01", "LossyImageCompressionRatio": ["10", "4.5"],
        "LossyImageCompressionMethod": ["ISO_10918_1", "ISO_15444_1"],
    },
    "patient study": {"PatientAge": "041Y", "PatientSize": "1.81", "PatientWeight": "77.5"},
}  # fmt: skip


# A role is wanted of a person that has a name; dicom-validator takes an empty name for one.
EMPTY_PERSON = "patient: (0010,2298) TagMissing"


def made_scan(folder, values=None, change=None):
    def both(dataset, k):
        for keyword, value in (values or {}).items():
            setattr(dataset, keyword, value)
        if change is not None:
            change(dataset)

    write_series(folder, np.arange(np.prod(SHAPE)).reshape(SHAPE), OBLIQUE, change=both)
    return read_dicom(folder)


def block():
    mask = np.zeros(SHAPE, dtype=bool)
    mask[3:9, 2:8, 1:3] = True
    return mask


def written(scan, path, **options):
    masks = segmentation(scan.volume.geometry.affine, {"liver": block()})
    WRITERS[path.name](masks, scan.source, path, **options)
    return pydicom.dcmread(path)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("source", SOURCES)
def test_what_the_images_say_is_repeated_and_follows_the_standard(tmp_path, source, name):
    """rt4: a list made by hand forgot conditional attributes."""
    scan = made_scan(tmp_path / "scan", SOURCES[source])
    dataset = written(scan, tmp_path / name)
    first = pydicom.dcmread(next((tmp_path / "scan").iterdir()))
    for keyword in SOURCES[source]:
        if "Lossy" in keyword and name == "plan.rtstruct.dcm":
            assert keyword not in dataset
        else:
            assert dataset[keyword].value == first[keyword].value, keyword
    assert [error for error in standard_errors(tmp_path / name) if not error.startswith(EMPTY_PERSON)] == []


@pytest.mark.parametrize("name", WRITERS)
def test_what_images_of_persons_say_beyond_that_is_not_repeated(tmp_path, name):
    said = {"PatientComments": "private", "PatientAddress": "Street 1", "AdditionalPatientHistory": "smoker"}
    dataset = written(made_scan(tmp_path / "scan", said), tmp_path / name)
    assert not any(keyword in dataset for keyword in said)
    assert len({row.keyword for row in TABLE}) == len(TABLE)


def test_lossless_images_make_lossless_masks_and_lossy_encodings_are_seen(tmp_path):
    """rt4: 00 was written for lossy sources."""
    scan = made_scan(tmp_path / "scan")
    assert written(scan, tmp_path / "plan.seg.dcm").LossyImageCompression == "00"

    def change(dataset):
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit = 7
        dataset.PixelData = bytes(SHAPE[0] * SHAPE[1])

    made_scan(tmp_path / "eight", change=change)
    for path in (tmp_path / "eight").iterdir():
        # Only the name of the encoding matters here: the voxels are not looked at.
        dataset = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        dataset.PixelData = pydicom.encaps.encapsulate([bytes(20)])
        dataset["PixelData"].is_undefined_length = True
        dataset.save_as(path)
    header = read_headers([path]).images[0].dataset
    assert (header.LossyImageCompression, header.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
    assert float(header.LossyImageCompressionRatio) >= 1


@pytest.mark.parametrize("name", WRITERS)
def test_all_times_are_in_the_time_zone_of_the_images(tmp_path, name):
    """rt4: the zone of the study holds for the times of this object too."""
    scan = made_scan(tmp_path / "scan", {"TimezoneOffsetFromUTC": "-0930"})
    dataset = written(scan, tmp_path / name)
    zone = timezone(-timedelta(hours=9, minutes=30))
    for what in ("InstanceCreation", "Series", "StructureSet", "Content"):
        if f"{what}Date" in dataset:
            text = str(dataset[f"{what}Date"].value) + str(dataset[f"{what}Time"].value)[:6]
            made = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=zone)
            assert abs((datetime.now(zone) - made).total_seconds()) < 120, what


def put(dataset, keyword, vr, raw):
    raw += b" " * (len(raw) % 2)
    tag = Tag(keyword)
    dataset[tag] = RawDataElement(tag, vr, len(raw), raw, 0, False, True)


TEXTS = {
    "GBK, not declared": (None, "王^小东".encode("gbk"), "北京医院".encode("gbk")),
    "Latin-1 as Unicode": ("ISO_IR 192", "Müller^Jörg".encode("latin-1"), "Schädel".encode("latin-1")),
    "Unicode, not declared": (None, "Müller^Jörg".encode(), "Schädel".encode()),
    "Unicode as Latin-1": ("ISO_IR 100", "Müller^Jörg".encode(), "Schädel".encode()),
    "Cyrillic as ASCII": ("ISO_IR 6", "Иванов".encode("cp1251"), "Голова".encode("cp1251")),
    "Japanese": (["", "ISO 2022 IR 87"], b"Yamada^Tarou=\\x1b$B;3ED\\x1b(B^\\x1b$BB@O:\\x1b(B", b"plain"),
    "half of a character": ("ISO_IR 192", b"A\\xe7\\x8e^B", b"\\xe7\\x8e"),
}


def text_series(folder, charset, name, description):
    paths = write_series(folder, np.arange(np.prod(SHAPE)).reshape(SHAPE), OBLIQUE)
    for path in paths:
        dataset = pydicom.dcmread(path)
        if charset is not None:
            dataset.SpecificCharacterSet = charset
        dataset = pydicom.dcmread(path)
        if charset is not None:
            value = "\\\\".join([charset] if isinstance(charset, str) else charset).encode()
            put(dataset, "SpecificCharacterSet", "CS", value)
        put(dataset, "PatientName", "PN", name)
        put(dataset, "StudyDescription", "LO", description)
        # The raw elements are written as they are.
        dataset.set_original_encoding(False, True, dataset._character_set)
        pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return read_dicom(folder)


def raw(path, keyword):
    return pydicom.dcmread(path).get_item(Tag(keyword)).value.rstrip(b" \\0")


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("case", TEXTS)
def test_texts_in_another_character_set_than_declared_stay_as_they_are(tmp_path, case, name):
    """rt4: undeclared GBK and Latin-1 under ISO_IR 192 became garbage."""
    charset, patient, description = TEXTS[case]
    scan = text_series(tmp_path / "scan", charset, patient, description)
    source = next((tmp_path / "scan").iterdir())
    assert raw(source, "PatientName") == patient
    masks = segmentation(scan.volume.geometry.affine, {"liver": block()})
    WRITERS[name](masks, scan.source, tmp_path / name, names={"liver": "Größe"})
    dataset = pydicom.dcmread(tmp_path / name)
    if case == "Japanese" or (case == "Unicode as Latin-1" and name == "plan.seg.dcm"):
        # As declared: the same characters, whatever set they are written in.
        assert dataset.PatientName == pydicom.dcmread(source).PatientName
    else:
        assert raw(tmp_path / name, "PatientName") == patient
        assert raw(tmp_path / name, "StudyDescription") == description
        assert dataset.get("SpecificCharacterSet") == pydicom.dcmread(source).get("SpecificCharacterSet")
    if name == "plan.rtstruct.dcm":
        assert np.array_equal(next(iter(read_rtstruct(tmp_path / name, scan.source))).full(SHAPE), block())


def test_texts_of_an_extended_set_stay_as_they_are(tmp_path):
    """rt4: names of others were written anew, with marks in the place of letters."""
    scan = made_scan(tmp_path / "scan")
    path = tmp_path / "plan.rtstruct.dcm"
    dataset = written(scan, path)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    value = "Größe ".encode("latin-1")
    roi = dataset.StructureSetROISequence[0]
    roi[Tag("ROIName")] = DataElement(Tag("ROIName"), "LO", value, already_converted=True)
    dataset.save_as(path)
    assert value in path.read_bytes()
    masks = segmentation(scan.volume.geometry.affine, {"spleen": block()})
    write_rtstruct(masks, scan.source, tmp_path / "new.dcm", append_to=path)
    assert value in (tmp_path / "new.dcm").read_bytes()
    read = read_rtstruct(tmp_path / "new.dcm", scan.source)
    assert [mask.structure for mask in read] == ["Größe", "spleen"]
