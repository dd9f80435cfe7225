"""What later objects need to refer back to a DICOM scan: kept in memory only, never logged or sent."""

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
    """One image plane of the scan, and the DICOM object that holds it.

    Attributes:
        sop_class_uid: Class of the object.
        sop_instance_uid: Identity of the object.
        frame_number: From 1, or None if the object holds one plane only.
        place: Where the plane lies along the third axis of the volume, in voxels: a whole number, unless
            the planes are unevenly spaced and the volume was resampled.
        plane: Position, directions and spacing of the plane in space, LPS.
    """

    sop_class_uid: str
    sop_instance_uid: str
    frame_number: int | None
    place: float
    plane: Plane


@dataclass(frozen=True, eq=False, repr=False)
class SourceSeries:
    """The scan that a volume was read from. It holds patient data: its ``repr`` shows none of it.

    Attributes:
        geometry: Grid of the volume.
        planes: Every image plane, sorted along the third axis of the volume.
        datasets: The headers (no pixels) of the objects, each once, in the order of ``planes``; the
            attributes of patient and study that may be empty are always there.
    """

    geometry: Geometry
    planes: tuple[SourcePlane, ...]
    datasets: tuple[Dataset, ...]

    def __repr__(self) -> str:
        return f"SourceSeries({len(self.planes)} planes)"

    @property
    def modality(self) -> str:
        """Modality of the images, as they say it."""
        return str(self.datasets[0].get("Modality") or "")

    @property
    def study_instance_uid(self) -> str:
        """Identity of the study; may be empty if the files are badly anonymised."""
        return str(self.datasets[0].get("StudyInstanceUID") or "")

    @property
    def series_instance_uid(self) -> str:
        """Identity of the series; may be empty."""
        return str(self.datasets[0].get("SeriesInstanceUID") or "")

    @property
    def frame_of_reference_uid(self) -> str:
        """Identity of the coordinate system; may be empty."""
        return str(self.datasets[0].get("FrameOfReferenceUID") or "")

    def patient_and_study(self) -> Dataset:
        """Return the attributes that an object of the same patient and study has to repeat."""
        return inherited_from(self.datasets[0])

    def compression(self) -> Dataset:
        """Return what an image made of these says of its compression: the words of the first lossy one."""
        copy = Dataset()
        for header in self.datasets:
            if header.get("LossyImageCompression") == "01":
                for keyword in LOSSY:
                    if keyword in header:
                        copy[keyword] = header[keyword]
                break
        return copy

    def require_referable(self) -> None:
        """Check that an object can refer to the images.

        Raises:
            OutputError: Identifiers are missing or used twice: the files were badly anonymised.
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
    """Put together what refers back to a scan.

    Args:
        geometry: Grid of the volume.
        planes: File, frame number from 0, and plane of each image plane, sorted along the third axis.
        places: Place of each plane along the third axis, in voxels.
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
