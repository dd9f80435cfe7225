"""The runner: the engine does not wait for files, and a second version waits for the first."""

from threading import Event

import pytest
from made_node import made_series, made_settings, running, states, take, wait_for

from textsegment.node.journal.entries import State
from textsegment.node.products import ProductWriter
from textsegment.testing import FakeSegmenter

pytestmark = pytest.mark.filterwarnings("ignore")


class Counting(FakeSegmenter):
    """Counts its calls; ``second`` is set by the second one."""

    def __init__(self):
        super().__init__()
        self.calls, self.second = 0, Event()

    def segment(self, *arguments, **options):
        self.calls += 1
        if self.calls == 2:
            self.second.set()
        return super().segment(*arguments, **options)


def test_the_engine_goes_on_while_results_are_written(tmp_path, monkeypatch):
    segmenter, finish, was_early = Counting(), ProductWriter.finish, []

    def late(writer, job):
        was_early.append(segmenter.second.wait(60))
        finish(writer, job)

    monkeypatch.setattr(ProductWriter, "finish", late)
    with running(made_settings(tmp_path), segmenter) as node:
        for number in range(2):
            made_series(tmp_path / f"scan{number}", number)
            take(node, tmp_path / f"scan{number}")
        wait_for(node, 2)
        assert was_early == [True, True]
        assert states(node.journal) == [State.DELIVERED] * 2


def test_a_full_journal_while_results_are_recorded_is_made_up_for(tmp_path, monkeypatch):
    """The series stays where it was, and is taken up again."""
    from textsegment.errors import JournalError
    from textsegment.node.journal.journal import Journal

    add, failures = Journal.add_results, iter([True, False])

    def full_once(journal, *arguments):
        if next(failures, False):
            raise JournalError("The disk of the journal is full.", "Free some room.")
        add(journal, *arguments)

    monkeypatch.setattr(Journal, "add_results", full_once)
    made_series(tmp_path / "scan")
    with running(made_settings(tmp_path)) as node:
        take(node, tmp_path / "scan")
        wait_for(node)
        assert states(node.journal) == [State.DELIVERED]
        assert node.spool.prepared() == (1,)
