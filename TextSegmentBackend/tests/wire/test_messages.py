import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_samples import error_or_none, memory_bound

from textsegment.errors import LimitExceededError, PromptError, RequestError, VersionMismatchError
from textsegment.prompt import Prompt
from textsegment.segmenter import ModelInfo
from textsegment.wire.limits import Limits
from textsegment.wire.messages import SegmentRequest, ServerInfo

DIGEST = "0123456789abcdef" * 4
MODEL = ModelInfo("sat-demo", "ab" * 32, "cpu", {"CT": ("liver", "heart"), "MR": ()})
INFO = ServerInfo("0.1.0", MODEL, "cd" * 32, Limits(max_prompts=7))


def body(**fields) -> bytes:
    return json.dumps({"volume": DIGEST, "prompts": ["liver"], **fields}).encode()


def read(data: bytes, limits: Limits | None = None) -> SegmentRequest:
    return SegmentRequest.from_json(data, limits or Limits())


def test_request_comes_back_with_doubled_prompts_merged():
    request = SegmentRequest(DIGEST, (Prompt("Liver"), Prompt("spleen"), Prompt(" liver ")))
    assert request.prompts == (Prompt("liver"), Prompt("spleen"))
    assert request.to_json() == b'{"volume":"' + DIGEST.encode() + b'","prompts":["liver","spleen"]}'
    assert read(request.to_json()) == request


@given(st.lists(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=30), min_size=1))
def test_any_printable_prompt_comes_back(texts):
    request = SegmentRequest(DIGEST, tuple(Prompt(t) for t in texts))
    assert read(request.to_json()) == request


def test_largest_request_fits():
    prompts = [f"{n:03d}" + "\U0001f600" * 197 for n in range(512)]
    assert (
        len(read(json.dumps({"volume": DIGEST, "prompts": prompts}, ensure_ascii=False).encode()).prompts)
        == 512
    )


def test_too_many_prompts():
    """Fault 6."""
    limits = Limits(max_prompts=2)
    assert len(read(body(prompts=["a", "b"]), limits).prompts) == 2
    with pytest.raises(LimitExceededError, match="3 prompts, at most 2"):
        read(body(prompts=["a", "a", "a"]), limits)


def test_overlong_prompt():
    """Fault 7."""
    read(body(prompts=["x" * 200]))
    for text in ("x" * 201, "a" + " " * 200, "x" * 100_000):
        with pytest.raises(LimitExceededError):
            read(body(prompts=[text]))
    with pytest.raises(LimitExceededError):
        read(body(prompts=["x" * 51]), Limits(max_prompt_characters=50))


def test_oversized_body_is_not_parsed():
    """Faults 1 and 2."""
    with memory_bound(2**16), pytest.raises(LimitExceededError):
        read(body(), Limits(max_request_bytes=20))


@pytest.mark.parametrize(
    "data",
    [
        b"",  # 8
        b"\xff\xfe garbage",  # 9
        b"PK\x03\x04",
        b"null",
        b"[]",
        b'"text"',
        b"[" * 500_000,
        b"1" * 500_000,
        body()[:-1],  # 10
        body() + b" {}",
        body(extra=1),
        body(prompts="liver"),  # 18
        body(prompts=["liver", 7]),
        body(prompts=["liver", None]),
        body(prompts={"0": "liver"}),
        body(prompts=["\ud800"]),
        body(volume=7),
        body(volume=DIGEST.upper()),
        body(volume="../../../../etc/passwd"),
        body(volume=DIGEST[:-1]),
        body(volume=DIGEST[:-1] + "\n"),
        body(volume="٠" * 64),
        b'{"prompts":["liver"]}',
        b'{"volume":"' + DIGEST.encode() + b'"}',
        b'{"volume":"' + DIGEST.encode() + b'","volume":"' + DIGEST.encode() + b'","prompts":["liver"]}',
        b'{"volume":NaN,"prompts":["liver"]}',
        b'{"volume":1e999,"prompts":["liver"]}',
    ],
)
def test_what_is_no_request_is_typed(data):
    """Faults 8, 9, 10 and 18."""
    with pytest.raises(RequestError):
        read(data)


@pytest.mark.parametrize("prompts", [[], [""], ["liver", "  \t "], ["li\u0007ver"]])
def test_blank_prompts(prompts):
    """Fault 19."""
    with pytest.raises(PromptError):
        read(body(prompts=prompts))


def test_truncated_at_every_byte():
    data = body()
    for length in range(len(data)):
        assert type(error_or_none(lambda end=length: read(data[:end]))) is RequestError


@given(st.binary(max_size=200))
def test_garbage_is_typed(data):
    assert isinstance(error_or_none(lambda: read(data)), RequestError)


def test_memory_of_the_worst_request_is_bounded():
    for data in (b'{"volume":[' + b"{}," * 349_000, b'{"a":' * 209_000):
        assert 900_000 < len(data) <= Limits().max_request_bytes
        with memory_bound(50 * 2**20), pytest.raises(RequestError):
            read(data)


def test_info_comes_back():
    assert ServerInfo.from_json(INFO.to_json()) == INFO
    assert json.loads(INFO.to_json())["limits"]["max_prompts"] == 7


def test_info_of_another_version():
    """Fault 61."""
    fields = {"protocol": 2, "something": "new"}
    with pytest.raises(VersionMismatchError):
        ServerInfo.from_json(json.dumps(fields).encode())


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f.pop("device"),
        lambda f: f.update(model=None),
        lambda f: f.update(extra=""),
        lambda f: f.update(limits=[]),
        lambda f: f["limits"].update(max_prompts=0),
        lambda f: f["limits"].update(max_prompt_characters=201),
        lambda f: f["limits"].update(max_volume_bytes=2.0),
        lambda f: f["limits"].pop("max_voxels"),
        lambda f: f["limits"].update(more=1),
        lambda f: f.update(protocol="1"),
        lambda f: f.update(structures=["liver"]),
        lambda f: f["structures"].update(CT="liver"),
        lambda f: f["structures"].update(CT=[1]),
    ],
)
def test_info_that_is_wrong(change):
    fields = json.loads(INFO.to_json())
    change(fields)
    with pytest.raises(RequestError):
        ServerInfo.from_json(json.dumps(fields).encode())


@pytest.mark.parametrize("fields", [{"max_voxels": 0}, {"max_prompts": -1}, {"max_prompt_characters": 201}])
def test_limits_that_mean_nothing(fields):
    with pytest.raises(ValueError, match=r"limit|prompt"):
        Limits(**fields)
