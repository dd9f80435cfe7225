import re
import threading
from pathlib import Path

import numpy as np
import pytest
import qt
import slicer
import slicer.util
from textsegment.errors import OutOfMemoryError
from textsegment.testing import FakeSegmenter
from TextSegmentLib import settings

from slicer_host import driver, host

MODULE = Path(__file__).parents[4] / "TextSegment" / "TextSegment.py"


class Failing(FakeSegmenter):
    """An engine whose memory does not suffice."""

    def segment(self, *_arguments, **_options):
        raise OutOfMemoryError("The graphics card has no memory left.", "Close other programs <now>.")


class Held(FakeSegmenter):
    """An engine that finds so many structures, and the others only when it may go on."""

    def __init__(self, found, error):
        super().__init__()
        self.go_on = threading.Event()
        self._found, self._error = found, error

    def segment(self, *arguments, **options):
        result = super().segment(*arguments, **options)
        if self._error is not None:
            raise self._error
        return result

    def _work(self, cancel):
        self._found -= 1
        while self._found < 0 and not self.go_on.wait(0.01):
            cancel.raise_if_cancelled()
        super()._work(cancel)


class Hands:
    """What a user does with the panel, and what is seen then."""

    def __init__(self, widget):
        self.widget, self.ui, self.panel = widget, widget.ui, widget.panel

    def type(self, text):
        driver.type_text(self.ui.promptEdit, text)

    def wait_for_meaning(self, part):
        driver.wait_until(lambda: part in self.ui.resolutionLabel.text, f"{part!r} below the text")

    def wait_until_read(self):
        driver.wait_until(lambda: not self.panel.prompt.is_unread, "the meaning of the text")

    def wait_until_offered(self):
        driver.wait_until(lambda: self.ui.segmentButton.enabled, "a button to press")

    def hold(self, found=0, error=None):
        """Have runs wait after so many structures until they may go on, and fail at the end if so told."""
        self._held = Held(found, error)
        self.panel.engine.use(self._held)

    def go_on(self):
        self._held.go_on.set()

    def fail(self):
        """Have every run fail."""
        self.panel.engine.use(Failing())

    def start(self, text):
        self.ui.promptEdit.text = text
        self.wait_until_offered()
        driver.click(self.ui.segmentButton)

    def segment(self, text):
        self.start(text)
        self.wait_for_end()

    def answer(self, words):
        """Click the link with these words in the message."""
        links = re.findall(r"<a href='(\d+)'>(.*?)</a>", self.ui.messageLabel.text)
        self.ui.messageLabel.linkActivated.emit(next(link for link, text in links if words in text))

    @property
    def node(self):
        """Segmentation node of the last run."""
        return self.widget.logic.run.segmentation_node

    def segment_names(self):
        segmentation = self.node.GetSegmentation()
        return [segmentation.GetNthSegment(n).GetName() for n in range(segmentation.GetNumberOfSegments())]

    def wait_for_end(self):
        run = self.widget.logic.run
        driver.wait_until(lambda: run is not None and not run.is_active, "the end of the run")

    def rows(self):
        """Return name, state, millilitres and confidence as the table has them, row by row."""
        model = self.ui.resultsTable.tableWidget().model()
        columns = (3, *range(6, 9))
        return [[model.index(row, column).data() for column in columns] for row in range(model.rowCount())]

    def states(self):
        """Return names and states of the table."""
        return [row[:2] for row in self.rows()]

    @property
    def note(self):
        """What stands below the table, without its links."""
        return re.sub(r"<.*?>", "", self.ui.resultsNoteLabel.text)

    def select_row(self, name):
        view = self.ui.resultsTable.tableWidget()
        view.setFocus()
        view.selectRow([texts[0] for texts in self.rows()].index(name))

    def tree_item(self, *names):
        """Return the item of the anatomy tree below these names, opened on the way."""
        view = self.ui.anatomyTree
        item = view.model().invisibleRootItem()
        for name in names:
            if item.index().isValid():
                view.expand(item.index())
            children = [item.child(row) for row in range(item.rowCount())]
            item = next(child for child in children if child.text().lower() == name.lower())
        return item

    def names(self, *above):
        """Return the names of the terms below these names in the anatomy tree."""
        item = self.tree_item(*above)
        if item.index().isValid():
            self.ui.anatomyTree.expand(item.index())
        return [item.child(row).text() for row in range(item.rowCount())]


@pytest.fixture(scope="session")
def module():
    return host.load_module(MODULE)


@pytest.fixture
def widget(module):
    """The panel, made anew."""
    qt.QSettings().clear()
    settings.set_uses_server(True)  # so that no process looks for the engine on this computer
    slicer.util.reloadScriptedModule("TextSegment")
    widget = host.show_panel(module)
    widget.parent.activateWindow()
    widget.panel.engine.use(FakeSegmenter())
    yield widget
    widget.parent.exit()


@pytest.fixture
def hands(widget):
    """The panel with an engine that finds balls, and a CT chosen."""
    widget.ui.inputSelector.setCurrentNode(add_volume("CT chest"))
    return Hands(widget)


def add_volume(name, shape_kji=(24, 36, 40)):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    values = np.arange(np.prod(shape_kji), dtype=np.int32).reshape(shape_kji) - 1000
    slicer.util.updateVolumeFromArray(node, values)
    node.SetSpacing(2, 2, 3)
    node.CreateDefaultDisplayNodes()
    return node
