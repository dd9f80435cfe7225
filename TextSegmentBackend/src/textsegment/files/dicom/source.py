"""References back to a DICOM scan for derived objects: kept in memory only, never logged or sent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset

from textsegment.errors import OutputError
from textsegment.files.dicom.inherited import LOSSY, add_due, inherited_from
from textsegment.files.dicom.stack import Plane
from textsegment.geometry import Geometry

if TYPE_CHECKING:
    from textsegment.files.dicom.header import ImageHeader

# Looser than the standard, as archives are.
_IDENTIFIER = re.compile(r"[0-9.]{1,64}")


@dataclass(frozen=True, eq=False, repr=False)
class SourcePlane:
    """One image plane of the scan, and the DICOM object that contains it.

    Attributes:
        sop_class_uid: SOP class UID of the object.
        sop_instance_uid: SOP instance UID of the object.
        frame_number: Frame number, from 1; None if the object contains only one plane.
        place: Position of the plane along the third axis of the volume, in voxels: an integer, unless the
            planes are unevenly spaced and the volume was resampled.
        plane: Position, directions and spacing of the plane, in LPS.
    """

    sop_class_uid: str
    sop_instance_uid: str
    frame_number: int | None
    place: float
    plane: Plane


@dataclass(frozen=True, eq=False, repr=False)
class SourceSeries:
    """The DICOM scan that a volume was read from.

    It contains patient data, which ``repr`` does not show.

    Attributes:
        geometry: Grid of the volume.
        planes: All image planes, sorted along the third axis of the volume.
        datasets: Headers (without pixels) of the objects, each once, in the order of ``planes``; patient and
            study attributes that may be empty are always present.
    """

    geometry: Geometry
    planes: tuple[SourcePlane, ...]
    datasets: tuple[Dataset, ...]

    def __repr__(self) -> str:
        return f"SourceSeries({len(self.planes)} planes)"

    @property
    def modality(self) -> str:
        """Modality code of the images, as stated in their headers; may be empty."""
        return str(self.datasets[0].get("Modality") or "")

    @property
    def study_instance_uid(self) -> str:
        """Study instance UID; may be empty if the files are badly anonymised."""
        return str(self.datasets[0].get("StudyInstanceUID") or "")

    @property
    def series_instance_uid(self) -> str:
        """Series instance UID; may be empty."""
        return str(self.datasets[0].get("SeriesInstanceUID") or "")

    @property
    def frame_of_reference_uid(self) -> str:
        """Frame of reference UID; may be empty."""
        return str(self.datasets[0].get("FrameOfReferenceUID") or "")

    def patient_and_study(self) -> Dataset:
        """Return the attributes that an object of the same patient and study must copy."""
        return inherited_from(self.datasets[0])

    def compression(self) -> Dataset:
        """Return the compression attributes for a derived image: those of the first lossy source."""
        copy = Dataset()
        for header in self.datasets:
            if header.get("LossyImageCompression") == "01":
                for keyword in LOSSY:
                    if keyword in header:
                        copy[keyword] = header[keyword]
                break
        return copy

    def require_referable(self) -> None:
        """Check that another object can reference the images.

        Raises:
            OutputError: Identifiers are missing or duplicated, because the files were badly anonymised.
        """
        instances = {str(dataset.get("SOPInstanceUID") or "") for dataset in self.datasets}
        classes = {str(dataset.get("SOPClassUID") or "") for dataset in self.datasets}
        frames = {str(dataset.get("FrameOfReferenceUID") or "") for dataset in self.datasets}
        identifiers = instances | classes | frames | {self.study_instance_uid, self.series_instance_uid}
        if not all(_IDENTIFIER.fullmatch(text) for text in identifiers) or len(instances) < len(
            self.datasets
        ):
            reason = "lack identifiers or share them"
        elif len(frames) > 1:
            reason = "have different frames of reference"
        else:
            return
        raise OutputError(
            f"No DICOM object can refer to this scan: its images {reason}.",
            "Use the original files, or write the result to another format.",
        )


def source_series(
    geometry: Geometry, planes: Sequence[tuple[ImageHeader, int, Plane]], places: Sequence[float]
) -> SourceSeries:
    """Assemble the source series of a scan.

    Args:
        geometry: Grid of the volume.
        planes: File, frame number (from 0) and plane of each image plane, sorted along the third axis.
        places: Position of each plane along the third axis, in voxels.
    """
    datasets = {header.path: header.dataset for header, _, _ in planes}
    for dataset in datasets.values():
        add_due(dataset)
    found = [
        SourcePlane(
            str(header.dataset.get("SOPClassUID") or ""),
            str(header.dataset.get("SOPInstanceUID") or ""),
            frame + 1 if "NumberOfFrames" in header.dataset else None,
            place,
            plane,
        )
        for (header, frame, plane), place in zip(planes, places, strict=True)
    ]
    return SourceSeries(geometry, tuple(found), tuple(datasets.values()))
