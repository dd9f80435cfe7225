"""The whole way: upload, ask, read the masks."""

import numpy as np
import pytest
from server_process import frames, report

from textsegment.segmenter import MaskReady, Progress
from textsegment.testing import ball, phantom
from textsegment.wire.contract import HEALTH_ROUTE, INFO_ROUTE, METRICS_ROUTE, NEXT_CHUNK_HEADER
from textsegment.wire.frames import Done
from textsegment.wire.messages import ServerInfo
from textsegment.wire.volumes.codec import wire_volume
from textsegment.wire.volumes.header import Encoding


@pytest.fixture(scope="module")
def volume():
    return wire_volume(phantom())


def test_says_what_answers(server):
    info = ServerInfo.from_json(server.session().get(server.url + INFO_ROUTE).content)
    assert info.model.model == "fake"
    assert "liver" in info.model.structures["CT"]
    assert len(info.vocabulary_sha256) == 64


def test_lives(server):
    assert server.session().get(server.url + HEALTH_ROUTE).json() == {"status": "ok"}


@pytest.mark.parametrize("encoding", Encoding)
def test_gives_masks_of_an_uploaded_volume(server, encoding):
    volume = wire_volume(phantom((41, 37, 20 + encoding)))
    answer = server.head(volume)
    assert (answer.status_code, answer.headers[NEXT_CHUNK_HEADER]) == (404, "0")
    answer = server.put(volume, encoding=encoding)
    assert (answer.status_code, answer.headers[NEXT_CHUNK_HEADER]) == (201, "1")
    answer = server.head(volume)
    assert (answer.status_code, answer.headers[NEXT_CHUNK_HEADER]) == (200, "1")

    *events, last = frames(server.post(volume.digest, ["liver", "left kidney", "spleen"]), volume)

    masks = {e.mask.structure: e.mask for e in events if isinstance(e, MaskReady)}
    assert set(masks) == {"liver", "left kidney", "spleen"}
    for structure, mask in masks.items():
        expected = ball(structure, volume.geometry)
        assert np.array_equal(mask.full(volume.geometry.spatial_shape), expected)
    fractions = [e.fraction for e in events if isinstance(e, Progress)]
    assert fractions == sorted(fractions)
    assert isinstance(last, Done)
    assert last.provenance == {"model": "fake"}


def test_same_upload_and_request_twice_is_harmless(server, volume):
    """Fault 49."""
    assert server.put(volume).status_code == 201
    assert server.put(volume).status_code == 200
    first, second = (list(frames(server.post(volume.digest, ["liver"]), volume)) for _ in range(2))
    assert [type(frame) for frame in first] == [type(frame) for frame in second]


def test_unknown_structure_gets_suggestions_before_the_answer_begins(server, volume):
    server.put(volume)
    answer = server.post(volume.digest, ["liver", "livr"])
    assert answer.status_code == 422
    assert report(answer).code == "structure_unknown"
    assert "liver" in report(answer).suggestions


def test_modality_without_structures_is_refused(server):
    volume = wire_volume(phantom(modality="US"))
    server.put(volume)
    assert report(server.post(volume.digest, ["liver"])).code == "modality_unsupported"


def test_counts_without_anything_of_a_client(server, volume):
    server.put(volume)
    list(frames(server.post(volume.digest, ["liver"]), volume))
    text = server.session().get(server.url + METRICS_ROUTE).text
    assert 'textsegment_jobs_total{outcome="done"}' in text
    assert 'textsegment_requests_total{route="/v1/volumes/{digest}",status="201"}' in text
    assert volume.digest not in text
    assert "liver" not in text
