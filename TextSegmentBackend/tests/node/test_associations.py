"""Who may send, and what a flood, a silent peer or a broken connection does: nothing to the others."""

import socket
import ssl
import struct
import time
from contextlib import suppress

import pydicom
import pytest
from archive import has_archive, storescu
from certificates import Authority
from made_node import made_series, made_settings, running, states, wait_for
from pynetdicom import AE
from pynetdicom.acse import ACSE
from pynetdicom.sop_class import CTImageStorage, RTStructureSetStorage, Verification
from server_process import wait_until

from textsegment.errors import DestinationRefusedError, DestinationUnreachableError, PortInUseError
from textsegment.node.connections import DicomDestination, Tls
from textsegment.node.journal.entries import State
from textsegment.node.network.delivery import deliver

pytestmark = pytest.mark.filterwarnings("ignore")


def associate(port, *, calling="SCANNER", called="TEXTSEGMENT", context=Verification):
    entity = AE(ae_title=calling)
    entity.acse_timeout = entity.dimse_timeout = 60
    entity.add_requested_context(context)
    return entity.associate("127.0.0.1", port, ae_title=called)


@pytest.fixture
def node(tmp_path):
    with running(made_settings(tmp_path, receive={"max_associations": 4, "handshake_s": 60.0})) as node:
        node.port = node._settings.receive.port
        yield node


@pytest.fixture
def impatient_node(tmp_path):
    """A node that closes connections which say nothing for half a second."""
    with running(made_settings(tmp_path, receive={"max_associations": 4, "handshake_s": 0.5})) as node:
        node.port = node._settings.receive.port
        yield node


def test_echo(node):
    association = associate(node.port)
    assert association.is_established
    assert association.send_c_echo().Status == 0
    association.release()


@pytest.mark.parametrize(
    "titles", [{"calling": "STRANGER"}, {"called": "SOMEBODY"}, {"calling": "scanner"}, {"calling": "ARCHIV"}]
)
def test_wrong_ae_titles_are_rejected(node, titles):
    association = associate(node.port, **titles)
    assert association.is_rejected
    assert not association.is_established
    assert sum(node.service.rejected.values()) == 1


def test_a_right_title_from_a_wrong_address_is_rejected(tmp_path):
    """The scanner's title counts from its own address only; another peer's address does not help."""
    peers = [{"ae_title": "SCANNER", "address": "10.9.8.7"}, {"ae_title": "OTHER", "address": "127.0.0.0/8"}]
    with running(made_settings(tmp_path, receive={"peers": peers})) as node:
        port = node._settings.receive.port
        assert associate(port).is_rejected
        assert node.service.rejected["unknown_ae_title"] == 1
        other = associate(port, calling="OTHER")
        assert other.is_established
        other.release()


def test_an_unknown_address_is_not_even_listened_to(tmp_path):
    peers = [{"ae_title": "SCANNER", "address": "10.9.8.7"}]
    with running(made_settings(tmp_path, receive={"peers": peers})) as node:
        with socket.create_connection(("127.0.0.1", node._settings.receive.port)) as connection:
            connection.settimeout(5)
            assert connection.recv(1) == b""
        assert node.service.rejected["unknown_address"] == 1


def test_results_find_no_presentation_context(node):
    association = associate(node.port, context=RTStructureSetStorage)
    assert not association.accepted_contexts
    association.abort()


def test_a_flood_of_associations_is_told_to_wait_and_the_first_go_on(node):
    held = [associate(node.port) for _ in range(4)]
    assert all(association.is_established for association in held)
    more = [associate(node.port) for _ in range(3)]
    assert all(association.is_rejected for association in more)
    assert held[0].send_c_echo().Status == 0
    for association in held:
        association.release()
    wait_until(lambda: node.service.associations == 0, "the associations to end")
    last = associate(node.port)
    assert last.is_established
    last.release()


def test_a_flood_of_silent_connections_takes_a_bounded_number_of_threads(impatient_node):
    node = impatient_node
    silent = [socket.create_connection(("127.0.0.1", node.port)) for _ in range(60)]
    wait_until(lambda: node.service.rejected["too_many_connections"] >= 40, "the flood to be cut")
    assert node.service.associations <= 2 * 4 + 8
    for connection in silent:
        connection.close()
    wait_until(lambda: node.service.associations == 0, "the threads to end")
    wait_until(lambda: is_accepted(node.port), "an association", 60)


def is_accepted(port):
    association = associate(port)
    if association.is_established:
        association.release()
        return True
    return False


@pytest.mark.parametrize("rubbish", [b"GET / HTTP/1.1\r\n\r\n", b"\x01\x00" + b"\xff" * 64, b"\x00" * 10_000])
def test_rubbish_ends_the_connection_only(impatient_node, rubbish):
    with socket.create_connection(("127.0.0.1", impatient_node.port)) as connection:
        connection.sendall(rubbish)
        connection.settimeout(60)
        with suppress(ConnectionError):
            while connection.recv(4096):
                pass
    wait_until(lambda: is_accepted(impatient_node.port), "an association", 60)


def images(folder):
    return [pydicom.dcmread(path) for path in sorted(folder.iterdir())]


def send_half(node, folder):
    """Send half of a series; returns the association, still open."""
    association = associate(node.port, context=CTImageStorage)
    for image in images(folder)[:6]:
        assert association.send_c_store(image).Status == 0
    return association


@pytest.mark.parametrize("end", ["abort", "vanish"])
def test_a_series_that_is_cut_off_waits_for_the_rest(node, tmp_path, end):
    made_series(tmp_path / "scan")
    association = send_half(node, tmp_path / "scan")
    if end == "abort":
        association.abort()
    else:  # as if the cable was pulled: no A-ABORT
        raw = association.dul.socket.socket
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()
    wait_until(lambda: node.service.associations == 0, "the association to end")
    time.sleep(0.8)  # twice the quiet time
    assert states(node.journal) == [State.RECEIVING]
    assert storescu_python(node.port, tmp_path / "scan") == [0] * 12
    wait_for(node)
    (entry,) = node.journal.entries()
    assert (entry.state, entry.images) == (State.DELIVERED, 12)
    assert node.intake.repeated == 6


def storescu_python(port, folder):
    association = associate(port, context=CTImageStorage)
    found = []
    for image in images(folder):
        found.append(association.send_c_store(image).Status)
    association.release()
    return found


def test_a_series_that_stays_cut_off_fails_and_can_be_sent_again(tmp_path):
    made_series(tmp_path / "scan")
    with running(made_settings(tmp_path, limits={"resume_s": 1.0})) as node:
        node.port = node._settings.receive.port
        send_half(node, tmp_path / "scan").abort()
        wait_for(node)
        (entry,) = node.journal.entries()
        assert (entry.state, entry.code) == (State.FAILED, "series_incomplete")
        assert "Send the whole series again" in entry.hint
        assert len(node.spool.images(node.intake.spool_key(entry))) == 6  # kept until the age limit
        assert storescu_python(node.port, tmp_path / "scan") == [0] * 12
        wait_for(node, 2)
        assert states(node.journal) == [State.FAILED, State.DELIVERED]


def test_late_images_make_a_second_version_of_all_of_them(node, tmp_path):
    made_series(tmp_path / "scan")
    send_half(node, tmp_path / "scan").release()
    wait_for(node)
    storescu_python(node.port, tmp_path / "scan")
    wait_for(node, 2)
    first, second = node.journal.entries()
    assert (first.images, second.images, second.version) == (6, 12, 2)
    assert (first.state, second.state) == (State.DELIVERED, State.DELIVERED)


def test_the_end_of_an_association_is_recorded_before_the_sender_is_told(node, tmp_path, monkeypatch):
    """A node that is killed at that moment would otherwise wait for the rest of a series that is whole."""
    made_series(tmp_path / "scan")
    association, seen = send_half(node, tmp_path / "scan"), []
    answer = ACSE.send_release

    def answered(acse, is_response=False):
        if is_response:
            seen.append(node.journal.entries()[0].interrupted)
        answer(acse, is_response)

    monkeypatch.setattr(ACSE, "send_release", answered)
    association.release()
    wait_until(lambda: seen, "the answer")
    assert seen == [False]


def test_a_mislabelled_object_is_refused(node, tmp_path):
    """A structure set under the SOP class of an image, and an image without identifiers."""
    made_series(tmp_path / "scan")
    image = images(tmp_path / "scan")[0]
    association = associate(node.port, context=CTImageStorage)
    image.Modality = "RTSTRUCT"
    assert association.send_c_store(image).Status == 0xA900
    image.Modality, image.SeriesInstanceUID = "CT", ""
    assert association.send_c_store(image).Status == 0xC000
    association.release()
    assert node.journal.entries() == ()
    assert node.intake.refused == {"volume_invalid": 1, "input_unreadable": 1}


def test_a_full_spool_is_told_to_the_sender_and_is_not_an_end(tmp_path):
    """With one free megabyte there is room for all; with more than the disk has, for none."""
    made_series(tmp_path / "scan")
    with running(made_settings(tmp_path, limits={"free_mb": 10**9})) as node:
        node.port = node._settings.receive.port
        assert storescu_python(node.port, tmp_path / "scan") == [0xA700] * 12
        assert node._monitor.answer("/healthz")[0] == 503
        assert b"spool_full" in node._monitor.answer("/healthz")[2]
        assert node.journal.entries() == ()
    with running(made_settings(tmp_path)) as node:
        assert storescu_python(node._settings.receive.port, tmp_path / "scan") == [0] * 12
        wait_for(node)
        assert states(node.journal) == [State.DELIVERED]


def test_a_series_of_which_one_image_was_refused_is_not_segmented(tmp_path):
    made_series(tmp_path / "scan")
    with running(made_settings(tmp_path)) as node:
        port = node._settings.receive.port
        store, count = node.spool.store, iter(range(100))

        def full_once(*arguments):
            if next(count) == 5:
                node.spool.is_full = True
                from textsegment.errors import SpoolFullError

                raise SpoolFullError("The disk of the spool is full.", "Free some room.")
            return store(*arguments)

        node.spool.store = full_once
        assert storescu_python(port, tmp_path / "scan").count(0xA700) == 1
        time.sleep(0.8)
        assert states(node.journal) == [State.RECEIVING]
        storescu_python(port, tmp_path / "scan")
        wait_for(node)
        (entry,) = node.journal.entries()
        assert (entry.state, entry.images) == (State.DELIVERED, 12)


def greet(context, port):
    """Shake hands; with TLS 1.3 the refusal comes with the first bytes."""
    with context.wrap_socket(
        socket.create_connection(("127.0.0.1", port)), server_hostname="127.0.0.1"
    ) as connection:
        connection.settimeout(5)
        if connection.recv(1) == b"":
            raise ConnectionError


def test_tls_by_profile(tmp_path):
    if not has_archive():
        pytest.skip("needs dcmtk")
    authority = Authority(tmp_path)
    pem = authority.issue("localhost", "127.0.0.1")
    tls = {"certfile": str(pem), "ca_file": str(authority.file)}
    made_series(tmp_path / "scan")
    with running(made_settings(tmp_path, receive={"tls": tls})) as node:
        port = node._settings.receive.port
        # Plain TCP, TLS without a certificate of ours, and an old version are refused.
        assert storescu(tmp_path / "scan", port).returncode != 0
        naked = ssl.create_default_context(cafile=str(authority.file))
        with pytest.raises((ssl.SSLError, ConnectionError)):
            greet(naked, port)
        assert node.journal.entries() == ()
        key = tmp_path / "key.pem"
        key.write_bytes(pem.read_bytes())
        more = ("+tls", str(key), str(pem), "+cf", str(authority.file))
        sent = storescu(tmp_path / "scan", port, more=more)
        assert sent.returncode == 0, sent.stderr
        wait_for(node)
        assert states(node.journal) == [State.DELIVERED]
        # Our own side of it, which sends: to a node that takes images only, so the object is refused there.
        made = DicomDestination(
            name="far",
            kind="dicom",
            host="127.0.0.1",
            port=port,
            ae_title="TEXTSEGMENT",
            calling_ae_title="SCANNER",
            tls=Tls(certfile=pem, ca_file=authority.file),
            timeout_s=60,
        )
        (result,) = node.spool.results(1).glob("*.rtstruct.dcm")
        with pytest.raises(DestinationRefusedError):
            deliver([result], made)
        with pytest.raises((DestinationUnreachableError, DestinationRefusedError)):
            deliver([result], made.model_copy(update={"tls": None}))


def test_a_port_in_use_is_told(node, tmp_path):
    with (
        pytest.raises(PortInUseError, match=str(node.port)),
        running(made_settings(tmp_path / "second", port=node.port)),
    ):
        pass


def test_an_object_that_is_too_large_ends_its_association(tmp_path):
    made_series(tmp_path / "scan", shape=(512, 512, 3))
    with running(made_settings(tmp_path, limits={"object_mb": 1})) as node:
        image = images(tmp_path / "scan")[0]
        image.add_new((0x0009, 0x0010), "LO", "TESTS")
        image.add_new((0x0009, 0x1001), "OB", bytes(4 * 2**20))
        association = associate(node._settings.receive.port, context=CTImageStorage)
        assert "Status" not in association.send_c_store(image)
        assert node.intake.refused == {"limit_exceeded": 1}
        assert node.journal.entries() == ()


def test_silence_after_the_handshake_ends_the_association(tmp_path):
    with running(made_settings(tmp_path, receive={"idle_s": 0.5})) as node:
        association = associate(node._settings.receive.port)
        assert association.is_established
        wait_until(lambda: node.service.associations == 0, "the idle association to end", 15)
        association.abort()
