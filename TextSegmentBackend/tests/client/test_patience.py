"""How long what is waited for."""

import pytest

from textsegment.client import retry as patience_module
from textsegment.client.retry import RetryPolicy
from textsegment.errors import (
    BusyError,
    EngineLostError,
    ServerUnreachableError,
    StreamBrokenError,
    TlsError,
    UnauthorizedError,
)

LOST = StreamBrokenError("The connection broke.")


class Clock:
    """Time that passes in pauses only."""

    def __init__(self):
        self.now = 100.0
        self.pauses = []

    def monotonic(self):
        return self.now

    def pause(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(patience_module, "time", clock)
    return clock


def endured(retry, error, most=1000):
    """How often a failure in a row is endured."""
    for number in range(most):
        try:
            retry.wait_or_raise(error)
        except type(error):
            return number
    return most


def reached(clock):
    retry = RetryPolicy(60, 100, clock.pause)
    retry.reached()
    return retry


def test_pauses_grow_and_patience_ends(clock):
    count = endured(reached(clock), LOST)
    assert 12 <= count <= 35
    assert 60 <= sum(clock.pauses) <= 66
    assert 0.1 <= clock.pauses[0] <= 0.25
    assert 2.5 <= clock.pauses[-1] <= 5


def test_progress_makes_patient_again(clock):
    retry = reached(clock)
    for _ in range(5):
        assert endured(retry, LOST, most=8) == 8
        retry.progressed()


def test_one_failure_is_endured_however_late_it_comes(clock):
    retry = reached(clock)
    clock.now += 10_000
    assert endured(retry, LOST) > 5


def test_before_the_server_was_reached_only_a_stale_connection_is_replaced(clock):
    assert endured(RetryPolicy(60, 100, clock.pause), LOST) == 1
    assert endured(RetryPolicy(60, 100, clock.pause), ServerUnreachableError("Refused.")) == 0
    assert endured(reached(clock), ServerUnreachableError("Refused.")) > 5


@pytest.mark.parametrize("error", [TlsError("Unknown."), UnauthorizedError("Wrong.")])
def test_what_does_not_pass(clock, error):
    assert endured(reached(clock), error) == 0


def test_engines_are_lost_twice_at_most_in_spite_of_progress(clock):
    retry = reached(clock)
    for _ in range(2):
        retry.wait_or_raise(EngineLostError("Gone."))
        retry.progressed()
    with pytest.raises(EngineLostError):
        retry.wait_or_raise(EngineLostError("Gone."))


def test_a_busy_server_is_never_asked_before_the_time(clock):
    retry = reached(clock)
    count = endured(retry, BusyError("Full.", retry_after_s=10))
    assert 8 <= count <= 10
    assert all(10 <= pause <= 12 for pause in clock.pauses)
    assert endured(reached(clock), BusyError("Full.", retry_after_s=101)) == 0
