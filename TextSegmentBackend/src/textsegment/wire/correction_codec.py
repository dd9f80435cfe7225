"""Encoding of a correction: a JSON head, then the packed and deflated bits of the mask and of the edits."""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsegment.caution import Caution
from textsegment.correction import Correction, Edit
from textsegment.errors import EditError, LimitExceededError, RequestError
from textsegment.geometry import Box, Geometry
from textsegment.prompt import MAX_PROMPT_CHARACTERS, Prompt
from textsegment.segmentation import StructureMask
from textsegment.volume import Volume
from textsegment.wire.contract import PROTOCOL_VERSION, checked_digest, version_mismatch
from textsegment.wire.inflate import inflate
from textsegment.wire.limits import Limits
from textsegment.wire.strict_json import Fields, read_object, write_object

CORRECTION_MAGIC = b"TSC" + str(PROTOCOL_VERSION).encode()
"""First four bytes of the body."""
MAX_HEAD_BYTES = 2**19
MAX_EDITS = 4096
MOST_EDITED = 2
"""The boxes of all edits together have at most this many times the voxels of the volume."""

_LENGTH = struct.Struct("<I")
_LEVEL = 1
_LAST_VOXEL = 2**31


def max_correction_bytes(limits: Limits) -> int:
    """Return the largest size in bytes of the body of ``POST /v1/correct``."""
    return limits.max_request_bytes + limits.max_voxels // 32


@dataclass(frozen=True)
class CorrectionHead:
    """What the head of a correction says.

    Attributes:
        volume: SHA-256 digest of an uploaded volume.
        name: Name of the structure.
        prompt: Prompt of the structure; None if there is none.
        base: Box of the mask before the edits; None if there is none.
        edits: Boxes of the edits.
        within: Box of voxels that may change; None for all.
    """

    volume: str
    name: str
    prompt: Prompt | None
    base: Box | None
    edits: tuple[Box, ...]
    within: Box | None = None

    def __post_init__(self) -> None:
        checked_digest(self.volume)

    @classmethod
    def of(cls, correction: Correction, digest: str) -> CorrectionHead:
        """Return the head of a correction of the volume with a digest."""
        return cls(
            digest,
            correction.name,
            correction.prompt,
            None if correction.base is None else correction.base.box,
            tuple(edit.box for edit in correction.edits),
            correction.within,
        )

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The prompt, if there is one, as a model is asked for it."""
        return () if self.prompt is None else (self.prompt,)

    def require_inside(self, spatial_shape: tuple[int, int, int]) -> None:
        """Check that all boxes lie inside a volume, and that they are not too large.

        Raises:
            EditError: A box lies outside the volume.
            LimitExceededError: The edits together are too large.
        """
        boxes = self.edits if self.base is None else (*self.edits, self.base)
        if any(0 not in box.shape and box.cut_to(spatial_shape) != box for box in boxes):
            raise EditError("The mask or an edit lies outside the image.", "Draw it on this image.")
        if sum(math.prod(box.shape) for box in self.edits) > MOST_EDITED * math.prod(spatial_shape):
            raise LimitExceededError(Caution("limit_edits"), "Merge those that overlap.")

    def to_json(self) -> bytes:
        """Serialise the head as JSON."""
        fields: dict[str, Any] = {
            "volume": self.volume,
            "name": self.name,
            "prompt": None if self.prompt is None else self.prompt.text,
            "base": None if self.base is None else _box_fields(self.base),
            "edits": [_box_fields(box) for box in self.edits],
        }
        if self.within is not None:
            fields["within"] = [*self.within.start, *self.within.stop]
        return write_object(fields)

    @classmethod
    def from_json(cls, head: bytes | memoryview, limits: Limits) -> CorrectionHead:
        """Parse a head.

        Raises:
            PromptError: The prompt is blank or contains control characters.
            RequestError: The head is malformed.
        """
        given = read_object(head, "The head of the correction")
        volume = checked_digest(given.text("volume", 64))
        name = given.text("name", MAX_PROMPT_CHARACTERS)
        prompt = given.text_or_null("prompt", limits.max_prompt_characters)
        base = given.fields_or_null("base")
        edits = given.objects("edits", MAX_EDITS)
        within = _read_corners(given) if given.has("within") else None
        given.end()
        return cls(
            volume,
            name,
            None if prompt is None else Prompt(prompt),
            None if base is None else _read_box(base),
            tuple(_read_box(edit) for edit in edits if edit is not None),
            within,
        )


def encode_correction(correction: Correction, digest: str) -> bytes:
    """Encode a correction of the volume with a digest as the body of a request."""
    head = CorrectionHead.of(correction, digest).to_json()
    if len(head) > MAX_HEAD_BYTES or len(correction.edits) > MAX_EDITS:
        raise LimitExceededError(Caution("limit_edits"), "Merge them.")
    planes = [] if correction.base is None else [correction.base.mask]
    for edit in correction.edits:
        planes += [edit.known, edit.inside]
    bits = b"".join(np.packbits(np.ascontiguousarray(plane).reshape(-1)).tobytes() for plane in planes)
    return CORRECTION_MAGIC + _LENGTH.pack(len(head)) + head + zlib.compress(bits, _LEVEL)


def read_head(body: bytes, limits: Limits) -> CorrectionHead:
    """Parse the head of a correction, and leave its bits alone.

    Raises:
        VersionMismatchError: The body is of another version of the protocol.
        RequestError: The body is malformed.
    """
    head, _ = _split(body)
    return CorrectionHead.from_json(head, limits)


def decode_correction(body: bytes, volume: Volume, limits: Limits) -> Correction:
    """Decode the body of a request.

    Args:
        body: Bytes from ``encode_correction``.
        volume: The volume that the head names.
        limits: Limits of the server.

    Raises:
        RequestError: The body is malformed.
        LimitExceededError: There are more bits than the boxes have voxels.
        TextSegmentError: The correction is invalid; see ``Correction.of``.
    """
    head_bytes, deflated = _split(body)
    head = CorrectionHead.from_json(head_bytes, limits)
    head.require_inside(volume.geometry.spatial_shape)
    boxes = [] if head.base is None else [head.base]
    for box in head.edits:
        boxes += [box, box]
    raw = inflate(deflated, sum(_packed(box) for box in boxes))
    planes, at = [], 0
    for box in boxes:
        planes.append(_unpacked(raw[at : at + _packed(box)], box))
        at += _packed(box)
    base = None if head.base is None else _mask(head, planes.pop(0), volume.geometry)
    edits = [
        Edit(box, known, inside)
        for box, known, inside in zip(head.edits, planes[::2], planes[1::2], strict=True)
    ]
    return Correction.of(volume, edits, base=base, prompt=head.prompt, name=head.name, within=head.within)


def _split(body: bytes) -> tuple[memoryview, memoryview]:
    view = memoryview(body)
    magic = bytes(view[: len(CORRECTION_MAGIC)])
    if magic[:3] != CORRECTION_MAGIC[:3] or len(magic) < len(CORRECTION_MAGIC):
        raise RequestError("The request is no correction.")
    if magic != CORRECTION_MAGIC:
        raise version_mismatch(chr(magic[3]))
    begin = len(CORRECTION_MAGIC) + _LENGTH.size
    if len(view) < begin:
        raise RequestError("The correction is truncated.")
    (length,) = _LENGTH.unpack_from(view, len(CORRECTION_MAGIC))
    if length > min(MAX_HEAD_BYTES, len(view) - begin):
        raise RequestError("The head of the correction is longer than the correction.")
    return view[begin : begin + length], view[begin + length :]


def _mask(head: CorrectionHead, voxels: NDArray[np.bool_], geometry: Geometry) -> StructureMask:
    assert head.base is not None
    return StructureMask.measured(head.name, voxels, geometry, start=head.base.start)


def _packed(box: Box) -> int:
    return -(-math.prod(box.shape) // 8)


def _unpacked(packed: bytes, box: Box) -> NDArray[np.bool_]:
    count = math.prod(box.shape)
    bits = np.frombuffer(packed, dtype=np.uint8)
    if count % 8 and bits[-1] & (0xFF >> count % 8):
        raise RequestError("The bits behind the last voxel of a box are not zero.")
    return np.unpackbits(bits, count=count).view(np.bool_).reshape(box.shape)


def _box_fields(box: Box) -> dict[str, list[int]]:
    return {"start": list(box.start), "stop": list(box.stop)}


def _read_corners(given: Fields) -> Box:
    i, j, k, p, q, r = given.wholes("within", 6, 0, _LAST_VOXEL)
    return Box((i, j, k), (p, q, r))


def _read_box(given: Fields) -> Box:
    i, j, k = given.wholes("start", 3, 0, _LAST_VOXEL)
    p, q, r = given.wholes("stop", 3, 0, _LAST_VOXEL)
    given.end()
    if p < i or q < j or r < k:
        raise RequestError("A box of the correction ends before it begins.")
    return Box((i, j, k), (p, q, r))
