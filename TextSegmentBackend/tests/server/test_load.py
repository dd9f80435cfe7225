"""Many at once, impatient ones, slow ones."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from server_process import ServerProcess, frames, raw_request, report, wait_until
from wire_samples import smooth_volume

from textsegment.segmenter import MaskReady, Progress, Queued
from textsegment.testing import ball, phantom
from textsegment.wire.contract import JSON_TYPE, SEGMENT_ROUTE, VOLUME_TYPE, volume_path
from textsegment.wire.frames import Done, Failed
from textsegment.wire.volumes.codec import wire_volume

SLOW = [{"seconds": 0.3}]
ENDLESS = [{"seconds": 600}]


@pytest.fixture(scope="module")
def volume():
    return wire_volume(phantom())


@pytest.fixture(scope="module")
def endless_process(volume):
    with ServerProcess(arguments=ENDLESS, max_queue=2) as process:
        process.put(volume)
        yield process


@pytest.fixture
def endless(endless_process):
    """A server with the volume, whose jobs end when they are cancelled only; nothing runs."""
    yield endless_process
    wait_until(lambda: metric(endless_process, "textsegment_jobs_running") == 0, "all jobs are gone")
    wait_until(lambda: metric(endless_process, "textsegment_jobs_waiting") == 0, "all jobs are gone")


def outcomes(server) -> list[str]:
    return [line["outcome"] for line in server.events("job")]


def metric(server, name) -> float:
    text = server.session().get(server.url + "/metrics").text
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith(f"{name} ")))


def test_full_queue_is_429_before_the_answer(endless, volume):
    """Fault 44."""
    answers = [endless.post(volume.digest, ["liver"]) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    refused = endless.post(volume.digest, ["liver"])
    assert (refused.status_code, report(refused).code) == (429, "busy")
    assert int(refused.headers["Retry-After"]) == report(refused).retry_after_s > 0
    for answer in answers:
        answer.close()


def test_queued_job_is_cancelled_at_once(endless, volume):
    """Fault 45."""
    before = outcomes(endless)
    running = endless.post(volume.digest, ["liver"])
    queued = endless.post(volume.digest, ["liver"])
    events = frames(queued, volume)
    assert next(events) == Queued(1)
    assert metric(endless, "textsegment_jobs_waiting") == 1
    queued.close()
    wait_until(lambda: outcomes(endless) == [*before, "cancelled"], "cancelled")
    wait_until(lambda: metric(endless, "textsegment_jobs_waiting") == 0, "its place is free")
    assert metric(endless, "textsegment_jobs_running") == 1
    running.close()


def test_disconnect_cancels_a_running_job(endless, volume):
    """Faults 46 and 47."""
    before, worker = outcomes(endless), endless.workers()
    running = endless.post(volume.digest, ["liver"])
    events = frames(running, volume)
    assert isinstance(next(events), Progress)
    running.close()
    wait_until(lambda: outcomes(endless) == [*before, "cancelled"], "cancelled")
    wait_until(lambda: metric(endless, "textsegment_jobs_running") == 0, "the slot is free")
    assert endless.workers() == worker  # it obeyed, and was not killed


def test_two_clients_take_turns(volume):
    """Fault 48."""
    with ServerProcess(arguments=SLOW, keys=["alice" * 4, "bobby" * 4]) as server:
        sessions = [server.session("alice" * 4), server.session("bobby" * 4)]
        for session in sessions:
            server.put(volume, session)
        with ThreadPoolExecutor(8) as pool:
            ended: list[str] = []

            def ask(who: int) -> None:
                last = list(
                    frames(
                        server.post(volume.digest, ["liver"], server.session(("alice", "bobby")[who] * 4)),
                        volume,
                    )
                )[-1]
                assert isinstance(last, Done)
                ended.append("ab"[who])

            greedy = [pool.submit(ask, 0) for _ in range(5)]
            wait_until(lambda: metric(server, "textsegment_jobs_waiting") == 4, "five jobs of one client")
            modest = pool.submit(ask, 1)
            for future in [*greedy, modest]:
                future.result()
        assert "b" in ended[:3]  # behind the one that ran and one that waited, not behind all five


def test_positions_are_told_and_updated(endless, volume):
    answers = [endless.post(volume.digest, ["liver"]) for _ in range(3)]
    running, second, third = (frames(answer, volume) for answer in answers)
    assert isinstance(next(running), Progress)
    assert next(second) == Queued(1)
    assert next(third) == Queued(2)
    answers[0].close()
    assert isinstance(next(second), Progress)
    assert next(third) == Queued(1)
    answers[1].close()
    assert isinstance(next(third), Progress)
    answers[2].close()


def test_silence_is_broken_by_a_heartbeat(volume):
    with ServerProcess("made_segmenters:Silent", [{"silence_s": 1.2}], heartbeat_s=0.5) as server:
        server.put(volume)
        first, *_ = frames(server.post(volume.digest, ["liver"]), volume)
        assert first == Queued(0)


@pytest.mark.parametrize(("method", "kind"), [("PUT", VOLUME_TYPE), ("POST", JSON_TYPE)])
def test_silent_or_dripping_body_is_408(method, kind):
    """Fault 51."""
    path = volume_path("0" * 64) if method == "PUT" else SEGMENT_ROUTE
    fields = {
        "Host": "localhost",
        "TextSegment-Protocol": "1",
        "Content-Type": kind,
        "Content-Length": "100000",
    }
    with ServerProcess(body_idle_s=0.5) as server:
        for drips in (False, True):
            with server.connect() as connection:
                connection.sendall(raw_request(method, path, fields, b"TSV1"))
                connection.settimeout(0.05)
                received = b""
                end = time.monotonic() + 120
                while b"\r\n\r\n" not in received and time.monotonic() < end:
                    if drips:
                        connection.sendall(b" ")
                    try:
                        received += connection.recv(65536)
                    except TimeoutError:
                        continue
                assert received.startswith(b"HTTP/1.1 408")


def test_slow_connections_do_not_keep_others_out(server):
    """Fault 51."""
    volume = smooth_volume((30, 30, 30))
    idle = [server.connect() for _ in range(100)]
    for connection in idle:
        connection.sendall(b"POST /v1/segment HTTP/1.1\r\n")
    assert server.put(volume).status_code == 201
    assert list(frames(server.post(volume.digest, ["cerebellum"]), volume))
    for connection in idle:
        connection.close()


NOISE_SHAPE = (256, 256, 200)  # 1.6 MB a mask


@contextlib.contextmanager
def bad_reader(server, volume, count):
    """Ask for so many masks of 1.6 MB on a bare connection that takes nothing by itself."""
    prompts = server.session().get(server.url + "/v1/info").json()["structures"]["MR"][:count]
    body = json.dumps({"volume": volume.digest, "prompts": prompts}).encode()
    fields = {
        "Host": "localhost",
        "TextSegment-Protocol": "1",
        "Content-Type": JSON_TYPE,
        "Content-Length": str(len(body)),
    }
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(raw_request("POST", SEGMENT_ROUTE, fields, body))
        yield connection


def drips(connection) -> bool:
    """Take little of an answer; whether there was something."""
    time.sleep(0.02)
    try:
        return bool(connection.recv(64))
    except ConnectionError:
        return False


def test_client_that_does_not_read_loses_its_job_and_connection():
    volume = smooth_volume(NOISE_SHAPE)
    with ServerProcess("made_segmenters:Noisy", send_timeout_s=0.5) as server:
        server.put(volume)
        before = server.rss()
        with bad_reader(server, volume, 40) as connection:
            wait_until(lambda: outcomes(server) == ["cancelled"], "given up")
            assert server.rss() - before <= 50 * 2**20
            rest = b""
            with contextlib.suppress(ConnectionError):  # the connection has an end,
                while piece := connection.recv(2**20):
                    rest += piece
            assert not rest.endswith(b"0\r\n\r\n")  # the answer has none


@pytest.fixture(scope="module")
def noisy():
    """A server that makes masks of 1.6 MB, and its volume."""
    volume = smooth_volume(NOISE_SHAPE)
    with ServerProcess("made_segmenters:Noisy") as server:
        server.put(volume)
        yield server, volume


@pytest.mark.parametrize("drip", [False, True])
def test_slow_reader_does_not_keep_others_from_the_engine(noisy, drip):
    server, volume = noisy
    before = outcomes(server)
    with bad_reader(server, volume, 10) as connection, ThreadPoolExecutor(1) as pool:
        other = pool.submit(lambda: list(frames(server.post(volume.digest, ["cerebellum"]), volume)))
        while not other.done():
            assert not drip or drips(connection)
            time.sleep(0.01)
        assert isinstance(other.result()[-1], Done)
        assert outcomes(server) == [*before, "done", "done"]


def test_answers_that_nobody_takes_do_not_disturb_a_good_reader(noisy):
    server, volume = noisy
    before = outcomes(server)
    structures = server.session().get(server.url + "/v1/info").json()["structures"]["MR"][:10]
    with bad_reader(server, volume, 20):  # they leave no room for a single mask
        wait_until(lambda: outcomes(server) == [*before, "done"], "computed")
        *masks, last = frames(server.post(volume.digest, structures), volume)
        assert [event.mask.structure for event in masks if isinstance(event, MaskReady)] == structures
        assert isinstance(last, Done)


def test_reader_that_drips_may_hold_the_engine_for_a_while_only():
    volume = smooth_volume(NOISE_SHAPE)
    with ServerProcess("made_segmenters:Noisy", send_timeout_s=2) as server:
        server.put(volume)
        before = server.rss()
        with bad_reader(server, volume, 40) as connection:
            wait_until(lambda: not drips(connection) or outcomes(server) == ["cancelled"], "given up")
            wait_until(lambda: metric(server, "textsegment_jobs_running") == 0, "the slot is free")
            assert server.rss() - before <= 50 * 2**20
        *_, last = frames(server.post(volume.digest, ["cerebellum"]), volume)
        assert isinstance(last, Done)


def test_many_clients_get_their_own_masks():
    clients = 16
    arguments = [{"seconds": 0.01}] * 2
    with ServerProcess(arguments=arguments, max_queue=64, max_queue_per_client=64) as server:
        asked = ["liver", "left kidney", "right kidney", "spleen", "pancreas"]

        def ask(number: int) -> None:
            shape = (40 + number, 36, 24)
            own = wire_volume(phantom(shape))
            session = server.session()
            assert server.put(own, session).status_code == 201
            for _ in range(3):
                prompts = [asked[(number + n) % 5] for n in range(3)]
                *events, last = frames(server.post(own.digest, prompts, session), own)
                masks = [e.mask for e in events if isinstance(e, MaskReady)]
                assert [m.structure for m in masks] == prompts
                for mask in masks:
                    assert np.array_equal(mask.full(shape), ball(mask.structure, own.geometry))
                assert isinstance(last, Done)
                fractions = [e.fraction for e in events if isinstance(e, Progress)]
                assert fractions == sorted(fractions)

        ask(clients)
        before = server.rss()
        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(ask, range(clients)))
        assert server.rss() - before <= 50 * 2**20
        assert outcomes(server) == ["done"] * (3 * clients + 3)
        assert metric(server, "textsegment_jobs_running") == 0


def test_failed_jobs_end_with_a_typed_frame(volume):
    with ServerProcess(arguments=ENDLESS, engine={"job_time_s": 0.5}) as server:
        server.put(volume)
        *_, last = frames(server.post(volume.digest, ["liver"]), volume)
        assert isinstance(last, Failed)
        assert last.report.code == "limit_exceeded"
