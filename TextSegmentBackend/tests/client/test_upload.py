"""Uploads: resumed after a break, again when the server lost them."""

import pytest
from odd_faults import breaking_upload, forgetting, hanging_up, refusing, replying
from uploads import long_volume

from textsegment.client import remote as remote_module
from textsegment.client.address import Address
from textsegment.errors import (
    BusyError,
    ChecksumError,
    LimitExceededError,
    RequestTimeoutError,
    StorageError,
    UploadOutOfStepError,
    VolumeUnknownError,
)
from textsegment.testing import phantom
from textsegment.wire.volumes.codec import encode_volume, wire_volume
from textsegment.wire.volumes.header import CHUNK_BYTES, HEADER_BYTES, Encoding


def test_a_broken_upload_goes_on_at_the_next_chunk(remote, server):
    """Fault 50."""
    server.expect("PUT", breaking_upload(4), breaking_upload(9))
    volume = long_volume()
    assert len(remote.segment(volume, ["liver"])) == 1
    first, second, third = (seen.body for seen in server.requests if seen.method == "PUT")
    starts = [int.from_bytes(body[20:24], "little") for body in (first, second, third)]
    assert starts == [0, 4, 9]
    # Only what was lacking was sent: the last three chunks, with a header each.
    rest = volume.voxels.nbytes - 9 * CHUNK_BYTES
    assert len(third) == HEADER_BYTES + rest + 3 * 8


def test_an_upload_of_a_cancelled_job_is_gone_on_with_by_the_next(remote, server):
    """Fault 50."""
    server.expect("PUT", breaking_upload(4))

    def stop(event):
        if any(partial.chunks >= 4 for partial in server.partial.values()):
            raise KeyboardInterrupt

    volume = long_volume()
    with pytest.raises(KeyboardInterrupt):
        remote.segment(volume, ["liver"], on_event=stop)
    remote.segment(volume, ["liver"])
    last = [seen.body for seen in server.requests if seen.method == "PUT"][-1]
    assert int.from_bytes(last[20:24], "little") >= 4


def test_a_volume_that_the_server_forgot_is_uploaded_again(remote, server):
    """Fault 52."""
    volume = phantom()
    remote.segment(volume, ["liver"])
    server.expect("POST", forgetting)
    assert len(remote.segment(volume, ["heart"])) == 1
    assert server.methods().count("PUT") == 2


def test_a_server_that_forgets_at_once_is_given_up(remote, server):
    """Fault 52."""
    server.expect("POST", *[forgetting] * 10)
    with pytest.raises(VolumeUnknownError):
        remote.segment(phantom(), ["liver"])
    assert server.methods().count("PUT") == 3


@pytest.mark.parametrize(
    "fault",
    [
        hanging_up,
        refusing(ChecksumError("A chunk was damaged on the way.")),
        refusing(UploadOutOfStepError("The server stands elsewhere.")),
        refusing(RequestTimeoutError("The request came in too slowly.")),
        refusing(BusyError("Too many uploads.", retry_after_s=0)),
        replying(502, b"<html>Bad Gateway</html>"),
    ],
)
def test_failures_of_an_upload_that_pass(remote, server, fault):
    server.expect("PUT", fault)
    assert len(remote.segment(long_volume(), ["liver"])) == 1
    assert server.methods().count("PUT") == 2


@pytest.mark.parametrize(
    "error", [StorageError("The server has no room left."), LimitExceededError("Too large.")]
)
def test_failures_of_an_upload_that_do_not_pass(remote, server, error):
    server.expect("PUT", refusing(error))
    with pytest.raises(type(error), match=error.message):
        remote.segment(long_volume(), ["liver"])
    assert server.methods().count("PUT") == 1


def test_volumes_travel_deflated_to_other_computers(server, connect, monkeypatch):
    class Elsewhere(Address):
        """The loopback, taken for another computer."""

        def __init__(self, url, **_):
            super().__init__(url)
            self.is_loopback = False

    monkeypatch.setattr(remote_module, "Address", Elsewhere)
    server.expect("PUT", breaking_upload(15))
    volume = phantom((256, 128, 96))  # 48 chunks
    connect(server.url, proxies={}).segment(volume, ["liver"])
    _, rest = (bytes(seen.body) for seen in server.requests if seen.method == "PUT")
    assert rest == b"".join(encode_volume(wire_volume(volume), Encoding.DEFLATED, 15))
    assert len(rest) < volume.voxels.nbytes / 2
