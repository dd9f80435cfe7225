"""Intake, journal and spool by themselves: versions, repetitions, full disks, age limits, damaged files."""

import resource
import time
from contextlib import contextmanager

import pydicom
import pytest
from made_clock import clock_of
from made_node import RULE, made_series, made_settings, running, states, take, wait_for
from server_process import wait_until

from textsegment.errors import (
    InputUnreadableError,
    JournalError,
    RulesError,
    SettingsError,
    SpoolFullError,
    VolumeInvalidError,
)
from textsegment.node import intake as intake_module
from textsegment.node import keeper as keeper_module
from textsegment.node.intake import Intake
from textsegment.node.journal import journal as journal_module
from textsegment.node.journal.entries import State
from textsegment.node.journal.journal import Journal
from textsegment.node.node import Node
from textsegment.node.settings import Limits
from textsegment.node.spool import Spool
from textsegment.testing import FakeSegmenter

pytestmark = pytest.mark.filterwarnings("ignore")


LIMITS = Limits(quiet_s=10, resume_s=300, free_mb=1)


@pytest.fixture
def clock(monkeypatch):
    """The clock of journal and intake, which stands still."""
    return clock_of(monkeypatch, intake_module, journal_module, stands=True)


@pytest.fixture
def parts(tmp_path, clock):
    """Journal, spool and intake without threads."""
    spool = Spool(tmp_path / "spool", LIMITS)
    journal = Journal(spool.journal)
    yield journal, spool, Intake(journal, spool, LIMITS)
    journal.close()


@pytest.fixture
def files(tmp_path):
    made_series(tmp_path / "scan")
    return [path.read_bytes() for path in sorted((tmp_path / "scan").iterdir())]


@contextmanager
def full_disk(bytes_):
    """Files of this process cannot grow beyond a size, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_complete_after_silence_and_not_while_the_sender_is_there(parts, files, clock):
    journal, _, intake = parts
    for content in files:
        intake.take(content, "SCANNER", "session")
    clock.move(20)
    assert intake.complete() == []
    intake.end_session("session", well=True)
    clock.move(9)
    assert intake.complete() == []
    clock.move(2)
    (entry,) = intake.complete()
    assert (entry.images, entry.sender, entry.interrupted) == (12, "SCANNER", False)
    assert journal.images(entry.uid, 1) == set(parts[1].images(intake.spool_key(entry)))


def test_a_process_that_ended_counts_as_interruption(tmp_path, files, clock):
    """What a new process finds half received may not be all of it."""
    for _ in range(2):
        spool = Spool(tmp_path / "spool", LIMITS)
        journal = Journal(spool.journal)
        intake = Intake(journal, spool, LIMITS)
        if not journal.entries():
            intake.take(files[0], "SCANNER", "session")
        journal.close()
    journal = Journal(spool.journal)
    intake = Intake(journal, spool, LIMITS)
    clock.move(20)
    assert intake.complete() == []
    assert states(journal) == [State.RECEIVING]
    clock.move(300)
    intake.complete()
    assert states(journal) == [State.FAILED]
    journal.close()


def test_counts_of_an_archive_hold_a_series_back(tmp_path, files, clock):
    spool = Spool(tmp_path / "spool", LIMITS)
    journal = Journal(spool.journal)
    intake = Intake(journal, spool, LIMITS, count_of=lambda entry: 12)
    for content in files[:11]:
        intake.take(content, "SCANNER", 1)
    intake.end_session(1, well=True)
    clock.move(20)
    assert intake.complete() == []
    intake.take(files[11], "SCANNER", 2)
    intake.end_session(2, well=True)
    assert [entry.images for entry in intake.complete()] == [12]  # without waiting: all are there
    intake.take(late(files), "SCANNER", 3)
    intake.end_session(3, well=True)
    clock.move(20)
    assert [entry.images for entry in intake.complete()] == [13]
    journal.close()


def late(files):
    """One more image of the series."""
    from io import BytesIO

    dataset = pydicom.dcmread(BytesIO(files[0]))
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    stream = BytesIO()
    dataset.save_as(stream)
    return stream.getvalue()


def test_a_late_image_needs_the_earlier_ones(parts, files):
    journal, spool, intake = parts
    for content in files:
        intake.take(content, "SCANNER", 1)
    intake.end_session(1, well=True, whole=True)
    (entry,) = intake.complete()
    journal.set_state(entry.id, State.DELIVERED)
    spool.remove_images(intake.spool_key(entry))
    intake.take(late(files), "SCANNER", 2)
    intake.end_session(2, well=True, whole=True)
    assert intake.complete() == []
    assert [entry.code for entry in journal.entries()] == ["", "series_incomplete"]
    for content in files:  # as the hint says
        intake.take(content, "SCANNER", 3)
    intake.end_session(3, well=True, whole=True)
    # The late one is still in the spool, since it is kept until its age limit.
    assert [entry.images for entry in intake.complete()] == [13]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", InputUnreadableError),
        (b"no DICOM" * 100, InputUnreadableError),
        (b"\0" * 128 + b"DICM" + b"\xff" * 64, InputUnreadableError),
    ],
)
def test_rubbish_is_refused(parts, content, error):
    with pytest.raises(error):
        parts[2].take(content, "SCANNER", 1)
    assert parts[0].entries() == ()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"Modality": "SEG"}, VolumeInvalidError),
        ({"Modality": "US"}, VolumeInvalidError),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.3"}, VolumeInvalidError),
        ({"StudyInstanceUID": ""}, InputUnreadableError),
        ({"SeriesInstanceUID": "../../etc/passwd"}, InputUnreadableError),
    ],
)
def test_other_objects_are_refused(parts, files, change, error):
    from io import BytesIO

    dataset = pydicom.dcmread(BytesIO(files[0]))
    for keyword, value in change.items():
        setattr(dataset, keyword, value)
    stream = BytesIO()
    dataset.save_as(stream)
    with pytest.raises(error):
        parts[2].take(stream.getvalue(), "SCANNER", 1)
    assert parts[0].entries() == ()


def test_a_full_disk_leaves_no_part_of_a_file(parts, tmp_path):
    journal, spool, intake = parts
    made_series(tmp_path / "large", shape=(600, 600, 2))
    (first, second) = (path.read_bytes() for path in sorted((tmp_path / "large").iterdir()))
    intake.take(first, "SCANNER", 1)
    with full_disk(400_000), pytest.raises(SpoolFullError, match="full"):
        intake.take(second, "SCANNER", 1)
    assert spool.is_full
    assert len(list(spool.folder.rglob("*.dcm"))) == 1
    assert not list(spool.folder.rglob("*.part"))
    intake.end_session(1, well=True, whole=True)
    assert intake.complete() == []  # an image is missing, whatever the sender thinks
    intake.take(second, "SCANNER", 2)
    intake.end_session(2, well=True, whole=True)
    assert [entry.images for entry in intake.complete()] == [2]
    assert journal.entries()[0].state is State.RECEIVING


def test_a_disk_that_is_full_while_results_are_written(tmp_path):
    """The run fails, is said with its code and next try, and succeeds when there is room."""
    made_series(tmp_path / "scan", shape=(384, 384, 40))
    settings = made_settings(tmp_path, rules=[{**RULE, "outputs": ["rtstruct", "seg", "report"]}])
    with running(settings) as node:
        with full_disk(400_000):
            take(node, tmp_path / "scan")
            wait_until(lambda: node.journal.entries()[0].code, "the full disk")
            entry = node.journal.entries()[0]
            # Linux says that the file is too large: its disk is not full here.
            assert entry.code in ("disk_full", "output_unwritable")
            assert not entry.state.is_final
            assert entry.next_at > entry.changed_at
        wait_for(node)
        assert states(node.journal) == [State.DELIVERED]
        assert sorted(path.name for path in node.spool.results(1).iterdir()) == [
            "plan.rtstruct.dcm", "plan.seg.dcm", "report.html", "report.json", "report.sr.dcm",
        ]  # fmt: skip


def test_a_disk_that_is_full_for_the_journal_itself(tmp_path):
    """No step is taken that could not be written down; all goes on when there is room."""
    made_series(tmp_path / "scan")
    with running(made_settings(tmp_path)) as node:
        take(node, tmp_path / "scan")
        with full_disk(8192):
            time.sleep(1.0)
        wait_for(node)
        assert states(node.journal) == [State.DELIVERED]
        assert len(node.spool.prepared()) == 1


def test_a_spool_is_bounded_and_makes_room_by_what_was_served(tmp_path):
    settings = made_settings(tmp_path, limits={"spool_mb": 1})
    made_series(tmp_path / "one", 1, shape=(256, 256, 5))
    made_series(tmp_path / "two", 2, shape=(256, 256, 5))
    with running(settings) as node:
        take(node, tmp_path / "one")
        wait_for(node)
        assert node.spool.size_bytes > 2**19
        with pytest.raises(SpoolFullError, match="limit"):
            take(node, tmp_path / "two")
        node.intake.end_session(node, well=False)
        wait_until(lambda: node.spool.size_bytes < 2**19, "room")
        take(node, tmp_path / "two")
        wait_for(node, 2)
        assert [entry.state for entry in node.journal.entries()] == [State.DELIVERED] * 2


def test_old_things_leave_the_spool_and_then_the_journal(tmp_path, monkeypatch):
    clock = clock_of(monkeypatch, keeper_module)
    made_series(tmp_path / "scan")
    settings = made_settings(tmp_path, limits={"keep_days": 10, "journal_days": 25})
    with running(settings) as node:
        take(node, tmp_path / "scan")
        wait_for(node)
        clock.move(11 * 86400)
        node._keeper.expire()
        assert (node.spool.incoming(), node.spool.prepared()) == ((), ())
        assert states(node.journal) == [State.DELIVERED]
        take(node, tmp_path / "scan")
        assert states(node.journal) == [State.DELIVERED]  # still known
        clock.move(15 * 86400)
        node._keeper.expire()
        assert node.journal.entries() == ()


def test_what_the_engine_cannot_do_is_failed_with_its_code_and_kept(tmp_path):
    made_series(tmp_path / "scan", shape=(32, 30, 12))
    made_series(tmp_path / "gap", 1, shape=(32, 30, 12))
    sorted((tmp_path / "gap").iterdir())[5].unlink()
    with running(made_settings(tmp_path, rules=[{**RULE, "text": "spleen"}])) as node:
        take(node, tmp_path / "scan")
        take(node, tmp_path / "gap")
        wait_for(node, 2)
        nothing, gap = node.journal.entries()
        assert (nothing.state, nothing.code) == (State.FAILED, "nothing_found")
        assert "None of the structures was found" in nothing.reason
        assert (gap.state, gap.code) == (State.FAILED, "series_incomplete")
        assert "allow_gaps" in gap.hint
        assert node.spool.prepared() == ()
        assert len(node.spool.incoming()) == 2


def test_gaps_are_allowed_where_a_rule_says_so(tmp_path):
    made_series(tmp_path / "gap")
    sorted((tmp_path / "gap").iterdir())[5].unlink()
    with running(made_settings(tmp_path, rules=[{**RULE, "allow_gaps": True}])) as node:
        take(node, tmp_path / "gap")
        wait_for(node)
        assert states(node.journal) == [State.DELIVERED]


class Unlucky(FakeSegmenter):
    """Fails twice in ways that pass, then works."""

    def __init__(self):
        super().__init__()
        self.errors = [OSError("secret: /home/patient"), None]

    def segment(self, *arguments, **options):
        if self.errors and (error := self.errors.pop(0)):
            raise error
        return super().segment(*arguments, **options)


def test_a_defect_is_tried_again_and_its_text_is_not_told(tmp_path):
    made_series(tmp_path / "scan")
    with running(made_settings(tmp_path), Unlucky()) as node:
        take(node, tmp_path / "scan")
        wait_for(node)
        (entry,) = node.journal.entries()
        assert (entry.state, entry.attempts) == (State.DELIVERED, 2)
        told = str(node.journal.history(1))
        assert "internal" in told
        assert "secret" not in told


def test_one_node_has_one_folder(tmp_path):
    settings = made_settings(tmp_path)
    with running(settings), pytest.raises(SettingsError, match="Another node"):
        Node(settings, FakeSegmenter())


def test_a_folder_with_other_things_is_refused_and_left_alone(tmp_path):
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "thesis.txt").write_text("precious")
    with pytest.raises(SettingsError, match="other files"):
        Node(made_settings(tmp_path), FakeSegmenter())
    assert (tmp_path / "spool" / "thesis.txt").read_text() == "precious"


def test_a_damaged_journal_is_told(tmp_path):
    (tmp_path / "journal.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(JournalError):
        Journal(tmp_path / "journal.sqlite")
    with pytest.raises(JournalError, match="no journal yet"):
        Journal(tmp_path / "none.sqlite", read_only=True)


def test_identifiers_stay_in_the_form_of_the_journal(tmp_path):
    Journal(tmp_path / "journal.sqlite", hashed=True).close()
    with pytest.raises(JournalError, match="other form"):
        Journal(tmp_path / "journal.sqlite")


def test_a_rule_that_the_model_cannot_carry_out_stops_the_start(tmp_path):
    settings = made_settings(tmp_path, rules=[{**RULE, "text": "brainstem"}])
    with pytest.raises(SettingsError, match="all CT"):
        Node(settings, FakeSegmenter(structures={"CT": ["liver"]}))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"receive": None}, "no images can arrive"),
        ({"rules": None}, "there is no rule"),
        ({"rules": [RULE, RULE]}, "two rules have the same name"),
        ({"rules": [{**RULE, "destinations": ["nowhere"]}]}, "nowhere, which is no destination"),
        ({"receive": {"peers": []}}, "receive.peers"),
        ({"receive": {"peers": [{"ae_title": "A\\B", "address": "127.0.0.1"}]}}, "AE title"),
        ({"receive": {"peers": [{"ae_title": "A", "address": "scanner.example"}]}}, "address"),
        ({"engine": {"server": "http://127.0.0.1:1", "model": "sat-nano"}}, "operator decides"),
        ({"limits": {"quiet": 3}}, "Did you mean quiet_s?"),
        ({"limits": {"quiet_s": -1}}, "limits.quiet_s"),
        ({"limits": {"counts_from": "nobody"}}, "nobody is no DICOMweb service"),
        ({"polls": [{"name": "a", "url": "ftp://x"}]}, "an address is http"),
        ({"polls": [{"name": "a", "url": "http://user:secret@x/"}]}, "without a user name"),
        ({"destinations": [{"name": "a", "kind": "smtp"}]}, "destinations.1"),
    ],
)
def test_mistakes_in_the_configuration(tmp_path, changes, told):
    with pytest.raises(RulesError) as caught:
        made_settings(tmp_path, **changes)
    assert told in caught.value.message
    assert "secret" not in caught.value.message
