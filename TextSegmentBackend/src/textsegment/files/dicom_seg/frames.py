"""Frames of a DICOM segmentation: one per structure and plane, or one per plane.

``BINARY`` stores one bit per pixel and structure: every viewer reads it and structures may overlap, but sixty
structures on two hundred planes of 512 × 512 pixels take 400 MB. ``LABELMAP`` (from 2024) stores one number
per pixel: it needs only as many frames as there are planes, and compresses well.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.sr.codedict import codes
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

from textsegment.errors import OverlapError, SettingsError
from textsegment.files.dicom.source import SourcePlane, SourceSeries
from textsegment.files.images.raw_image import LPS_TO_RAS
from textsegment.geometry import Geometry
from textsegment.segmentation import StructureMask

SEGMENTATION_TYPES = ("auto", "binary", "labelmap")
# Positions along the third axis closer than this fraction of a voxel count as equal.
_SAME_PLACE = 1e-3
# Up to this size, masks are written in the most widely readable form: binary and uncompressed.
_PLAIN_BYTES = 2**25
_MOST_LABELS = 2**16 - 1


def choose_type(wanted: str, found: Sequence[StructureMask], geometry: Geometry) -> str:
    """Choose the segmentation type, ``BINARY`` or ``LABELMAP``.

    Args:
        wanted: ``binary``, ``labelmap`` or ``auto``; the last gives a label map if nothing overlaps and
            binary frames would exceed 32 MB.
        found: Masks to write.
        geometry: Grid of the masks.

    Raises:
        SettingsError: ``wanted`` is anything else.
        OverlapError: A label map is wanted, but structures overlap.
    """
    if wanted not in SEGMENTATION_TYPES:
        raise SettingsError(
            "There is no such kind of DICOM segmentation.", f"Use {', '.join(SEGMENTATION_TYPES)}."
        )
    if wanted == "binary" or (wanted == "auto" and _bits(found, geometry) <= _PLAIN_BYTES * 8):
        return "BINARY"
    can_be_map = len(found) <= _MOST_LABELS and not overlap(found)
    if wanted == "labelmap" and not can_be_map:
        raise OverlapError(
            "Structures overlap; a label map holds one structure a voxel.",
            "Write it as binary, or ask for other structures.",
        )
    return "LABELMAP" if can_be_map else "BINARY"


def add_bit_frames(dataset: Dataset, found: Sequence[StructureMask], source: SourceSeries) -> None:
    """Replace the placeholder frame by one frame per structure and plane in which it occurs.

    Large sets of frames are deflated, which takes a hundredth of the space and which DICOM has supported
    since 1998.
    """
    places = _places(found)
    used = {k: rank for rank, k in enumerate(sorted({k for _, _, k in places}), start=1)}
    planes = {k: _plane_groups(source, k) for k in used}
    frames = []
    for number, _, k in places:
        frame = Dataset()
        frame.FrameContentSequence = [Dataset()]
        frame.FrameContentSequence[0].DimensionIndexValues = [number, used[k]]
        frame.SegmentIdentificationSequence = [Dataset()]
        frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber = number
        frame.update(planes[k])
        frames.append(frame)
    _describe_frames(dataset, frames, source)
    dataset.SegmentsOverlap = "YES" if overlap(found) else "NO"
    dataset.PixelData = _packed(_frame(mask, k, source.geometry) for _, mask, k in places)
    if len(dataset.PixelData) > _PLAIN_BYTES:
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian


def add_label_frames(dataset: Dataset, found: Sequence[StructureMask], source: SourceSeries) -> None:
    """Replace the placeholder frame by one compressed frame of segment numbers per non-empty plane."""
    used = sorted({k for _, _, k in _places(found)})
    frames = []
    for rank, k in enumerate(used, start=1):
        frame = Dataset()
        frame.FrameContentSequence = [Dataset()]
        frame.FrameContentSequence[0].DimensionIndexValues = [rank]
        frame.update(_plane_groups(source, k))
        frames.append(frame)
    _describe_frames(dataset, frames, source)
    bits = int(dataset.BitsAllocated)
    encoded = (
        RLELosslessEncoder.encode(
            _labels(found, k, source.geometry, bits),
            rows=int(dataset.Rows),
            columns=int(dataset.Columns),
            samples_per_pixel=1,
            bits_allocated=bits,
            bits_stored=bits,
            pixel_representation=0,
            photometric_interpretation="MONOCHROME2",
            number_of_frames=1,
        )
        for k in used
    )
    dataset.PixelData = encapsulate(list(encoded))
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = RLELossless


def pixel_measures(source: SourceSeries) -> hd.PixelMeasuresSequence:
    """Return the spacing and thickness of the planes."""
    first = source.planes[0].plane
    between_columns, between_rows = first.spacing
    normal = np.cross(first.i_lps, first.j_lps)
    # Measured along the normal, as DICOM requires, even if the grid is sheared.
    distance = abs(float(normal @ (LPS_TO_RAS[:3, :3] @ source.geometry.affine[:3, 2])))
    return hd.PixelMeasuresSequence(
        pixel_spacing=(between_rows, between_columns),
        slice_thickness=first.thickness or distance,
        spacing_between_slices=distance,
    )


def _places(found: Sequence[StructureMask]) -> list[tuple[int, StructureMask, int]]:
    """Return (segment number, mask, plane) for every frame that is not empty."""
    return [
        (number, mask, k)
        for number, mask in enumerate(found, start=1)
        for k in range(mask.box.start[2], mask.box.stop[2])
        if mask.mask[:, :, k - mask.box.start[2]].any()
    ]


def _bits(found: Sequence[StructureMask], geometry: Geometry) -> int:
    i, j, _ = geometry.spatial_shape
    return i * j * sum(mask.box.shape[2] for mask in found)


def _describe_frames(dataset: Dataset, frames: list[Dataset], source: SourceSeries) -> None:
    shared = dataset.SharedFunctionalGroupsSequence[0]
    # highdicom was given one plane, and perhaps one segment: it set other distances and named the segment
    # here.
    shared.PixelMeasuresSequence = pixel_measures(source)
    shared.pop("SegmentIdentificationSequence", None)
    dataset.pop("DimensionOrganizationType", None)
    dataset.PerFrameFunctionalGroupsSequence = frames
    dataset.NumberOfFrames = len(frames)


def _labels(
    found: Sequence[StructureMask], k: int, geometry: Geometry, bits: int
) -> NDArray[np.unsignedinteger]:
    """Return the segment numbers of a plane, ``[row, column]``."""
    columns, rows, _ = geometry.spatial_shape
    frame = np.zeros((rows, columns), dtype=np.uint8 if bits == 8 else np.uint16)
    for number, mask in enumerate(found, start=1):
        if mask.box.start[2] <= k < mask.box.stop[2]:
            i, j, _ = mask.box.slices
            frame[j, i][mask.mask[:, :, k - mask.box.start[2]].T] = number
    return frame


def _plane_groups(source: SourceSeries, k: int) -> Dataset:
    """Return the position of plane k and the image of the scan from which it was derived."""
    groups = Dataset()
    at = next((plane for plane in source.planes if abs(plane.place - k) < _SAME_PLACE), None)
    position_ras = source.geometry.to_ras([0, 0, k])
    position_lps = LPS_TO_RAS[:3, :3] @ position_ras if at is None else at.plane.position_lps
    groups.PlanePositionSequence = hd.PlanePositionSequence("PATIENT", position_lps)
    if at is not None:
        groups.DerivationImageSequence = [_derivation(at)]
    return groups


def _derivation(plane: SourcePlane) -> Dataset:
    image = Dataset()
    image.ReferencedSOPClassUID = plane.sop_class_uid
    image.ReferencedSOPInstanceUID = plane.sop_instance_uid
    if plane.frame_number is not None:
        image.ReferencedFrameNumber = plane.frame_number
    image.PurposeOfReferenceCodeSequence = [
        hd.sr.CodedConcept.from_code(codes.DCM.SourceImageForImageProcessingOperation)
    ]
    image.SpatialLocationsPreserved = "YES"
    derivation = Dataset()
    derivation.DerivationCodeSequence = [
        hd.sr.CodedConcept.from_code(codes.cid7203.SegmentationImageDerivation)
    ]
    derivation.SourceImageSequence = [image]
    return derivation


def overlap(found: Sequence[StructureMask]) -> bool:
    """Whether two of the masks share a voxel."""
    for one, other in itertools.combinations(found, 2):
        start = [max(a, b) for a, b in zip(one.box.start, other.box.start, strict=True)]
        stop = [min(a, b) for a, b in zip(one.box.stop, other.box.stop, strict=True)]
        if all(a < b for a, b in zip(start, stop, strict=True)):
            first, second = (
                mask.mask[
                    tuple(slice(a - o, b - o) for a, b, o in zip(start, stop, mask.box.start, strict=True))
                ]
                for mask in (one, other)
            )
            if (first & second).any():
                return True
    return False


def _frame(mask: StructureMask, k: int, geometry: Geometry) -> NDArray[np.bool_]:
    """Return a plane of a mask, as a boolean array ``[row, column]``."""
    columns, rows, _ = geometry.spatial_shape
    frame = np.zeros((rows, columns), dtype=bool)
    i, j, _ = mask.box.slices
    frame[j, i] = mask.mask[:, :, k - mask.box.start[2]].T
    return frame


def _packed(frames: Iterator[NDArray[np.bool_]]) -> bytes:
    """Pack the pixels of all frames into bits, the first in the lowest bit, without gaps between frames."""
    rest = np.empty(0, dtype=bool)
    pieces = []
    for frame in frames:
        bits = np.concatenate([rest, frame.ravel()])
        whole = len(bits) // 8 * 8
        pieces.append(np.packbits(bits[:whole], bitorder="little").tobytes())
        rest = bits[whole:]
    data = b"".join([*pieces, np.packbits(rest, bitorder="little").tobytes()])
    return data + b"\0" * (len(data) % 2)
