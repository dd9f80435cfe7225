"""Check that a structure set or segmentation belongs to a scan.

A frame of reference is a coordinate system, not a scan: the phases of a 4-D scan share one, as do PET and CT
of one examination. The images that an object references therefore decide; if there are none, the series does,
and then the frame of reference. The patient is compared as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset

from textsegment.caution import Caution
from textsegment.errors import InputError
from textsegment.files.dicom.source import SourceSeries

_HINT = "Give the one of this scan."


@dataclass(frozen=True, repr=False)
class References:
    """References of an object to its scan.

    They contain patient data, which ``repr`` does not show.

    Attributes:
        noun: Name of the kind of object, for messages.
        patient_id: Patient ID; may be empty.
        patient_name: Patient's name; may be empty.
        frames: Frame of reference UIDs.
        series: Series instance UIDs.
        images: SOP instance UIDs of images.
        status: Approval status as stated in the object; may be empty.
    """

    noun: str
    patient_id: str
    patient_name: str
    frames: frozenset[str]
    series: frozenset[str]
    images: frozenset[str]
    status: str

    def __repr__(self) -> str:
        return f"References({self.noun}, {len(self.images)} images)"


def references_of_structure_set(dataset: Dataset) -> References:
    """Return the references of a structure set to its scan."""
    items = list(_items(dataset, "ReferencedFrameOfReferenceSequence"))
    regions = list(_items(dataset, "StructureSetROISequence"))
    series = [each for item in items for each in _series(item)]
    images = {name for each in series for name in _images(each, "ContourImageSequence")}
    for item in _items(dataset, "ROIContourSequence"):
        images |= images_of_contours(item)
    return _references(
        dataset,
        "structure set",
        frames=[item.get("FrameOfReferenceUID") for item in items]
        + [roi.get("ReferencedFrameOfReferenceUID") for roi in regions],
        series=[each.get("SeriesInstanceUID") for each in series],
        images=images,
    )


def references_of_segmentation(dataset: Dataset) -> References:
    """Return the references of a DICOM segmentation to its scan."""
    series = list(_items(dataset, "ReferencedSeriesSequence"))
    images = set(_images(dataset, "SourceImageSequence"))
    for each in series:
        images |= set(_images(each, "ReferencedInstanceSequence"))
    groups = (
        *_items(dataset, "SharedFunctionalGroupsSequence"),
        *_items(dataset, "PerFrameFunctionalGroupsSequence"),
    )
    for group in groups:
        for derivation in _items(group, "DerivationImageSequence"):
            images |= set(_images(derivation, "SourceImageSequence"))
    return _references(
        dataset,
        "DICOM segmentation",
        frames=[dataset.get("FrameOfReferenceUID")],
        series=[each.get("SeriesInstanceUID") for each in series],
        images=images,
    )


@dataclass(frozen=True)
class ScanNames:
    """Identifiers by which a structure set refers to a scan.

    Attributes:
        images: SOP instance UIDs of the scan, including images that are not at hand.
        frames: Frame of reference UIDs: the scan's own, and others that the set assigns to the same images.
        names_own_frame: Whether the set contains the scan's own frame of reference.
    """

    images: frozenset[str]
    frames: frozenset[str]
    names_own_frame: bool

    @classmethod
    def of(cls, dataset: Dataset, source: SourceSeries) -> ScanNames:
        """Collect the identifiers of a scan in a structure set."""
        own = source.frame_of_reference_uid
        images, frames = images_of(source), {own}
        for item in _items(dataset, "ReferencedFrameOfReferenceSequence"):
            for each in _series(item):
                named = set(_images(each, "ContourImageSequence"))
                if each.get("SeriesInstanceUID") == source.series_instance_uid or named & images:
                    images |= named
                    frames.add(_text(item.get("FrameOfReferenceUID")))
        names_own_frame = own in references_of_structure_set(dataset).frames
        return cls(frozenset(images), frozenset(frames), names_own_frame)

    def why_elsewhere(self, roi: Dataset, item: Dataset) -> str:
        """Return the caution code for a region that is not on the scan; empty if it is."""
        images = images_of_contours(item)
        if images & self.images and not self.names_own_frame:
            return ""
        if _text(roi.get("ReferencedFrameOfReferenceUID")) not in {"", *self.frames}:
            return "regions_elsewhere"
        return "regions_of_other_images" if images and not images & self.images else ""


def images_of_contours(roi: Dataset) -> set[str]:
    """Return the SOP instance UIDs of the images that the contours of a region reference."""
    return {
        name
        for contour in _items(roi, "ContourSequence")
        for name in _images(contour, "ContourImageSequence")
    }


def require_same_scan(references: References, source: SourceSeries) -> tuple[Caution, ...]:
    """Check that an object belongs to a scan.

    Args:
        references: References of the object.
        source: Scan that it should belong to.

    Returns:
        Cautions: that the object was rejected, that it has another frame of reference although it was drawn
        on the same images, or that it references no images.

    Raises:
        InputError: The object belongs to another patient, other images or another frame of reference.
    """
    noun = references.noun
    has_images = bool(references.images & images_of(source))
    has_series = source.series_instance_uid in references.series
    same_frame = source.frame_of_reference_uid in references.frames
    if not same_frame and not has_images and not has_series:
        raise InputError(f"The {noun} belongs to another frame of reference than the scan.", _HINT)
    if _is_another_patient(references, source, has_images):
        raise InputError(f"The {noun} belongs to another patient.", _HINT)
    names_something = bool(references.images or references.series)
    if names_something and not has_images and not has_series:
        raise InputError(
            f"The {noun} was made on other images than those of this scan: another phase, series or day.",
            "Give the one of this scan, or segment the scan that it was made on.",
        )
    said = []
    if references.status == "REJECTED":
        said.append(Caution("object_rejected", noun=noun))
    if not same_frame:
        said.append(Caution("other_frame_of_same_images", noun=noun))
    if not names_something:
        said.append(Caution("no_images_named", noun=noun))
    return tuple(said)


def images_of(source: SourceSeries) -> set[str]:
    """Return the SOP instance UIDs of the images of a scan."""
    return {plane.sop_instance_uid for plane in source.planes} - {""}


def _is_another_patient(references: References, source: SourceSeries, has_images: bool) -> bool:
    header = source.datasets[0]
    theirs, ours = references.patient_id, _text(header.get("PatientID"))
    if theirs and ours:
        return theirs != ours
    # If one of the two was anonymised, the images are stronger evidence than the names.
    theirs, ours = references.patient_name, _name(header)
    return bool(theirs and ours) and theirs != ours and not has_images


def _references(
    dataset: Dataset, noun: str, *, frames: Iterable[object], series: Iterable[object], images: Iterable[str]
) -> References:
    return References(
        noun,
        _text(dataset.get("PatientID")),
        _name(dataset),
        frozenset(map(_text, frames)) - {""},
        frozenset(map(_text, series)) - {""},
        frozenset(images) - {""},
        _text(dataset.get("ApprovalStatus")).upper(),
    )


def _series(frame: Dataset) -> Iterator[Dataset]:
    for study in _items(frame, "RTReferencedStudySequence"):
        yield from _items(study, "RTReferencedSeriesSequence")


def _items(dataset: Dataset, keyword: str) -> Iterator[Dataset]:
    yield from dataset.get(keyword) or ()


def _images(dataset: Dataset, keyword: str) -> Iterator[str]:
    for item in _items(dataset, keyword):
        yield _text(item.get("ReferencedSOPInstanceUID"))


def _text(value: object) -> str:
    if isinstance(value, bytes):  # not in a declared character set
        value = value.decode("latin-1")
    return "" if value is None else str(value).strip()


def _name(dataset: Dataset) -> str:
    """Return the patient's name normalised for comparison: without case, separators and empty parts."""
    return " ".join(_text(dataset.get("PatientName")).replace("^", " ").split()).casefold()
