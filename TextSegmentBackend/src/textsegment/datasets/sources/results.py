"""Results of this program or of 3D Slicer: in each folder one scan and its segmentation.

case_1/ct.nii.gz    case_1/result.seg.nrrd
case_2/dicom/       case_2/plan.rtstruct.dcm
case_3/mr.nii.gz    case_3/labels.nii.gz with case_3/labels.labels.json
case_4/scan.nrrd    case_4/segment_1.seg.nrrd …    case_4/case.json, as collected in 3D Slicer

Cases of one patient are known by the number of the patient in DICOM segmentations, or by ``case.json``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydicom.errors import InvalidDicomError
from pydicom.uid import RTStructureSetStorage, SegmentationStorage

from textsegment.datasets.source import Labels, Source, SourceCase
from textsegment.datasets.sources.stored_labels import LabelMap, Segments
from textsegment.errors import InputError, ModalityError, TextSegmentError
from textsegment.files.dicom.header import quiet_pydicom, read_dataset
from textsegment.files.dicom.values import DAMAGE
from textsegment.files.images.labelmap import LABELMAP_SUFFIXES, is_table, table_of
from textsegment.files.images.seg_nrrd import read_seg_nrrd
from textsegment.files.reading import read_volume
from textsegment.modality import modality_code

RECORD = "case.json"
_LENGTH = 12
_SEGMENTS = (RTStructureSetStorage, SegmentationStorage)


def is_results(folder: Path) -> bool:
    """Return whether a folder, or one of its folders, holds a scan beside a segmentation."""
    return any(_labels_in(each) is not None for each in _case_folders(folder))


def open_results(folder: Path) -> Source:
    """Open a folder of cases, or of one case."""
    return Source(name=folder.name, layout="results", cases=_Cases(folder))


def _case_folders(folder: Path) -> list[Path]:
    inside = [each for each in sorted(folder.iterdir()) if each.is_dir() and not each.name.startswith(".")]
    return [folder, *inside]


@dataclass(frozen=True)
class _Cases:
    folder: Path

    def __iter__(self) -> Iterator[SourceCase]:
        for case in _case_folders(self.folder):
            labels = _labels_in(case)
            if labels is None:
                continue
            image, told = _image_in(case, labels), _told(case)
            yield SourceCase(
                sample_id=case.name,
                patient_id=told.get("patient") or _patient_of(labels) or case.name,
                modality=told.get("modality") or _modality_of(image),
                image=image,
                labels=labels,
                looked_for=frozenset(_names(labels)),
            )


def _labels_in(folder: Path) -> Labels | None:
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    tables = [path for path in files if is_table(path)]
    maps = [p for p in files if p.name.lower().endswith(LABELMAP_SUFFIXES) and table_of(p) in tables]
    if maps:
        return LabelMap(maps[0], _numbers(table_of(maps[0])))
    segments = [
        path for path in files if path.name.lower().endswith(".seg.nrrd") or _is_dicom_of_segments(path)
    ]
    return Segments(segments[0], tuple(segments)) if segments else None


def _told(folder: Path) -> dict[str, str]:
    """Return the pseudonym of the patient and the modality, if the case tells them."""
    path = folder / RECORD
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {"patient": str(content["patient"]), "modality": modality_code(str(content["modality"]))}
    except (ValueError, KeyError, TypeError, ModalityError) as error:
        raise InputError(
            f"{folder.name}/{RECORD} is damaged.", "Mend the file, or collect the case again."
        ) from error


def _patient_of(labels: Labels) -> str | None:
    """Return a pseudonym of the patient whom a DICOM segmentation names; None if it names none."""
    if not isinstance(labels, Segments) or labels.path.suffix.lower() != ".dcm":
        return None
    with quiet_pydicom():
        number = str(read_dataset(labels.path).get("PatientID") or "").strip()
    return f"patient_{hashlib.sha256(number.encode()).hexdigest()[:_LENGTH]}" if number else None


def _numbers(table: Path) -> dict[str, tuple[int, ...]]:
    try:
        rows = json.loads(table.read_text(encoding="utf-8"))["labels"]
        return {str(row["name"]): (int(row["value"]),) for row in rows}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{table.name} is no table of labels, or is damaged.", "Mend the file.") from error


def _is_dicom_of_segments(path: Path) -> bool:
    if path.suffix.lower() != ".dcm":
        return False
    try:
        with quiet_pydicom():
            return read_dataset(path).get("SOPClassUID") in _SEGMENTS
    except (InvalidDicomError, *DAMAGE):
        return False


def _image_in(folder: Path, labels: Labels) -> Path:
    used = {labels.path} | (set(labels.files) if isinstance(labels, Segments) else set())
    images = [
        path
        for path in sorted(folder.iterdir())
        if path not in used
        and not path.name.startswith(".")
        and path.name.lower().endswith((".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".mgz"))
    ]
    folders = [path for path in sorted(folder.iterdir()) if path.is_dir() and any(path.glob("*"))]
    is_dicom = labels.path.suffix.lower() == ".dcm"  # and so is its scan
    found = (folders or images) if is_dicom else (images or folders)
    if len(found) != 1:
        raise InputError(
            f"{folder.name} holds {len(found) or 'no'} scans beside its segmentation.",
            "Keep one scan and its segmentation in each folder.",
        )
    return found[0]


@lru_cache(maxsize=4096)
def _modality_of(image: Path) -> str:
    """Return the modality that the scan states; nothing but the scan says it.

    A scan that cannot be read is refused, or left out, when its case is checked.
    """
    try:
        return read_volume(image).modality
    except TextSegmentError:
        return "CT"


def _names(labels: Labels) -> list[str]:
    if isinstance(labels, LabelMap):
        return list(labels.numbers)
    assert isinstance(labels, Segments)
    names: list[str] = []
    for path in labels.files:
        if path.name.lower().endswith(".nrrd"):
            names += [mask.structure for mask in read_seg_nrrd(path)]
            continue
        with quiet_pydicom():
            dataset = read_dataset(path)
        if dataset.SOPClassUID == RTStructureSetStorage:
            names += [str(item.ROIName) for item in dataset.get("StructureSetROISequence", ())]
        else:
            names += [str(item.SegmentLabel) for item in dataset.get("SegmentSequence", ())]
    return names
