"""A server that behaves: what is asked, what travels, what comes back."""

import json
import threading

import numpy as np
import pytest
from odd_server import prompts_of

from textsegment.effort import Effort
from textsegment.errors import (
    LimitExceededError,
    ModalityError,
    PromptError,
    SettingsError,
    UnknownStructureError,
    VersionMismatchError,
    VolumeInvalidError,
)
from textsegment.geometry import Geometry
from textsegment.segmenter import MaskReady, Progress, Queued
from textsegment.testing import FakeSegmenter, ball, phantom
from textsegment.volume import Volume
from textsegment.wire.limits import Limits
from textsegment.wire.volumes.codec import encode_volume, wire_volume
from textsegment.wire.volumes.header import Encoding


def test_the_connection_is_tested_by_asking_the_server_about_itself(remote, server):
    info = remote.server_info()
    assert info.model == remote.info() == server.segmenter.info()
    assert info.limits == server.limits


def test_masks_come_back_in_the_order_asked(remote):
    volume = phantom()
    result = remote.segment(volume, ["spleen", "Left  Kidney", "aorta"])
    assert [mask.structure for mask in result] == ["spleen", "left kidney", "aorta"]
    for mask in result:
        assert np.array_equal(result.full_mask(mask.structure), ball(mask.structure, volume.geometry))
    assert result.geometry is volume.geometry
    assert result.provenance == {"model": "fake"}
    assert result["spleen"].warnings == ("Not found in this image: spleen.",)


def test_progress_never_falls_and_shows_upload_and_queue(remote):
    events = []
    remote.segment(phantom((200, 150, 60)), ["liver", "heart"], on_event=events.append)
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    stages = list(dict.fromkeys(event.stage for event in events if isinstance(event, Progress)))
    assert stages == ["uploading", "preparing", "finishing"]
    assert sum(event.stage == "uploading" for event in events if isinstance(event, Progress)) > 10
    assert [event for event in events if isinstance(event, Queued)] == [Queued(0)]
    ready = [event.mask.structure for event in events if isinstance(event, MaskReady)]
    assert ready == ["liver", "heart"]


def test_events_are_delivered_in_the_thread_that_asked(remote):
    threads = set()
    remote.segment(phantom(), ["liver"], on_event=lambda _: threads.add(threading.current_thread()))
    assert threads == {threading.current_thread()}


def test_a_volume_is_sent_once_whatever_is_asked(remote, server):
    volume = phantom()
    remote.segment(volume, ["liver"])
    remote.segment(volume, ["heart"])
    remote.segment(phantom(), ["aorta"])  # the same content
    assert server.methods() == ["GET", "POST", "HEAD", "PUT", "POST", "POST", "POST"]


def test_a_second_client_uploads_nothing(remote, server, connect):
    remote.segment(phantom(), ["liver"])
    connect(server.url).segment(phantom(), ["liver"])
    assert server.methods().count("PUT") == 1


def test_requests_share_one_connection(remote, server):
    connections = []
    verify = server.verify_request
    server.verify_request = lambda request, address: connections.append(address) or verify(request, address)
    remote.info()
    remote.segment(phantom(), ["liver"])
    remote.segment(phantom(), ["heart"])
    assert len(connections) == 1


def test_voxels_affine_modality_and_prompts_travel_and_nothing_else(remote, server):
    """Fault 43."""
    volume = Volume(phantom().voxels, phantom().geometry, "CT", ("Series of Jane Doe: slices are missing.",))
    result = remote.segment(volume, ["liver"])
    assert result.warnings == volume.warnings
    sent = {seen.method: seen for seen in server.requests}
    wired = wire_volume(volume)
    assert bytes(sent["PUT"].body) == b"".join(encode_volume(wired, Encoding.RAW))
    body = {"volume": wired.digest, "prompts": ["liver"], "estimate": True, "details": True}
    assert json.loads(sent["POST"].body) == body
    usual = {
        "host",
        "user-agent",
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
    }
    usual |= {"transfer-encoding", "authorization", "textsegment-protocol"}
    assert {name for seen in server.requests for name in seen.headers} <= usual
    assert all("jane" not in f"{seen.path}{seen.headers}".lower() for seen in server.requests)


@pytest.mark.parametrize("dtype", ["float16", "uint32", "int64", ">i2", "bool", "float64"])
def test_any_type_and_layout_of_voxels(remote, dtype):
    voxels = (np.arange(24 * 20 * 18).reshape(24, 20, 18) % 2 + 1).astype(dtype)
    voxels[0, 0, 0] = 0
    volume = Volume(np.asfortranarray(voxels)[::-1], Geometry((24, 20, 18), np.diag([2.0, 2, 3, 1])), "CT")
    result = remote.segment(volume, ["liver"])
    assert result["liver"].statistics.mean_intensity == pytest.approx(
        float(volume.voxels[result.full_mask("liver")].astype(float).mean())
    )


def test_duplicates_are_merged_with_a_warning(remote, server):
    result = remote.segment(phantom(), ["liver", "LIVER", "heart"])
    assert [mask.structure for mask in result] == ["liver", "heart"]
    assert result.warnings == ("Structures that were asked for twice are given once.",)
    assert prompts_of(server.requests[-1]) == ["liver", "heart"]


def test_what_cannot_succeed_is_refused_before_anything_is_uploaded(remote, server, connect):
    with pytest.raises(UnknownStructureError) as caught:
        remote.segment(phantom(), ["liver", "left kidny"])
    assert "left kidney" in caught.value.suggestions
    with pytest.raises(ModalityError):
        remote.segment(phantom(modality="US"), ["liver"])
    with pytest.raises(PromptError):
        remote.segment(phantom(), [])
    with pytest.raises(VolumeInvalidError):
        remote.segment(Volume(np.zeros((4, 4, 4)), phantom((4, 4, 4)).geometry, "CT"), ["liver"])
    server.limits = Limits(max_voxels=100, max_prompts=1)
    remote = connect(server.url)
    with pytest.raises(LimitExceededError, match="larger than the server accepts"):
        remote.segment(phantom(), ["liver"])
    with pytest.raises(LimitExceededError, match="at most 1"):
        remote.segment(phantom((4, 4, 4)), ["liver", "heart"])
    assert set(server.methods()) == {"GET"}


def test_a_server_that_knows_nothing_of_regions_is_not_asked_for_one(remote, server, connect):
    server.features = ""
    assert len(remote.segment(phantom(), ["liver"])) == 1
    asked = server.methods().count("POST")
    with pytest.raises(VersionMismatchError, match="too old for regions"):
        remote.segment(phantom(), ["liver"], effort=Effort(fast=True))
    server.features = "effort, estimate"
    with pytest.raises(VersionMismatchError, match="too old for a check"):
        connect(server.url).segment(phantom(), ["liver"], effort=Effort(check=True))
    assert server.methods().count("POST") == asked


def test_another_model_on_the_server_is_noticed(remote, server):
    server.segmenter = FakeSegmenter(structures={"CT": ["heart"]})
    with pytest.raises(UnknownStructureError):
        remote.segment(phantom(), ["liver"])
    server.segmenter = FakeSegmenter(structures={"CT": ["liver"]})
    assert len(remote.segment(phantom(), ["liver"])) == 1
    server.segmenter = FakeSegmenter(structures={"CT": ["heart"]})
    with pytest.raises(UnknownStructureError):  # the server says so itself
        remote.segment(phantom(), ["liver"])


def test_a_closed_client_is_of_no_further_use(remote):
    remote.close()
    remote.close()
    with pytest.raises(SettingsError):
        remote.info()
    with pytest.raises(SettingsError):
        remote.segment(phantom(), ["liver"])
