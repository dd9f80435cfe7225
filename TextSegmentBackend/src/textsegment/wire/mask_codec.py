"""Encoding of one mask: a JSON header, then the packed and deflated bits of its box."""

from __future__ import annotations

import json
import math
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsegment.derive.tidy import origin_told_by
from textsegment.doubt import Calibration, of
from textsegment.errors import LimitExceededError, RequestError
from textsegment.geometry import Box
from textsegment.prompt import MAX_PROMPT_CHARACTERS
from textsegment.segmentation import MaskStatistics, StructureMask
from textsegment.wire.caution_codec import caution_fields, read_warnings, warning_fields
from textsegment.wire.inflate import inflate, max_deflated_bytes
from textsegment.wire.strict_json import Fields, null_if_nan, read_object, write_object

MAX_HEAD_BYTES = 2**16

_LENGTH = struct.Struct("<I")
_LEVEL = 1  # Higher levels take several times as long for no gain: the bits are mostly runs.
_MAX_WARNINGS = 32
_HUGE = 1e300
_MOST_VOXELS = 2**48
_NOWHERE = Box((0, 0, 0), (0, 0, 0))
_FIRST_STATISTICS = ("voxel_count", "volume_ml", "mean_intensity", "mean_confidence", "touches_border")
_DOUBTS = {
    "unsure_share": (0, 1),
    "second_part_share": (0, 1),
    "second_part_distance_mm": (0, _HUGE),
    "wrong_side_share": (0, 1),
    "height_offset_mm": (-_HUGE, _HUGE),
    "claimed_share": (0, 1),
    "whole_agreement": (0, 1),
    "shift_agreement": (0, 1),
}
"""Optional numbers of the statistics, and their ranges."""


def max_mask_bytes(spatial_shape: tuple[int, int, int]) -> int:
    """Return an upper bound on the size in bytes of an encoded mask on this grid."""
    return _LENGTH.size + MAX_HEAD_BYTES + max_deflated_bytes(-(-math.prod(spatial_shape) // 8))


def encode_mask(mask: StructureMask) -> bytes:
    """Encode a mask as bytes.

    Raises:
        LimitExceededError: The warnings together exceed 64 KiB, or there are too many.
    """
    fields = {
        "structure": mask.structure,
        "start": list(mask.box.start),
        "stop": list(mask.box.stop),
        "statistics": statistics_fields(mask.statistics),
        **warning_fields(mask.warnings),
    }
    head = write_object(fields)
    if len(head) > MAX_HEAD_BYTES:
        fields.pop("cautions", None)  # the sentences say the same
        head = write_object(fields)
    if len(head) > MAX_HEAD_BYTES or len(mask.warnings) > _MAX_WARNINGS:
        raise LimitExceededError("A mask has too many or too long warnings to be sent.")
    bits = np.packbits(np.ascontiguousarray(mask.mask).reshape(-1))
    return _LENGTH.pack(len(head)) + head + zlib.compress(bits.tobytes(), _LEVEL)


def without_details(payload: bytes) -> bytes:
    """Return an encoded mask in the form that the first clients understand: without cautions and doubt."""
    (head_bytes,) = _LENGTH.unpack_from(payload)
    end = _LENGTH.size + head_bytes
    head = json.loads(payload[_LENGTH.size : end])
    head.pop("cautions", None)
    head["statistics"] = {name: head["statistics"][name] for name in _FIRST_STATISTICS}
    plain = write_object(head)
    return _LENGTH.pack(len(plain)) + plain + payload[end:]


def judged(payload: bytes, calibration: Calibration | None) -> bytes:
    """Return an encoded mask with the verdict on it, for clients that cannot reach it themselves.

    Args:
        payload: Bytes from ``encode_mask``, of a mask that the model made.
        calibration: Calibration of the weights; None if they have none.

    Returns:
        The same bytes if nothing speaks against the mask.
    """
    (head_bytes,) = _LENGTH.unpack_from(payload)
    end = _LENGTH.size + head_bytes
    head = read_object(payload[_LENGTH.size : end], "The head of a mask")
    statistics = read_statistics(head.fields("statistics"), _MOST_VOXELS)
    structure = head.text("structure", MAX_PROMPT_CHARACTERS)
    warnings = read_warnings(head, _MAX_WARNINGS, MAX_HEAD_BYTES)
    origin = origin_told_by(warnings)
    mask = StructureMask(structure, _NOWHERE, np.zeros((0, 0, 0), bool), statistics, warnings, origin)
    doubt = of(mask, calibration)
    if doubt.caution is None:
        return payload
    fields = json.loads(payload[_LENGTH.size : end])
    fields["statistics"]["verdict"] = doubt.verdict.value if doubt.is_judged else "not judged"
    fields["statistics"]["reasons"] = list(map(str, doubt.reasons))
    fields["statistics"]["reason_cautions"] = list(map(caution_fields, doubt.reasons))
    longer = write_object(fields)
    if len(longer) > MAX_HEAD_BYTES:
        return payload
    return _LENGTH.pack(len(longer)) + longer + payload[end:]


def mask_structure(payload: bytes) -> str:
    """Return the structure of an encoded mask without decoding the mask."""
    (head_bytes,) = _LENGTH.unpack_from(payload)
    head = read_object(payload[_LENGTH.size : _LENGTH.size + head_bytes], "The head of a mask")
    return head.text("structure", MAX_PROMPT_CHARACTERS)


def decode_mask(payload: bytes | bytearray, spatial_shape: tuple[int, int, int]) -> StructureMask:
    """Decode a mask from bytes.

    Args:
        payload: Bytes from ``encode_mask``.
        spatial_shape: Shape (i, j, k) of the volume; the box of the mask must lie inside it.

    Raises:
        RequestError: The payload is malformed, the box lies outside the volume, or the voxel count does not
            match the bits.
        LimitExceededError: There are more bits than the box has voxels.
    """
    view = memoryview(payload)
    if len(view) < _LENGTH.size:
        raise RequestError("A mask is truncated.")
    (head_bytes,) = _LENGTH.unpack_from(view)
    if head_bytes > min(MAX_HEAD_BYTES, len(view) - _LENGTH.size):
        raise RequestError("The head of a mask is longer than the mask.")
    given = read_object(view[_LENGTH.size : _LENGTH.size + head_bytes], "The head of a mask")
    structure = given.text("structure", MAX_PROMPT_CHARACTERS)
    box = _box(given, spatial_shape)
    statistics = read_statistics(given.fields("statistics"), math.prod(box.shape))
    warnings = read_warnings(given, _MAX_WARNINGS, MAX_HEAD_BYTES)
    given.end()
    voxels = _voxels(view[_LENGTH.size + head_bytes :], box)
    if int(np.count_nonzero(voxels)) != statistics.voxel_count:
        raise RequestError("The voxel count of a mask does not fit its bits.")
    return StructureMask(structure, box, voxels, statistics, warnings, origin_told_by(warnings))


def statistics_fields(statistics: MaskStatistics) -> dict[str, Any]:
    """Return statistics as JSON values; what was not measured is left out, beyond the first five."""
    fields: dict[str, Any] = {
        "voxel_count": int(statistics.voxel_count),
        "volume_ml": float(statistics.volume_ml),
        "mean_intensity": null_if_nan(statistics.mean_intensity),
        "mean_confidence": null_if_nan(statistics.mean_confidence),
        "touches_border": bool(statistics.touches_border),
    }
    if statistics.part_count is not None:
        fields["part_count"] = int(statistics.part_count)
    doubts = {name: null_if_nan(getattr(statistics, name)) for name in _DOUBTS}
    return fields | {name: value for name, value in doubts.items() if value is not None}


def read_statistics(given: Fields, box_voxels: int) -> MaskStatistics:
    """Read statistics; fields that are not known here are ignored.

    Args:
        given: Output of ``statistics_fields``.
        box_voxels: Number of voxels in the box of the mask, which bounds the voxel count.

    Raises:
        RequestError: A field is missing, of the wrong type or out of range.
    """
    return MaskStatistics(
        voxel_count=given.whole("voxel_count", 0, box_voxels),
        volume_ml=given.real("volume_ml", 0, _HUGE),
        mean_intensity=given.real_or_nan("mean_intensity", -_HUGE, _HUGE),
        mean_confidence=given.real_or_nan("mean_confidence", 0, 1),
        touches_border=given.flag("touches_border"),
        part_count=given.whole("part_count", 0, box_voxels) if given.has("part_count") else None,
        **{name: given.real_or_nan(name, *range_) for name, range_ in _DOUBTS.items() if given.has(name)},
    )


def _box(given: Fields, spatial_shape: tuple[int, int, int]) -> Box:
    largest = max(spatial_shape)
    i, j, k = given.wholes("start", 3, 0, largest)
    p, q, r = given.wholes("stop", 3, 0, largest)
    box = Box((i, j, k), (p, q, r))
    if any(not a <= b <= n for a, b, n in zip(box.start, box.stop, spatial_shape, strict=True)):
        raise RequestError("The box of a mask is not inside the volume.")
    return box


def _voxels(deflated: memoryview, box: Box) -> NDArray[np.bool_]:
    count = math.prod(box.shape)
    packed = np.frombuffer(inflate(deflated, -(-count // 8)), dtype=np.uint8)
    if count % 8 and packed[-1] & (0xFF >> count % 8):
        raise RequestError("The bits behind the last voxel of a mask are not zero.")
    return np.unpackbits(packed, count=count).view(np.bool_).reshape(box.shape)
