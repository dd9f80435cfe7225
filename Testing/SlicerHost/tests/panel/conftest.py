from pathlib import Path

import numpy as np
import pytest
import qt
import slicer
import slicer.util
from textsegment.testing import FakeSegmenter

from slicer_host import driver, host

MODULE = Path(__file__).parents[4] / "TextSegment" / "TextSegment.py"


@pytest.fixture(scope="session")
def module():
    return host.load_module(MODULE)


@pytest.fixture
def widget(module):
    """The panel, made anew, with an engine that finds balls."""
    qt.QSettings().clear()
    slicer.util.reloadScriptedModule("TextSegment")
    widget = host.show_panel(module)
    widget.panel.engine.use(FakeSegmenter())
    yield widget
    widget.panel.cleanup()


@pytest.fixture
def ui(widget):
    return widget.ui


@pytest.fixture
def ct_node():
    return add_volume("CT chest")


@pytest.fixture
def ready(widget, ct_node):
    """The panel with an image chosen."""
    widget.ui.inputSelector.setCurrentNode(ct_node)
    return widget


def add_volume(name, shape_kji=(24, 36, 40)):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    values = np.arange(np.prod(shape_kji), dtype=np.int16).reshape(shape_kji) - 1000
    slicer.util.updateVolumeFromArray(node, values)
    node.SetSpacing(2, 2, 3)
    node.CreateDefaultDisplayNodes()
    return node


def wait_for_text(ui, part):
    driver.wait_until(lambda: part in ui.resolutionLabel.text, f"{part!r} in the meaning of the text")


def wait_for_end(widget):
    driver.wait_until(
        lambda: widget.logic.run is not None and not widget.logic.run.is_active, "end of the run"
    )
