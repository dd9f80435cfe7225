"""A real Ray with two replicas: right results, and what happens when one of them dies."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import numpy as np
import psutil
import pytest
from ray_server import RayServer, ray_application, replicas_of, shared_ray
from server_process import DEADLINE_S, frames, report, wait_until

from textsegment.client.remote import RemoteSegmenter
from textsegment.errors import EngineLostError
from textsegment.inference.engine import LocalSegmenter
from textsegment.own_ray import init_ray
from textsegment.segmenter import MaskReady, Progress
from textsegment.testing import ball, phantom
from textsegment.wire.frames import Done, Failed
from textsegment.wire.volumes.codec import wire_volume

NAMES = ["liver", "left kidney", "right kidney", "aorta"]


@pytest.fixture(scope="module")
def note(tmp_path_factory):
    path = tmp_path_factory.mktemp("ray") / "failures_left"
    path.write_text("0")
    return path


@pytest.fixture(scope="module")
def server(note):
    arguments = {"note": str(note), "seconds": 0.15}
    with RayServer("ray_server:Traced", arguments, ["--max-queue", "4"]) as process:
        yield process


def volume_number(number: int):
    """Volumes of different content and shape."""
    return wire_volume(phantom((24 + number, 20, 16)))


def segment(server, volume, names=NAMES):
    with RemoteSegmenter(server.url) as segmenter:
        return segmenter.segment(volume, names)


def require_balls(result, volume, names=NAMES):
    assert [mask.structure for mask in result] == names
    for mask in result:
        whole = mask.full(volume.geometry.spatial_shape)
        assert np.array_equal(whole, ball(mask.structure, volume.geometry))


def begun(server, volume, names):
    """Ask, and read until the first mask is there."""
    server.put(volume)
    answer = server.post(volume.digest, names)
    events = frames(answer, volume)
    for event in events:
        if isinstance(event, MaskReady):
            break
    return answer, events, event


def test_masks_are_those_of_the_engine(server):
    volume = volume_number(0)
    require_balls(segment(server, volume), volume)
    assert len(server.replicas()) == 2


def test_volumes_return_to_the_replica_that_knows_them(server):
    homes = {}
    for number in range(30):
        volume = volume_number(number)
        first, second = (segment(server, volume, ["liver"]).provenance["pid"] for _ in range(2))
        assert first == second
        homes[number] = first
        if len(set(homes.values())) == 2 and number >= 3:
            break
    assert set(homes.values()) == set(server.replicas())


def test_a_busy_replica_does_not_hold_up_its_volumes(server):
    volume = volume_number(0)
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(segment, server, volume) for _ in range(2)]
        assert {job.result().provenance["pid"] for job in jobs} == set(server.replicas())


def test_a_killed_replica_costs_no_job(server):
    """Fault 55."""
    volumes = [volume_number(number) for number in range(4)]
    _, events, first = begun(server, volumes[0], NAMES)
    with ThreadPoolExecutor(3) as pool:
        others = [pool.submit(segment, server, volume) for volume in volumes[1:]]
        before = server.replicas()
        os.kill(before[0], signal.SIGKILL)
        for job, volume in zip(others, volumes[1:], strict=True):
            require_balls(job.result(timeout=DEADLINE_S), volume)
    *rest, last = [first, *events]
    assert [e.mask.structure for e in rest if isinstance(e, MaskReady)] == NAMES
    fractions = [e.fraction for e in rest if isinstance(e, Progress)]
    assert fractions == sorted(fractions)
    assert isinstance(last, Done)
    wait_until(lambda: len(set(server.replicas()) - {before[0]}) == 2, "another replica")


def test_a_failed_device_costs_a_replica_but_no_job(server, note):
    """Fault 54."""
    volume = volume_number(5)
    note.write_text("1")
    require_balls(segment(server, volume), volume)
    assert note.read_text() == "0"
    wait_until(lambda: len(server.replicas()) == 2, "another replica")


def test_a_client_that_goes_frees_its_replica(server):
    """Fault 47."""
    known = server.session().get(server.url + "/v1/info", timeout=120).json()["structures"]["CT"]
    for number in range(2):
        answer, *_ = begun(server, volume_number(number), known[:400])  # a minute of work each
        answer.close()
    wait_until(lambda: len(cancelled(server)) >= 2, "the ends of both jobs")
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(segment, server, volume_number(n)) for n in range(2)]
        for number, job in enumerate(jobs):
            require_balls(job.result(timeout=DEADLINE_S), volume_number(number))


def test_a_defect_in_a_replica_is_a_line_of_json_without_its_text(server):
    volume = volume_number(6)
    server.put(volume)
    *_, last = frames(server.post(volume.digest, ["esophagus"]), volume)
    assert isinstance(last, Failed)
    assert last.report.code == "internal"
    wait_until(lambda: replica_events(server, "engine_defect"), "the line")
    (line,) = replica_events(server, "engine_defect")
    assert (line["error"], line["place"].split(":")[0]) == ("ZeroDivisionError", "ray_server")
    assert "PATIENT" not in json.dumps(line)


def replica_events(server, event):
    """Lines of one kind that replicas have written to stderr, which Ray keeps in files."""
    lines = [line for file in server.ray_folder().rglob("*.err") for line in file.read_text().splitlines()]
    return [json.loads(line) for line in lines if f'"event": "{event}"' in line]


def cancelled(server):
    return [event for event in server.events("job") if event["outcome"] == "cancelled"]


def test_a_full_queue_is_told_before_the_answer_begins(server):
    """Fault 44."""
    known = server.session().get(server.url + "/v1/info", timeout=120).json()["structures"]["CT"]
    volume = volume_number(0)
    server.put(volume)
    answers = [server.post(volume.digest, known[:400]) for _ in range(4)]  # two run, two wait
    refused = server.post(volume.digest, ["liver"])
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert report(refused).code == "busy"
    for answer in answers:
        answer.close()


def test_nothing_listens_for_others_and_nothing_is_left_at_the_end(server):
    tree, folder = server.tree(), server.ray_folder()
    assert folder.is_dir()
    heard = {c.laddr.ip for p in tree for c in p.net_connections("tcp") if c.status == "LISTEN"}
    # Serve's replicas take calls at all addresses, but only with the secret of this Ray.
    assert heard <= {"127.0.0.1", "::ffff:127.0.0.1", "::"}
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(120) == 0
    assert not psutil.wait_procs(tree, timeout=DEADLINE_S)[1]
    assert not folder.exists()


@pytest.mark.parametrize(("slow_starts", "is_given_up"), [(2, False), (3, True)])
def test_a_ray_that_starts_too_slowly_is_started_again(monkeypatch, slow_starts, is_given_up):
    """On a busy computer: Ray's own limit is half a minute, which nothing can change."""
    ray = pytest.importorskip("ray")
    starts = []

    def start(**options):
        starts.append(options)
        if len(starts) <= slow_starts:
            raise Exception("The current node timed out during startup.")
        return "started"

    monkeypatch.setattr(ray, "init", start)
    with pytest.raises(EngineLostError) if is_given_up else nullcontext():
        assert init_ray(address="local") == "started"
    assert starts == [{"address": "local"}] * 3


def test_an_engine_that_cannot_start_says_why():
    server = RayServer("made_segmenters:Unloadable", replicas=1, ray=shared_ray())
    server.end()
    assert server.process.returncode == 6
    assert "There is no such device. [device_unavailable]" in server.log
    assert "Traceback" not in server.log


def test_the_application_of_ray_serve_survives_the_death_of_each_part(tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("key-of-the-application\n")
    keys.chmod(0o600)
    volume, names = phantom((60, 50, 40)), ["liver", "heart", "left lung"]
    # In bf16 a replica with fewer threads rounds otherwise at the border of a mask.
    local = LocalSegmenter("sat-demo", device="cpu", precision="fp32").segment(volume, names)
    arguments = {
        "device": "cpu",
        "precision": "fp32",
        "replicas": {"least": 1, "most": 1, "cpus": 0.5},
        "token_file": str(keys),
    }
    with (
        ray_application(arguments, shared_ray()) as server,
        RemoteSegmenter(server.url, "key-of-the-application") as segmenter,
    ):
        # The job of a replica that dies goes on on another; that of a front is asked for again by the client.
        for deployment, stage in (("segmenter", "encoding"), ("front", "preparing")):
            remote = segmenter.segment(volume, names, on_event=killer(shared_ray(), deployment, stage))
            for ours, theirs in zip(local, remote, strict=True):
                assert np.array_equal(ours.full((60, 50, 40)), theirs.full((60, 50, 40)))


def killer(ray, deployment, stage):
    """A callback that kills all replicas of a deployment, once, when a job is at a stage."""
    killed = []

    def on_event(event):
        if isinstance(event, Progress) and event.stage == stage and not killed:
            killed.extend(replicas_of(ray, deployment))
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    return on_event
