"""The client and the server process, with a network between them that breaks."""

import threading
import time
from contextlib import closing

import pytest
from relay import Relay
from server_process import ServerProcess, wait_until
from uploads import long_volume
from wire_samples import memory_bound

from textsegment.client.address import Address
from textsegment.client.retry import RetryPolicy
from textsegment.client.transport import Timeouts, Transport
from textsegment.client.upload import upload
from textsegment.errors import CancelledError, StorageError, TextSegmentError, TlsError
from textsegment.segmenter import CancelToken, MaskReady, Progress, Queued
from textsegment.testing import phantom
from textsegment.wire.contract import volume_path
from textsegment.wire.volumes.header import Encoding

KEY = "key-of-a-real-server-0123"
STRUCTURES = ["liver", "heart", "aorta", "left kidney"]


def slow_server():
    return ServerProcess(arguments=({"seconds": 0.5},), keys=(KEY,))


@pytest.fixture(scope="module")
def server():
    with slow_server() as process:
        yield process


def outcomes(server):
    return [line["outcome"] for line in server.events("job")]


@pytest.fixture
def network(server):
    with Relay(server.port).running() as relay:
        yield relay


@pytest.fixture
def remote(network, connect):
    return connect(network.url, KEY)


def test_an_upload_that_breaks_goes_on_where_it_was(remote, network):
    """Fault 50."""
    volume = long_volume(megabytes=8)
    remote.info()
    network.cut()
    network.most_bytes = 5 * 2**20
    sent = []

    def on_event(event):
        if isinstance(event, Progress) and event.stage == "uploading":
            sent.append(event.fraction)

    assert len(remote.segment(volume, ["liver"], on_event=on_event)) == 1
    assert network.most_bytes is None  # it did break
    assert network.sent_bytes < 11 * 2**20  # at most what was on its way was sent twice
    assert sent == sorted(sent)


def test_a_stream_that_breaks_is_asked_for_again_and_no_mask_comes_twice(remote, network):
    ready = []

    def on_event(event):
        if isinstance(event, MaskReady):
            ready.append(event.mask.structure)
            if len(ready) == 2:
                network.cut()

    result = remote.segment(phantom(), STRUCTURES, on_event=on_event)
    assert ready == [mask.structure for mask in result] == STRUCTURES


def test_a_server_that_is_killed_in_mid_job_and_started_again(connect):
    """Fault 56."""
    with slow_server() as first, Relay(first.port).running() as network:
        remote, ready, restarted = connect(network.url, KEY), [], []

        def restart():
            wait_until(lambda: ready, "a mask")
            network.port = 0
            first.process.kill()
            network.cut()
            restarted.append(slow_server())
            network.port = restarted[0].port

        def on_event(event):
            ready.extend([event.mask.structure] if isinstance(event, MaskReady) else [])

        thread = threading.Thread(target=restart)
        thread.start()
        result = remote.segment(phantom(), STRUCTURES, on_event=on_event)
        thread.join()
        with restarted[0] as second:
            assert second.events("request")
    assert ready == [mask.structure for mask in result] == STRUCTURES


def test_a_cancelled_job_makes_room_for_the_next(server, connect):
    """Faults 46 and 47."""
    remote, cancel = connect(server.url, KEY), CancelToken()

    def on_event(event):
        if isinstance(event, MaskReady):
            cancel.cancel()

    many = remote.info().structures["CT"][:120]  # a minute of work
    before = outcomes(server)
    with pytest.raises(CancelledError):
        remote.segment(phantom(), many, on_event=on_event, cancel=cancel)
    remote.segment(phantom(), ["liver"])  # the only worker is free again
    wait_until(lambda: outcomes(server) == [*before, "cancelled", "done"], "both ends")


def test_a_queued_job_is_cancelled_at_once(server, connect):
    """Fault 45."""
    remote, cancel, events = connect(server.url, KEY), CancelToken(), []
    options = {"on_event": events.append}
    running = threading.Thread(target=remote.segment, args=(phantom(), STRUCTURES), kwargs=options)
    running.start()
    wait_until(lambda: any(isinstance(event, MaskReady) for event in events), "the first job")

    def cancel_in_queue(event):
        if isinstance(event, Queued) and event.position > 0:
            cancel.cancel()

    with pytest.raises(CancelledError):
        remote.segment(phantom(), ["heart"], on_event=cancel_in_queue, cancel=cancel)
    running.join()


def test_a_full_disk_is_told_while_the_upload_is_on_its_way(connect):
    """Fault 57."""
    with ServerProcess(max_file_bytes=2**20, keys=(KEY,)) as server:
        remote = connect(server.url, KEY)
        for _ in range(3):
            with pytest.raises(StorageError):
                remote.segment(long_volume(megabytes=40), ["liver"])
        assert len(remote.segment(phantom(), ["liver"])) == 1


def test_a_real_server_with_tls(connect, authority):
    pem = authority.issue("127.0.0.1")
    with ServerProcess(keys=(KEY,), certfile=str(pem)) as server:
        remote = connect(server.url, KEY, ca_file=authority.file)
        assert len(remote.segment(long_volume(), ["liver"])) == 1
        with pytest.raises(TlsError):
            connect(server.url, KEY).info()
        with pytest.raises(TextSegmentError) as caught:
            connect(server.url.replace("https", "http"), KEY).info()
        assert "https" in caught.value.hint


@pytest.mark.parametrize("encoding", Encoding)
def test_an_upload_takes_little_memory_beside_the_volume(server, encoding):
    volume = long_volume(megabytes=48 + encoding)  # not the same one twice
    with closing(Transport(Address(server.url), KEY, Timeouts(), {})) as transport:
        retry = RetryPolicy(9, 9, time.sleep)
        with memory_bound(8 * 2**20):
            upload(transport, volume, volume.digest, encoding, retry, lambda _: None)
        with transport.ask("HEAD", volume_path(volume.digest)) as answer:
            assert answer.status == 200
