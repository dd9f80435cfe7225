"""What passes is asked again, for a bounded time; what does not pass is not."""

import threading

import pytest
from odd_faults import breaking_stream, garbage, hanging_up, refusing, replying, silent, streaming
from odd_server import OddServer, prompts_of, serving

from textsegment import errors
from textsegment.client.background import BackgroundCall
from textsegment.client.retry import RetryPolicy
from textsegment.client.transport import Timeouts
from textsegment.errors import (
    BusyError,
    CancelledError,
    EngineLostError,
    InputError,
    OutOfMemoryError,
    ServerTimeoutError,
    ServerUnreachableError,
    StreamBrokenError,
    VersionMismatchError,
)
from textsegment.segmenter import MaskReady, Progress
from textsegment.testing import FakeSegmenter, phantom
from textsegment.wire.failures import ErrorReport
from textsegment.wire.frames import Done, Failed, encode_frame

STRUCTURES = ["liver", "heart", "aorta", "left kidney"]


def failing(error):
    """End the stream with an error."""
    return streaming(encode_frame(Failed(ErrorReport.from_error(error))))


def test_masks_that_came_before_a_break_are_kept_and_reported_once(remote, server):
    server.expect("POST", lambda _: False, breaking_stream(1), breaking_stream(3))
    events = []
    result = remote.segment(phantom(), STRUCTURES, on_event=events.append)
    assert [mask.structure for mask in result] == STRUCTURES
    assert [event.mask.structure for event in events if isinstance(event, MaskReady)] == STRUCTURES
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == sorted(fractions)
    asked = [prompts_of(seen) for seen in server.requests if seen.method == "POST"]
    assert asked[1:] == [STRUCTURES, STRUCTURES[1:], STRUCTURES[:1]]


@pytest.fixture
def met_a_closed_port(monkeypatch):
    """An event: a client has found that nobody listens."""
    met, wait_or_raise = threading.Event(), RetryPolicy.wait_or_raise

    def watched(self, error):
        if isinstance(error, ServerUnreachableError):
            met.set()
        wait_or_raise(self, error)

    monkeypatch.setattr(RetryPolicy, "wait_or_raise", watched)
    return met


def test_a_server_that_restarts_in_mid_job_is_waited_for(connect, met_a_closed_port):
    """Fault 56."""
    with serving(OddServer()) as first:
        port = first.server_address[1]
        client = connect(first.url)
        client.segment(phantom(), ["liver"])

        first.expect("POST", breaking_stream(1))
        came, done = [], threading.Event()

        def on_event(event):
            if isinstance(event, MaskReady) and not came:
                first.shutdown()
                first.server_close()
            came.extend([event] if isinstance(event, MaskReady) else [])

        def come_back():
            met_a_closed_port.wait(60)
            with serving(OddServer(port=port)) as second:
                done.wait(120)
                methods.extend(second.methods())

        methods = []
        back = threading.Thread(target=come_back)
        back.start()
        try:
            result = client.segment(phantom(), STRUCTURES, on_event=on_event)
        finally:
            done.set()
            back.join()
    assert [mask.structure for mask in result] == STRUCTURES
    assert len(came) == len(STRUCTURES)
    assert "PUT" in methods  # the new server did not have the volume


@pytest.mark.parametrize(
    "fault",
    [
        hanging_up,
        garbage,
        streaming(b"TSF1 and nothing that makes sense"),
        streaming(b"not of ours"),
        replying(502, b"<html>Bad Gateway</html>"),
        replying(504),
        replying(503, b"<html>down</html>", Retry_After="0"),
        refusing(EngineLostError("The engine stopped.")),
        failing(EngineLostError("The engine stopped.")),
        failing(CancelledError("The server stops.")),
        failing(BusyError("The queue is full.", retry_after_s=0)),
    ],
)
def test_failures_of_a_request_that_pass(remote, server, fault):
    server.expect("POST", lambda _: False, fault)  # the first one learns that the volume is unknown
    assert len(remote.segment(phantom(), ["liver"])) == 1
    assert server.methods().count("POST") == 3


@pytest.mark.parametrize(
    "fault",
    [refusing(OutOfMemoryError("Too little memory.")), failing(OutOfMemoryError("Too little memory."))],
)
def test_failures_of_a_request_that_do_not_pass(remote, server, fault):
    remote.segment(phantom(), ["liver"])
    server.expect("POST", fault)
    with pytest.raises(OutOfMemoryError, match="Too little memory"):
        remote.segment(phantom(), ["liver"])
    assert server.methods().count("POST") == 3


def test_an_error_of_an_unknown_code_is_not_repeated(remote, server):
    remote.segment(phantom(), ["liver"])
    report = ErrorReport("from_the_future", "Something new.")
    server.expect("POST", streaming(encode_frame(Failed(report))))
    with pytest.raises(errors.TextSegmentError, match="Something new"):
        remote.segment(phantom(), ["liver"])


def test_a_scan_that_kills_the_engine_is_not_sent_for_ever(remote, server):
    remote.segment(phantom(), ["liver"])
    server.expect("POST", *[failing(EngineLostError("The engine stopped."))] * 10)
    with pytest.raises(EngineLostError):
        remote.segment(phantom(), ["liver"])
    assert len(server.faults) == 7


def test_a_busy_server_is_asked_again_when_it_said(remote, server):
    """Fault 44."""
    remote.segment(phantom(), ["liver"])
    server.expect("POST", refusing(BusyError("The queue is full.", retry_after_s=1)))
    events = []
    remote.segment(phantom(), ["liver"], on_event=events.append)
    assert Progress(0.0, "waiting") in events


@pytest.mark.parametrize("retry_after_s", [1, 7])
def test_a_busy_server_is_not_asked_before_it_said(retry_after_s):
    pauses = []
    policy = RetryPolicy(recovery_s=10, busy_s=100, pause=pauses.append)
    policy.wait_or_raise(BusyError("The queue is full.", retry_after_s=retry_after_s))
    assert retry_after_s <= pauses[0] <= 2 * retry_after_s


def test_a_server_that_stays_busy_is_given_up(server, connect):
    """Fault 44."""
    remote = connect(server.url, timeouts=Timeouts(busy_s=2))
    remote.segment(phantom(), ["liver"])
    server.expect("POST", *[refusing(BusyError("The queue is full.", retry_after_s=1))] * 5)
    with pytest.raises(BusyError) as caught:
        remote.segment(phantom(), ["liver"])
    assert caught.value.retry_after_s == 1
    assert 2 <= len(server.faults) <= 4


def test_a_wait_that_is_too_long_is_not_begun(server, connect):
    remote = connect(server.url, timeouts=Timeouts(busy_s=60))
    remote.segment(phantom(), ["liver"])
    server.expect("POST", refusing(BusyError("The queue is full.", retry_after_s=3000)))
    with pytest.raises(BusyError):
        remote.segment(phantom(), ["liver"])


def test_a_silent_stream_is_asked_again_and_given_up_in_the_end(server, connect):
    connect(server.url).segment(phantom(), ["liver"])  # the server has the volume then
    remote = connect(server.url, timeouts=Timeouts(silence_s=2, recovery_s=1))
    server.expect("POST", streaming(then=silent))
    assert len(remote.segment(phantom(), ["liver"])) == 1
    server.expect("POST", *[streaming(then=silent)] * 10)
    with pytest.raises(ServerTimeoutError):
        remote.segment(phantom(), ["liver"])
    assert len(server.faults) == 8  # the second silence lasts longer than the recovery may


def test_a_server_that_never_was_there_is_not_waited_for(connect, monkeypatch):
    pauses = []
    monkeypatch.setattr(BackgroundCall, "pause", lambda _call, seconds: pauses.append(seconds))
    with serving(OddServer()) as gone:
        url = gone.url
    with pytest.raises(ServerUnreachableError, match="No server listens"):
        connect(url).segment(phantom(), ["liver"])
    assert pauses == []


def test_a_server_that_is_gone_for_good_is_given_up(server, connect):
    remote = connect(server.url, timeouts=Timeouts(recovery_s=0.5))
    remote.segment(phantom(), ["liver"])

    def die(event):
        if isinstance(event, MaskReady):
            server.shutdown()
            server.server_close()

    server.expect("POST", breaking_stream(1))
    with pytest.raises(ServerUnreachableError):
        remote.segment(phantom(), STRUCTURES, on_event=die)


def test_a_connection_that_the_server_closed_meanwhile_is_replaced(server, connect):
    remote = connect(server.url)
    remote.segment(phantom(), ["liver"])
    server.expect("POST", hanging_up)
    assert len(remote.segment(phantom(), ["heart"])) == 1


def test_two_masks_one_name_or_a_foreign_one_or_none(remote, server):
    volume = phantom()
    masks = [MaskReady(mask) for mask in FakeSegmenter().segment(volume, ["liver", "heart"])]
    liver, heart = map(encode_frame, masks)
    done = encode_frame(Done({"model": "fake"}))
    for pieces in ([liver, liver, done], [heart, done], [done], [liver, done, liver]):
        remote.segment(volume, ["liver"])
        server.expect("POST", streaming(*pieces))
        before = server.methods().count("POST")
        assert len(remote.segment(volume, ["liver"])) == 1
        assert server.methods().count("POST") == before + 2


def test_a_stream_of_another_version_is_not_asked_for_again(remote, server):
    """Fault 61."""
    remote.segment(phantom(), ["liver"])
    server.expect("POST", refusing(VersionMismatchError("The server speaks version 2.")))
    with pytest.raises(VersionMismatchError):
        remote.segment(phantom(), ["liver"])
    assert server.faults == []


def test_what_breaks_every_time_is_given_up_with_its_own_error(server, connect):
    remote = connect(server.url, timeouts=Timeouts(recovery_s=1))
    remote.segment(phantom(), ["liver"])
    server.expect("POST", *[streaming(b"TSF1junk", complete=False)] * 50)
    with pytest.raises(StreamBrokenError):
        remote.segment(phantom(), ["liver"])
    assert 40 <= len(server.faults) <= 48


def test_errors_in_a_callback_end_the_job(remote, server):
    def fail(event):
        raise InputError("Mine.")

    with pytest.raises(InputError, match="Mine"):
        remote.segment(phantom(), ["liver"], on_event=fail)
    assert len(remote.segment(phantom(), ["liver"])) == 1
