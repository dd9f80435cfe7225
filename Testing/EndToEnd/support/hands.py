"""User actions on the panel and the engine on this computer."""

import re
from pathlib import Path

from slicer_host import driver

MODULE = Path(__file__).parents[3] / "TextSegment" / "TextSegment.py"


class Hands:
    """Operates the panel through its widgets alone.

    Args:
        widget: ``TextSegmentWidget`` of the module.
    """

    def __init__(self, widget) -> None:
        self.widget, self.ui = widget, widget.panel.ui

    @property
    def run(self):
        """Run that was started last."""
        return self.widget.logic.run

    def start_engine(self) -> None:
        """Starts the engine on this computer with its button, and waits until it is ready."""
        start, stop = self.ui.startButton, self.ui.stopButton
        driver.wait_until(lambda: start.enabled or stop.enabled, "a button to start the engine")
        if start.enabled:
            self.open(self.ui.engineButton)
            driver.click(start)
        driver.wait_until(lambda: self.widget.panel.engine.model is not None, "the engine", timeout_s=300)

    def open(self, section) -> None:
        """Opens a section of the panel if it is collapsed."""
        if section.collapsed:
            driver.click(section)

    def segment(self, text: str) -> None:
        """Types a text and clicks the button that starts a run."""
        self.ui.promptEdit.text = ""
        driver.type_text(self.ui.promptEdit, text)
        driver.wait_until(lambda: self.ui.segmentButton.enabled, "a button to click")
        driver.click(self.ui.segmentButton)

    def answer(self, words: str) -> None:
        """Answers the question in the message by clicking the choice with these words."""
        links = re.findall(r"<a href='(\d+)'>(.*?)</a>", self.ui.messageLabel.text)
        self.ui.messageLabel.linkActivated.emit(next(link for link, text in links if words in text))

    def wait_for_end(self, timeout_s: float = 300) -> None:
        """Waits until the run is over."""
        driver.wait_until(lambda: not self.run.is_active, "the end of the run", timeout_s)

    def leave(self) -> None:
        """Stops whatever a test has left running, and clears the text."""
        if self.run is not None:
            self.run.cancel()
        self.ui.promptEdit.text = ""
