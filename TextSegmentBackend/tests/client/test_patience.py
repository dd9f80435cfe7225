"""How long what is waited for."""

import pytest

from textsegment.client import patience as patience_module
from textsegment.client.patience import Patience
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


def endured(patience, error, most=1000):
    """How often a failure in a row is endured."""
    for number in range(most):
        try:
            patience.endure(error)
        except type(error):
            return number
    return most


def reached(clock):
    patience = Patience(60, 100, clock.pause)
    patience.reached()
    return patience


def test_pauses_grow_and_patience_ends(clock):
    count = endured(reached(clock), LOST)
    assert 12 <= count <= 35
    assert 60 <= sum(clock.pauses) <= 66
    assert 0.1 <= clock.pauses[0] <= 0.25
    assert 2.5 <= clock.pauses[-1] <= 5


def test_progress_makes_patient_again(clock):
    patience = reached(clock)
    for _ in range(5):
        assert endured(patience, LOST, most=8) == 8
        patience.progressed()


def test_one_failure_is_endured_however_late_it_comes(clock):
    patience = reached(clock)
    clock.now += 10_000
    assert endured(patience, LOST) > 5


def test_before_the_server_was_reached_only_a_stale_connection_is_replaced(clock):
    assert endured(Patience(60, 100, clock.pause), LOST) == 1
    assert endured(Patience(60, 100, clock.pause), ServerUnreachableError("Refused.")) == 0
    assert endured(reached(clock), ServerUnreachableError("Refused.")) > 5


@pytest.mark.parametrize("error", [TlsError("Unknown."), UnauthorizedError("Wrong.")])
def test_what_does_not_pass(clock, error):
    assert endured(reached(clock), error) == 0


def test_engines_are_lost_twice_at_most_in_spite_of_progress(clock):
    patience = reached(clock)
    for _ in range(2):
        patience.endure(EngineLostError("Gone."))
        patience.progressed()
    with pytest.raises(EngineLostError):
        patience.endure(EngineLostError("Gone."))


def test_a_busy_server_is_never_asked_before_the_time(clock):
    patience = reached(clock)
    count = endured(patience, BusyError("Full.", retry_after_s=10))
    assert 8 <= count <= 10
    assert all(10 <= pause <= 12 for pause in clock.pauses)
    assert endured(reached(clock), BusyError("Full.", retry_after_s=101)) == 0
