"""Delivery: destinations that are down, refuse, or lose things; nothing is sent twice or lost."""

import json
import time
from contextlib import contextmanager
from threading import Event

import pytest
from archive import free_port
from made_clock import clock_of
from made_node import RULE, made_series, made_settings, running, states, take, wait_for
from pynetdicom import AE, evt
from pynetdicom.sop_class import RTStructureSetStorage
from server_process import wait_until

from textsegment.errors import DestinationRefusedError, DestinationUnreachableError, InputUnreadableError
from textsegment.node import keeper as keeper_module
from textsegment.node.connections import DicomDestination, WebDestination
from textsegment.node.journal.entries import State
from textsegment.node.network.delivery import deliver
from textsegment.testing import FakeSegmenter

pytestmark = pytest.mark.filterwarnings("ignore")


@contextmanager
def far_system(port, statuses=(), *, title="FAR", classes=(RTStructureSetStorage,), hold=None):
    """A system that takes structure sets, and answers with these status codes first."""
    taken, left = [], list(statuses)

    def on_store(event):
        if hold is not None:
            hold.wait(120)
        status = left.pop(0) if left else 0x0000
        taken.append((status, str(event.request.AffectedSOPInstanceUID)))
        return status

    entity = AE(ae_title=title)
    entity.require_called_aet = True
    for each in classes:
        entity.add_supported_context(each)
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, on_store)])
    try:
        yield taken
    finally:
        server.shutdown()


def destination(port, **changes):
    usual = {
        "name": "far",
        "kind": "dicom",
        "host": "127.0.0.1",
        "port": port,
        "ae_title": "FAR",
        "timeout_s": 3,
    }
    return {**usual, **changes}


def settings_for(tmp_path, port, **changes):
    rules = [{**RULE, "destinations": ["far"]}]
    return made_settings(tmp_path, destinations=[destination(port)], rules=rules, **changes)


@pytest.fixture
def scan(tmp_path):
    made_series(tmp_path / "scan")
    return tmp_path / "scan"


def test_a_destination_that_is_down_for_a_while_gets_everything_once(tmp_path, scan):
    port = free_port()
    settings = settings_for(tmp_path, port)
    with running(settings) as node:
        take(node, scan)
        wait_until(
            lambda: [d.attempts > 1 for d in node.journal.deliveries()] == [True], "attempts that fail"
        )
        (waiting,) = node.journal.deliveries()
        assert waiting.code == "destination_unreachable"
        assert waiting.next_at > waiting.changed_at
        assert states(node.journal) == [State.SEGMENTED]
        with far_system(port) as taken:
            wait_for(node)
            time.sleep(0.6)
            assert [status for status, _ in taken] == [0]
        assert states(node.journal) == [State.DELIVERED]


def test_it_goes_on_after_a_restart(tmp_path, scan):
    port = free_port()
    settings = settings_for(tmp_path, port)
    with running(settings) as node:
        take(node, scan)
        wait_until(lambda: states(node.journal) == [State.SEGMENTED], "the result")
        (result,) = node.spool.results(1).glob("*.dcm")
        content = result.read_bytes()
    with far_system(port) as taken, running(settings, Refusing()) as node:
        wait_for(node)
        assert len(taken) == 1
    assert result.read_bytes() == content


class Refusing(FakeSegmenter):
    """A segmenter that must not be asked."""

    def segment(self, *_, **__):
        raise AssertionError("what is segmented is not segmented again")


def test_one_that_is_down_does_not_hold_up_the_others(tmp_path, scan):
    ports = [free_port(), free_port()]
    settings = made_settings(
        tmp_path,
        destinations=[destination(ports[0], name="down"), destination(ports[1], name="up")],
        rules=[{**RULE, "destinations": ["down", "up"]}],
    )
    with far_system(ports[1]) as taken, running(settings) as node:
        take(node, scan)
        wait_until(lambda: len(taken) == 1, "the one that is up")
        wait_until(lambda: node.journal.deliveries(state="delivered"), "the journal")
        assert states(node.journal) == [State.SEGMENTED]
        assert [d.destination for d in node.journal.deliveries(state="waiting")] == ["down"]


@pytest.mark.parametrize(("status", "arrives"), [(0xA700, 2), (0xC000, 2), (0x0122, 2), (0xB000, 1)])
def test_refusals_are_tried_again_and_warnings_count_as_stored(tmp_path, scan, status, arrives):
    port = free_port()
    with far_system(port, [status]) as taken, running(settings_for(tmp_path, port)) as node:
        take(node, scan)
        wait_for(node)
        assert states(node.journal) == [State.DELIVERED]
        assert len(taken) == arrives
        assert len({uid for _, uid in taken}) == 1


def test_a_wrong_title_or_kind_is_told(tmp_path, scan):
    port = free_port()
    with running(settings_for(tmp_path, port)) as node:
        take(node, scan)
        wait_until(lambda: node.journal.deliveries(), "the result")
        (result,) = node.spool.results(1).glob("*.dcm")
    with far_system(port, title="OTHER"), pytest.raises(DestinationRefusedError, match="rejected"):
        deliver([result], DicomDestination(**destination(port)))
    with (
        far_system(port, classes=("1.2.840.10008.1.1",)),
        pytest.raises(DestinationRefusedError, match="kind"),
    ):
        deliver([result], DicomDestination(**destination(port)))
    with pytest.raises(DestinationUnreachableError):
        deliver([result], DicomDestination(**destination(port, timeout_s=1)))
    (tmp_path / "text.dcm").write_text("no DICOM")
    with pytest.raises(InputUnreadableError):
        deliver([tmp_path / "text.dcm"], DicomDestination(**destination(port)))


def test_a_destination_that_goes_silent_is_left_in_time(tmp_path, scan):
    port, hold = free_port(), Event()
    with far_system(port, hold=hold) as taken, running(settings_for(tmp_path, port)) as node:
        take(node, scan)
        wait_until(lambda: node.journal.deliveries() and node.journal.deliveries()[0].code, "the time-out")
        hold.set()
        wait_for(node)
        assert len({uid for _, uid in taken}) == 1


def test_what_cannot_be_delivered_is_given_up_at_the_age_limit_only(tmp_path, scan, monkeypatch):
    clock = clock_of(monkeypatch, keeper_module)
    port = free_port()
    settings = settings_for(tmp_path, port, limits={"keep_days": 10})
    with running(settings) as node:
        take(node, scan)
        wait_until(lambda: states(node.journal) == [State.SEGMENTED], "the result")
        clock.move(11 * 86400)
        node._keeper.expire()
        assert states(node.journal) == [State.FAILED]
        (given_up,) = node.journal.deliveries()
        assert given_up.state == "failed"
        clock.move(11 * 86400)
        node._keeper.expire()
        assert node.spool.prepared() == ()
        assert node.spool.incoming() == ()


def test_results_that_are_gone_are_told(tmp_path, scan):
    port = free_port()
    with running(settings_for(tmp_path, port)) as node:
        take(node, scan)
        wait_until(lambda: states(node.journal) == [State.SEGMENTED], "the result")
        node.spool.remove_results(1)
        wait_for(node)
        (entry,) = node.journal.entries()
        assert (entry.state, entry.code) == (State.FAILED, "input_not_found")


class Answering:
    """Stands in for the answers of other DICOMweb services than Orthanc, which has one way only."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def send(self, request, **_):
        import requests

        status, body = self.answers.pop(0)
        answer = requests.Response()
        answer.status_code, answer._content, answer.request = status, body, request
        answer.headers["Content-Type"] = "application/dicom+json"
        return answer

    def close(self):
        pass


def stow(monkeypatch, path, status, body):
    import requests

    answers = Answering((status, body if isinstance(body, bytes) else json.dumps(body).encode()))
    monkeypatch.setattr(requests.Session, "get_adapter", lambda self, url: answers)
    deliver([path], WebDestination(name="web", kind="dicomweb", url="http://archive.example/dicom-web"))


def stored(uid):
    return {"00081199": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": [uid]}}]}}


def test_answers_of_stow(tmp_path, scan, monkeypatch):
    import pydicom

    path = next(iter(scan.iterdir()))
    uid = str(pydicom.dcmread(path).SOPInstanceUID)
    empty = {"00081198": {"vr": "SQ"}}
    failed = {"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [0xA700]}}]}}
    stow(monkeypatch, path, 200, {**stored(uid), **empty})
    with pytest.raises(DestinationRefusedError, match="A700"):
        stow(monkeypatch, path, 202, {**stored("1.2.3"), **failed})
    with pytest.raises(DestinationRefusedError, match="confirm"):
        stow(monkeypatch, path, 200, stored("1.2.3"))
    with pytest.raises(DestinationRefusedError, match="refuses access"):
        stow(monkeypatch, path, 401, b"")
    with pytest.raises(DestinationRefusedError, match="409"):
        stow(monkeypatch, path, 409, failed)
    with pytest.raises(DestinationUnreachableError, match="503"):
        stow(monkeypatch, path, 503, b"")
    with pytest.raises(DestinationUnreachableError):
        stow(monkeypatch, path, 200, b"no JSON")
