"""Corrections in bytes: there and back, and what is refused."""

import struct
import zlib

import numpy as np
import pytest

from textsegment.correction import Correction, Edit
from textsegment.errors import EditError, LimitExceededError, PromptError, RequestError, VersionMismatchError
from textsegment.geometry import Box
from textsegment.segmentation import StructureMask
from textsegment.testing import ball, phantom
from textsegment.wire.correction_codec import (
    decode_correction,
    encode_correction,
    max_correction_bytes,
    read_head,
)
from textsegment.wire.limits import Limits

VOLUME = phantom((20, 18, 12))
SHAPE = VOLUME.voxels.shape


def made(**options) -> Correction:
    true = ball("liver", VOLUME.geometry)
    rng = np.random.default_rng(3)
    known = rng.random((3, 5, 7)) < 0.5
    edits = [
        *(Edit.slice_of(true, axis, 6) for axis in range(3)),
        Edit.stroke(VOLUME.geometry.to_ras([4, 5, 6]), VOLUME.geometry, belongs=False),
        Edit(Box((2, 3, 4), (5, 8, 11)), known, known & (rng.random(known.shape) < 0.5)),
    ]
    return Correction.of(VOLUME, edits, **{"name": "Läsion 1", **options})


def same(one: Correction, other: Correction) -> bool:
    return all(
        a.box == b.box and np.array_equal(a.known, b.known) and np.array_equal(a.inside, b.inside)
        for a, b in zip(one.edits, other.edits, strict=True)
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"prompt": "liver", "name": ""},
        {"base": StructureMask.measured("x", ball("aorta", VOLUME.geometry), VOLUME.geometry)},
        {"base": StructureMask.measured("x", np.zeros((0, 0, 0), bool), VOLUME.geometry)},
        {"within": Box((1, 2, 3), (9, 9, 9))},
    ],
)
def test_there_and_back(options):
    correction = made(**options)
    read = decode_correction(encode_correction(correction, VOLUME.digest), VOLUME, Limits())
    assert same(read, correction)
    assert (read.name, read.prompt, read.within) == (correction.name, correction.prompt, correction.within)
    assert (read.base is None) == (correction.base is None)
    if correction.base is not None:
        assert np.array_equal(read.base.full(SHAPE), correction.base.full(SHAPE))
    assert read.warnings == correction.warnings


BODY = encode_correction(made(), VOLUME.digest)
(LENGTH,) = struct.unpack_from("<I", BODY, 4)
HEAD, BITS = BODY[8 : 8 + LENGTH], zlib.decompress(BODY[8 + LENGTH :])


def put(head: bytes = HEAD, bits: bytes = BITS, magic: bytes = b"TSC1") -> bytes:
    return magic + struct.pack("<I", len(head)) + head + zlib.compress(bits)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", RequestError),
        (b"TSC", RequestError),
        (BODY[:6], RequestError),
        (BODY[: 8 + LENGTH - 1], RequestError),
        (BODY[:-1], RequestError),
        (BODY + b"x", RequestError),
        (put(magic=b"TSV1"), RequestError),
        (put(magic=b"TSC2"), VersionMismatchError),
        (put(head=b"[]"), RequestError),
        (put(head=HEAD.replace(b'"name"', b'"nome"')), RequestError),
        (put(head=HEAD.replace(b'"prompt":null', b'"prompt":" "')), PromptError),
        (put(head=HEAD.replace(VOLUME.digest.encode(), b"0" * 63)), RequestError),
        (put(bits=BITS[:-1]), RequestError),
        (put(bits=BITS + b"x"), LimitExceededError),
        (put(bits=b"\xff" * len(BITS)), RequestError),
        (put(head=HEAD.replace(b'"stop":[7,18,12]', b'"stop":[7,18,99]')), EditError),
        (put(head=HEAD.replace(b'"stop":[7,18,12]', b'"stop":[5,18,12]')), RequestError),
    ],
)  # fmt: skip
def test_bodies_that_make_no_sense(body, error):
    with pytest.raises(error):
        decode_correction(body, VOLUME, Limits())


def test_more_edits_than_voxels_are_refused_before_they_are_unpacked():
    whole = Edit.block(Box((0, 0, 0), (20, 18, 11)), belongs=False)
    many = Correction.of(VOLUME, [*made().edits, whole, whole, whole], name="x")
    head = read_head(encode_correction(many, VOLUME.digest), Limits())
    with pytest.raises(LimitExceededError):
        head.require_inside(SHAPE)


def test_the_largest_body_follows_from_the_limits():
    assert max_correction_bytes(Limits()) == Limits().max_request_bytes + Limits().max_voxels // 32
