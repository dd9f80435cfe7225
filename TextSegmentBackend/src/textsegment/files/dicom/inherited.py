"""Attributes that a derived object inherits from the images of a scan, with the standard's conditions.

The table covers the patient, study, clinical trial and SOP common modules (PS3.3 C.7.1.1, C.7.1.3, C.7.2.1,
C.7.2.2, C.7.2.3, C.12.1), except for personal details that the standard does not require, such as comments,
history and addresses. Existing attributes are copied; attributes that must be present, possibly empty, are
added where their condition is met.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from pydicom.dataset import Dataset

_HUMAN = {"337915000", "L-85B00"}


def _always(dataset: Dataset) -> bool:
    return True


def _never(dataset: Dataset) -> bool:
    return False


def _is_animal(dataset: Dataset) -> bool:
    """Whether the patient is an animal."""
    codes = {str(item.get("CodeValue")) for item in dataset.get("PatientSpeciesCodeSequence") or ()}
    described = str(dataset.get("PatientSpeciesDescription") or "").strip().lower()
    return bool(codes - _HUMAN) or (not codes and described not in ("", "human", "homo sapiens"))


def _has(*keywords: str) -> Callable[[Dataset], bool]:
    return lambda dataset: any(dataset.get(keyword) not in (None, "") for keyword in keywords)


_is_in_trial = _has("ClinicalTrialSponsorName", "ClinicalTrialProtocolID")
_has_time_point = _has(
    "ClinicalTrialTimePointID", "ClinicalTrialTimePointDescription", "ConsentForClinicalTrialUseSequence"
)


@dataclass(frozen=True)
class Inherited:
    """One inherited attribute.

    Attributes:
        keyword: Keyword in pydicom's dictionary.
        is_due: Predicate that tells whether the attribute must be present, possibly empty (types 2 and 2C).
    """

    keyword: str
    is_due: Callable[[Dataset], bool] = _never


def _optional(*keywords: str) -> list[Inherited]:
    """Return rows of types 3 and 1C, which are copied if present, since values cannot be made up."""
    return [Inherited(keyword) for keyword in keywords]


def _due(condition: Callable[[Dataset], bool], *keywords: str) -> list[Inherited]:
    return [Inherited(keyword, condition) for keyword in keywords]


TABLE: tuple[Inherited, ...] = (
    # General
    *_optional("SpecificCharacterSet", "TimezoneOffsetFromUTC", "LongitudinalTemporalInformationModified"),
    # Patient
    *_due(_always, "PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *_optional("IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence", "TypeOfPatientID"),
    *_optional("PatientBirthTime", "QualityControlSubject"),
    # Animals
    *_optional("PatientSpeciesDescription", "PatientSpeciesCodeSequence", "ResponsiblePersonRole"),
    *_due(_is_animal, "PatientBreedDescription", "PatientBreedCodeSequence", "BreedRegistrationSequence"),
    *_due(_is_animal, "ResponsiblePerson", "ResponsibleOrganization", "PatientSexNeutered"),
    *_optional("StrainDescription", "StrainNomenclature", "StrainCodeSequence"),
    # De-identification
    *_optional("PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence"),
    # Subject and study of a clinical trial
    *_optional("ClinicalTrialSponsorName", "ClinicalTrialProtocolID"),
    *_due(_is_in_trial, "ClinicalTrialProtocolName", "ClinicalTrialSiteID", "ClinicalTrialSiteName"),
    *_optional("ClinicalTrialSubjectID", "ClinicalTrialSubjectReadingID"),
    *_optional(
        "ClinicalTrialProtocolEthicsCommitteeName", "ClinicalTrialProtocolEthicsCommitteeApprovalNumber"
    ),
    *_due(_has_time_point, "ClinicalTrialTimePointID"),
    *_optional(
        "ClinicalTrialTimePointDescription", "LongitudinalTemporalOffsetFromEvent",
        "LongitudinalTemporalEventType", "ConsentForClinicalTrialUseSequence",
    ),
    # Study
    *_optional("StudyInstanceUID", "StudyDescription", "IssuerOfAccessionNumberSequence"),
    *_due(_always, "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
    *_optional("PatientAge", "PatientSize", "PatientWeight"),
)  # fmt: skip

KEYWORDS = tuple(row.keyword for row in TABLE)
LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
"""Attributes by which a derived image states the lossy compression of its sources."""


def inherited_from(header: Dataset) -> Dataset:
    """Return the attributes that an object of the same patient and study copies from an image header."""
    copy = Dataset()
    for row in TABLE:
        if row.keyword in header:
            copy[row.keyword] = header[row.keyword]
    add_due(copy)
    return copy


def add_due(dataset: Dataset) -> None:
    """Add the attributes that an object of this patient and study must have, with empty values."""
    for row in TABLE:
        if row.keyword not in dataset and row.is_due(dataset):
            setattr(dataset, row.keyword, [] if row.keyword.endswith("Sequence") else "")


def now_for(dataset: Dataset) -> datetime:
    """Return the current time in the time zone of a data set, or in the local one if it states none."""
    offset = str(dataset.get("TimezoneOffsetFromUTC") or "").strip()
    try:
        sign, hours, minutes = offset[0], int(offset[1:3]), int(offset[3:5])
        zone = timezone((-1 if sign == "-" else 1) * timedelta(hours=hours, minutes=minutes))
    except (ValueError, IndexError):
        return datetime.now()
    return datetime.now(zone)
