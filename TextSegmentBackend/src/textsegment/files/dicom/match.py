"""Whether a structure set or segmentation belongs to a scan: by patient, images, series, frame of reference.

A frame of reference is a coordinate system, not a scan: the phases of a 4-D scan share one, so do PET and CT
of one examination. So the images that an object names decide. Where it names none, the series does, then the
frame.
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
    """What an object says of the scan that it was made of. It holds patient data: its ``repr`` shows none.

    Attributes:
        noun: What the object is, for sentences.
        patient_id: May be empty.
        patient_name: May be empty.
        frames: Frames of reference.
        series: Identities of series.
        images: Identities of images.
        status: Whether a person approved it, as the object says it; may be empty.
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
    """Return what a structure set says of its scan."""
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
    """Return what a DICOM segmentation says of its scan."""
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
    """By which names a structure set calls the scan.

    Attributes:
        images: Of the scan, also those that are not at hand.
        frames: Frames of reference; the scan's own, and others that the set has for the same images.
        names_own_frame: Whether the set knows the scan's own frame of reference.
    """

    images: frozenset[str]
    frames: frozenset[str]
    names_own_frame: bool

    @classmethod
    def of(cls, dataset: Dataset, source: SourceSeries) -> ScanNames:
        """Find them."""
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
        """Return the code of why a region does not lie on the scan; nothing if it does."""
        images = images_of_contours(item)
        if images & self.images and not self.names_own_frame:
            return ""
        if _text(roi.get("ReferencedFrameOfReferenceUID")) not in {"", *self.frames}:
            return "regions_elsewhere"
        return "regions_of_other_images" if images and not images & self.images else ""


def images_of_contours(roi: Dataset) -> set[str]:
    """Return the identities of the images that the contours of one region name."""
    return {
        name
        for contour in _items(roi, "ContourSequence")
        for name in _images(contour, "ContourImageSequence")
    }


def require_same_scan(references: References, source: SourceSeries) -> tuple[Caution, ...]:
    """Check that an object belongs to a scan.

    Args:
        references: What the object says.
        source: The scan.

    Returns:
        What should be known: that it was rejected, that it has another frame of reference although it was
        drawn on the same images, that it names no images.

    Raises:
        InputError: It belongs to another patient, to other images, or to another frame of reference.
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
    """Return the identities of the images of a scan."""
    return {plane.sop_instance_uid for plane in source.planes} - {""}


def _is_another_patient(references: References, source: SourceSeries, has_images: bool) -> bool:
    header = source.datasets[0]
    theirs, ours = references.patient_id, _text(header.get("PatientID"))
    if theirs and ours:
        return theirs != ours
    # Where one of two was made nameless, the images say more than names do.
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
    if isinstance(value, bytes):  # of no character set that is declared
        value = value.decode("latin-1")
    return "" if value is None else str(value).strip()


def _name(dataset: Dataset) -> str:
    """Return the name of the patient without what programs add and leave out: case, empty parts."""
    return " ".join(_text(dataset.get("PatientName")).replace("^", " ").split()).casefold()
