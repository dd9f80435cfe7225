import json
import struct
import zlib
from dataclasses import astuple, fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_samples import SHAPE, deflate_bomb, error_or_none, made_mask, memory_bound

from textsegment.caution import Caution
from textsegment.errors import LimitExceededError, RequestError
from textsegment.geometry import Box
from textsegment.segmentation import MaskStatistics, StructureMask
from textsegment.wire.mask_codec import decode_mask, encode_mask, max_mask_bytes, without_details


@st.composite
def boxes(draw):
    edges = [sorted((draw(st.integers(0, n)), draw(st.integers(0, n)))) for n in SHAPE]
    return Box(tuple(a for a, _ in edges), tuple(b for _, b in edges))


def assert_same(a: StructureMask, b: StructureMask) -> None:
    assert (a.structure, a.box, a.warnings) == (b.structure, b.box, b.warnings)
    assert repr(a.statistics) == repr(b.statistics)  # NaN equals NaN
    assert np.array_equal(a.mask, b.mask)


@given(boxes(), st.integers(0, 99), st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_mask_comes_back(box, seed, structure):
    mask = made_mask(seed, box, structure)
    payload = encode_mask(mask)
    assert len(payload) <= max_mask_bytes(SHAPE)
    assert_same(decode_mask(payload, SHAPE), mask)


def test_empty_mask_comes_back():
    nan = float("nan")
    nowhere = Box((0, 0, 0), (0, 0, 0))
    mask = StructureMask(
        "spleen", nowhere, np.zeros((0, 0, 0), bool), MaskStatistics(0, 0.0, nan, nan, False)
    )
    assert_same(decode_mask(encode_mask(mask), SHAPE), mask)


def test_truncated_at_every_byte():
    payload = encode_mask(made_mask())
    for length in range(len(payload)):
        error = error_or_none(lambda end=length: decode_mask(payload[:end], SHAPE))
        assert type(error) is RequestError, length


@settings(max_examples=300)
@given(st.data())
def test_flipped_bit_is_typed_or_changes_the_head_only(data):
    mask = made_mask()
    payload = bytearray(encode_mask(mask))
    bit = data.draw(st.integers(0, 8 * len(payload) - 1))
    payload[bit // 8] ^= 1 << bit % 8
    found = []
    if error_or_none(lambda: found.append(decode_mask(payload, SHAPE))) is None:
        # The checksum of the frame notices the rest; the bits have their own.
        assert np.array_equal(found[0].mask.ravel(), mask.mask.ravel())


@given(st.binary(max_size=300))
def test_garbage(payload):
    assert isinstance(error_or_none(lambda: decode_mask(payload, SHAPE)), RequestError)


def changed(payload: bytes, change, bits: bytes | None = None) -> bytes:
    (length,) = struct.unpack_from("<I", payload)
    head = json.loads(payload[4 : 4 + length])
    change(head)
    text = json.dumps(head).encode()
    return struct.pack("<I", len(text)) + text + (payload[4 + length :] if bits is None else bits)


@pytest.mark.parametrize(
    "change",
    [
        lambda head: head.update(stop=[10, 7, 5]),
        lambda head: head.update(start=[-1, 0, 2]),
        lambda head: head.update(start=[8, 0, 2], stop=[1, 7, 5]),
        lambda head: head.update(start=[1, 0]),
        lambda head: head.update(start=[1.0, 0, 2]),
        lambda head: head.update(start=[True, 0, 2]),
        lambda head: head.update(extra=1),
        lambda head: head.pop("warnings"),
        lambda head: head.update(structure=7),
        lambda head: head.update(structure="x" * 201),
        lambda head: head["statistics"].update(voxel_count=head["statistics"]["voxel_count"] + 1),
        lambda head: head["statistics"].update(voxel_count=-1),
        lambda head: head["statistics"].update(mean_confidence=1.5),
        lambda head: head["statistics"].update(volume_ml=None),
        lambda head: head["statistics"].update(touches_border=0),
        lambda head: head["statistics"].update(unsure_share=1.5),
        lambda head: head["statistics"].update(part_count=2.5),
        lambda head: head.update(cautions=[]),
        lambda head: head.update(cautions=["not_found"]),
        lambda head: head.update(cautions=[{"code": "not_found", "about": ""}]),
        lambda head: head.update(statistics=[]),
    ],
)
def test_head_that_means_nothing_is_refused(change):
    payload = encode_mask(made_mask())
    assert decode_mask(changed(payload, lambda head: None), SHAPE).structure == "left kidney"
    with pytest.raises(RequestError):
        decode_mask(changed(payload, change), SHAPE)


def test_statistics_that_are_not_known_here_are_ignored():
    payload = encode_mask(made_mask())
    assert_same(decode_mask(changed(payload, lambda h: h["statistics"].update(new=[1])), SHAPE), made_mask())


def doubtful_mask() -> StructureMask:
    mask = made_mask()
    statistics = replace(
        mask.statistics,
        unsure_share=0.25,
        part_count=3,
        second_part_share=0.5,
        second_part_distance_mm=12.5,
        wrong_side_share=0.125,
        height_offset_mm=-210.5,
        claimed_share=1.0,
        whole_agreement=0.0,
        shift_agreement=0.75,
    )
    warnings = ("Sheared.", Caution("not_found", "PTV", structure="liver"), Caution("fast"))
    return replace(mask, statistics=statistics, warnings=warnings)


def test_measurements_and_codes_come_back():
    mask = doubtful_mask()
    again = decode_mask(encode_mask(mask), SHAPE)
    assert_same(again, mask)
    said = [(w.code, w.about, dict(w.values)) for w in again.warnings if isinstance(w, Caution)]
    assert said == [("not_found", "PTV", {"structure": "liver"}), ("fast", "", {})]


def test_without_details_it_is_what_the_first_clients_read():
    mask = doubtful_mask()
    plain = replace(mask, statistics=MaskStatistics(*astuple(mask.statistics)[:5]), warnings=("Sheared.",))
    assert without_details(encode_mask(plain)) == encode_mask(plain)
    payload = without_details(encode_mask(mask))
    (length,) = struct.unpack_from("<I", payload)
    head = json.loads(payload[4 : 4 + length])
    assert set(head) == {"structure", "start", "stop", "statistics", "warnings"}
    assert set(head["statistics"]) == {f.name for f in fields(MaskStatistics)[:5]}
    assert head["warnings"] == list(mask.warnings)
    assert np.array_equal(decode_mask(payload, SHAPE).mask, mask.mask)


@pytest.mark.parametrize(
    "caution",
    [
        {"code": "of_tomorrow", "about": "", "values": {}},
        {"code": "contours_left_out", "about": "", "values": {}},
        {"code": "not_hounsfield", "about": "", "values": {"low": "x", "high": 3}},
        {"code": "fast", "about": "", "values": {"code": "x", "about": "y"}},
    ],
)
def test_a_caution_that_is_not_understood_is_its_sentence(caution):
    payload = changed(encode_mask(made_mask()), lambda head: head.update(cautions=[caution]))
    assert decode_mask(payload, SHAPE).warnings == made_mask().warnings


def test_codes_give_way_to_sentences_where_there_is_no_room():
    long = tuple(Caution("said_in_file", str(number), note="x" * 1500) for number in range(30))
    mask = replace(made_mask(), warnings=long)
    again = decode_mask(encode_mask(mask), SHAPE)
    assert again.warnings == long
    assert not any(isinstance(warning, Caution) for warning in again.warnings)


def test_bits_behind_the_last_voxel_are_zero():
    def one_voxel(head):
        head.update(start=[0, 0, 0], stop=[1, 1, 1])
        head["statistics"].update(voxel_count=1)

    payload = encode_mask(made_mask())
    assert decode_mask(changed(payload, one_voxel, zlib.compress(b"\x80")), SHAPE).mask.all()
    with pytest.raises(RequestError, match="not zero"):
        decode_mask(changed(payload, one_voxel, zlib.compress(b"\xc0")), SHAPE)


def test_bomb_is_bounded():
    payload = encode_mask(made_mask())
    bomb = deflate_bomb(2**16)
    with memory_bound(2**20), pytest.raises(LimitExceededError):
        decode_mask(changed(payload, lambda head: None, bomb), SHAPE)


def test_warnings_that_no_client_would_take_are_not_sent():
    mask = made_mask()
    for warnings in (("x" * 70_000,), ("x",) * 33):
        with pytest.raises(LimitExceededError):
            encode_mask(StructureMask("a", mask.box, mask.mask, mask.statistics, warnings))
