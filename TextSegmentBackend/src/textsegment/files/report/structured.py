"""Report as a DICOM Basic Text SR, which archives and viewers show beside the images (PS3.3 A.35.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import BasicTextSRStorage, ExplicitVRLittleEndian, generate_uid

from textsegment import __version__
from textsegment.ascii_text import in_ascii
from textsegment.files.dicom.header import quiet_pydicom
from textsegment.files.dicom.inherited import now_for
from textsegment.files.dicom.presentation import series_number
from textsegment.files.dicom.source import SourceSeries
from textsegment.files.dicom.values import is_declared
from textsegment.files.disk.atomic import atomic_output
from textsegment.files.report.summary import verdict_of

_PROGRAM = "TextSegment"
# Concepts of DICOM's own terminology (PS3.16).
_TITLE = ("18748-4", "LN", "Diagnostic Imaging Report")
_FINDING = ("121071", "DCM", "Finding")
_SUMMARY = ("121111", "DCM", "Summary")
_WARNING = ("121106", "DCM", "Comment")
_PROCEDURE = ("121065", "DCM", "Procedure Description")


def write_structured_report(report: Mapping[str, Any], source: SourceSeries, path: Path | str) -> None:
    """Write a report as a Basic Text SR of the study of the scan: machine-made, partial, unverified.

    Args:
        report: Output of ``make_report``.
        source: Scan, from ``read_dicom``.
        path: File to write, ending in ``.dcm``.

    Raises:
        OutputError: The scan lacks identifiers, or the file cannot be written.
        DiskFullError: The disk is full.
    """
    source.require_referable()
    with quiet_pydicom():
        dataset = source.patient_and_study()
        is_unicode = is_declared(dataset)
        if is_unicode:
            dataset.SpecificCharacterSet = "ISO_IR 192"
        _describe(dataset, source)
        _add_document(dataset, report, source, is_unicode)
        with atomic_output(path) as temporary:
            dataset.save_as(temporary, enforce_file_format=True)


def _describe(dataset: Dataset, source: SourceSeries) -> None:
    """Set the attributes of instance, series and equipment."""
    now = now_for(dataset)
    date, time = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    dataset.SOPClassUID = BasicTextSRStorage
    dataset.SOPInstanceUID = generate_uid(prefix=None)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.InstanceCreationDate = dataset.ContentDate = dataset.SeriesDate = date
    dataset.InstanceCreationTime = dataset.ContentTime = dataset.SeriesTime = time
    dataset.Modality = "SR"
    dataset.SeriesInstanceUID = generate_uid(prefix=None)
    dataset.SeriesNumber, dataset.InstanceNumber = series_number(source, "SR"), 1
    dataset.SeriesDescription = f"{_PROGRAM} report: machine-made, unapproved"
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.Manufacturer = dataset.ManufacturerModelName = _PROGRAM
    dataset.SoftwareVersions = __version__


def _add_document(
    dataset: Dataset, report: Mapping[str, Any], source: SourceSeries, is_unicode: bool
) -> None:
    dataset.CompletionFlag = "PARTIAL"
    dataset.VerificationFlag = "UNVERIFIED"
    dataset.PerformedProcedureCodeSequence = []
    dataset.CurrentRequestedProcedureEvidenceSequence = [_evidence(source)]
    dataset.ValueType = "CONTAINER"
    dataset.ConceptNameCodeSequence = [_code(_TITLE)]
    dataset.ContinuityOfContent = "SEPARATE"
    image = source.planes[len(source.planes) // 2]
    dataset.ContentSequence = [
        *(
            _text(concept, sentence if is_unicode else in_ascii(sentence, {}))
            for concept, sentence in _sentences(report)
        ),
        _image(image.sop_class_uid, image.sop_instance_uid),
    ]


def _sentences(report: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str, str], str]]:
    """Yield the texts of the report, each with its concept."""
    yield _SUMMARY, f"Unapproved. Made by a machine: check every structure before use. {report['disclaimer']}"
    made = [f"{_PROGRAM} {__version__}", str(report.get("model") or "")]
    if digest := report.get("weights_sha256"):
        made.append(f"weights {str(digest)[:16]}")
    yield _PROCEDURE, "Segmentation by " + ", ".join(filter(None, made)) + "."
    for entry in report["structures"]:
        yield _FINDING, _finding(entry)
    for reason, names in report["missing"].items():
        yield _WARNING, f"{reason}: {', '.join(names)}."
    own = [warning for entry in report["structures"] for warning in entry["warnings"]]
    for sentence in dict.fromkeys((*report["warnings"], *own, *report["notes"])):
        yield _WARNING, str(sentence)


def _finding(entry: Mapping[str, Any]) -> str:
    name = entry["output"]
    if not entry["voxels"]:
        return f"{name}: not found."
    parts = [f"{entry['volume_ml']:.1f} ml"]
    if entry["mean_confidence"] is not None:
        parts.append(f"confidence {entry['mean_confidence']:.2f}")
    if entry["state"] != "found":
        parts.append(str(entry["state"]))
    doubt = f" {entry['doubt']['text']}" if verdict_of(entry) else ""
    return f"{name}: {', '.join(parts)}.{doubt}"


def _evidence(source: SourceSeries) -> Dataset:
    """Return the reference to the images that were segmented."""
    series = Dataset()
    series.SeriesInstanceUID = source.series_instance_uid
    series.ReferencedSOPSequence = [
        _reference(str(header.SOPClassUID), str(header.SOPInstanceUID)) for header in source.datasets
    ]
    study = Dataset()
    study.StudyInstanceUID = source.study_instance_uid
    study.ReferencedSeriesSequence = [series]
    return study


def _reference(sop_class: str, instance: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
    return item


def _image(sop_class: str, instance: str) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "IMAGE"
    item.ReferencedSOPSequence = [_reference(sop_class, instance)]
    return item


def _text(concept: tuple[str, str, str], sentence: str) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "TEXT"
    item.ConceptNameCodeSequence = [_code(concept)]
    item.TextValue = sentence
    return item


def _code(concept: tuple[str, str, str]) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = concept
    return item
