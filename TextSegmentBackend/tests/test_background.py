"""One owner of work in threads: for the client, and for Slicer."""

import threading

import pytest

from textsegment.background import BackgroundTask
from textsegment.errors import CancelledError


def test_reports_come_in_order_and_before_the_end():
    task = BackgroundTask(lambda report, cancel: [report(n) for n in range(100)] and "end").start()
    assert task.wait(120)
    assert not task.is_over
    assert list(task.reports()) == list(range(100))
    assert task.is_over
    assert task.result() == "end"


def test_an_error_is_raised_where_it_was_asked_for():
    def work(report, cancel):
        raise KeyError("why")

    task = BackgroundTask(work).start()
    assert task.wait(120)
    with pytest.raises(KeyError, match="why"):
        task.result()


def test_reports_ahead_are_bounded_and_a_worker_that_waits_can_be_stopped():
    made, full = [], threading.Event()

    def work(report, cancel):
        for number in range(100):
            report(number)
            made.append(number)
            if number == 2:
                full.set()

    task = BackgroundTask(work, reports_ahead=3).start()
    assert task.wait_for_news(120)
    assert full.wait(120)
    assert not task.wait(0.2)
    assert made == [0, 1, 2]
    reports = task.reports()
    assert [next(reports) for _ in range(3)] == [0, 1, 2]
    task.cancel()
    assert task.wait(120)
    with pytest.raises(CancelledError):
        task.result()
    assert len(made) <= 6


def test_nobody_waits_for_a_worker_that_hangs():
    go_on = threading.Event()
    task = BackgroundTask(lambda report, cancel: go_on.wait(60)).start()
    assert list(task.reports()) == []
    assert not task.wait_for_news(0.01)
    assert not task.is_over  # it would be if any of these had waited for it
    go_on.set()
    assert task.wait(120)
