"""What a run costs, said before the network runs, and the time left while it does."""

import threading

import pytest
from textsegment.segmenter import Estimated, Progress
from textsegment.testing import FakeSegmenter
from TextSegmentLib.panel.run.progress_text import cost_of, roughly

from slicer_host import driver


class Estimating(FakeSegmenter):
    """Says what it will cost, and goes on when it is told to."""

    def __init__(self, *events):
        super().__init__()
        self.events, self.go_on = events, threading.Event()

    def segment(self, volume, prompts, *, on_event, **options):
        for event in self.events:
            on_event(event)
        assert self.go_on.wait(120)
        return super().segment(volume, prompts, on_event=on_event, **options)


def start(hands, *events):
    engine = Estimating(*events)
    hands.panel.engine.use(engine)
    hands.ui.promptEdit.text = "liver"
    hands.wait_until_offered()
    driver.click(hands.ui.segmentButton)
    return engine


def label(hands):
    return hands.ui.progressLabel.text


def test_cost_and_time_left_are_said_before_the_network_runs(hands):
    """Issue 11.6."""
    engine = start(hands, Progress(0.0, "preparing"), Estimated(96, 400.0, 3 * 2**30))
    driver.wait_until(lambda: "96 patches" in label(hands), "the cost")
    assert "96 patches, about 7 min, 3.0 GiB of memory" in label(hands)
    assert "about 7 min left" in label(hands)
    assert hands.ui.cancelButton.visible
    engine.go_on.set()
    hands.wait_for_end()
    assert "patches" not in label(hands)
    assert "left" not in label(hands)


def test_pace_of_the_work_corrects_a_wrong_estimate(hands):
    """Issue 11.6: an estimate of an hour, and half of the work is done within a moment."""
    engine = start(hands, Estimated(96, 3600.0, 2**30), Progress(0.5, "encoding"))
    driver.wait_until(lambda: "Looking at the image" in label(hands), "the progress")
    assert hands.widget.logic.run.seconds_left < 60
    engine.go_on.set()
    hands.wait_for_end()
    assert hands.widget.logic.run.seconds_left is None


@pytest.mark.parametrize("events", [(), (Estimated(0, 0.0, 2**30),), (Estimated(4, None, 2**30),)])
def test_what_is_not_known_is_not_said(hands, events):
    """Issue 11.6: an engine without estimate, a scan that was encoded before, a machine never measured."""
    engine = start(hands, *events, Progress(0.01, "encoding"))
    driver.wait_until(lambda: "Looking" in label(hands), "the progress")
    assert "0 patches" not in label(hands)
    assert "None" not in label(hands)
    assert ("4 patches, 1.0 GiB of memory" in label(hands)) == (bool(events) and events[0].patches == 4)
    engine.go_on.set()
    hands.wait_for_end()


def test_costs_in_words():
    assert cost_of(Estimated(1, 12.2, 1100 * 2**20)) == "1 patch, about 12 s, 1.1 GiB of memory"
    assert [roughly(seconds) for seconds in (0.2, 89, 200, 9000)] == ["1 s", "89 s", "3 min", "2 h 30 min"]
