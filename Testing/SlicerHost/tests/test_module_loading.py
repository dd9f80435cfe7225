import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest
import qt
import slicer
import slicer.util

from slicer_host import driver
from slicer_host.liveness import Gate


def test_module_is_known_and_its_startup_hook_was_called(tiny_module):
    assert slicer.modules.tiny is tiny_module
    assert slicer.modules.TinyInstance.was_started
    assert slicer.util.getModule("Tiny") is tiny_module


def test_panel_of_the_ui_file_is_bound_to_the_scene(tiny):
    assert tiny.ui.volumeSelector.mrmlScene() is slicer.mrmlScene
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    tiny.ui.volumeSelector.setCurrentNode(node)
    assert tiny.chosen[-1] is node


def test_properties_of_stand_ins_in_the_ui_file_are_applied(tiny):
    assert tiny.ui.moreButton.collapsed
    assert tiny.ui.pathEdit.filters == 0x42
    assert not tiny.ui.volumeSelector.addEnabled
    assert tiny.ui.runButton.toolTip == "<p>Runs</p>"


def test_click_starts_work_that_ends_in_the_event_loop(tiny):
    driver.click(tiny.ui.runButton)
    assert tiny.ui.runButton.text == "Running"
    driver.wait_until(lambda: tiny.ui.runButton.text == "Done", "end")


def test_text_is_typed_after_its_section_was_opened(tiny):
    with pytest.raises(AssertionError, match="can't be seen"):
        driver.type_text(tiny.ui.textEdit, "liver")
    driver.click(tiny.ui.moreButton)
    driver.type_text(tiny.ui.textEdit, "liver")
    driver.press(tiny.ui.textEdit, qt.Qt.Key_Backspace)
    assert tiny.ui.textEdit.text == "live"
    driver.click(tiny.ui.moreButton)


def test_error_in_a_slot_fails_the_wait(tiny):
    qt.QTimer.singleShot(0, lambda: 1 / 0)
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        driver.wait_until(lambda: False, "never")
    assert len(driver.take_exceptions()) == 1


def test_reload_cleans_up_and_makes_the_panel_anew(tiny_module, tiny):
    slicer.util.reloadScriptedModule("Tiny")
    assert tiny.cleaned
    assert slicer.modules.TinyWidget is not tiny
    assert slicer.modules.TinyWidget.ui.runButton.text == "Run"


def test_picture_of_panel_and_views_shows_both(tiny, tmp_path):
    import numpy as np

    from slicer_host import pictures

    volume_node = slicer.util.addVolumeFromArray(np.full((20, 20, 20), 100, dtype=np.int16), name="CT")
    driver.fit_panel(tiny.parent)
    with contextlib.closing(pictures.FourUp(volume_node, (100, 90))) as views:
        picture = pictures.panel_beside_views(tiny.parent, views)
    pictures.save(picture, tmp_path / "all.png")
    image = qt.QImage(str(tmp_path / "all.png"))
    assert (image.width(), image.height()) == (400 + 2 + 202, max(tiny.parent.height, 182))
    assert picture[2, 402 + 50].tolist() == [242, 74, 51]  # the axial view's bar


def test_panel_that_needs_more_width_is_reported(tiny):
    tiny.ui.runButton.minimumWidth = 500
    with pytest.raises(AssertionError, match="needs"):
        driver.fit_panel(tiny.parent, width=400)
    tiny.ui.runButton.minimumWidth = 0


def test_segment_editor_takes_the_segment_that_its_node_names(tiny):
    segmentation_node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    ids = [segmentation_node.GetSegmentation().AddEmptySegment("", name) for name in ("liver", "spleen")]
    slicer.util.selectModule("SegmentEditor")
    assert not tiny.parent.isEntered
    editor = slicer.util.getModuleWidget("SegmentEditor").editor
    assert editor.currentSegmentID() == ids[0]
    editor.setCurrentSegmentID(ids[1])
    node = slicer.mrmlScene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    assert node.GetSelectedSegmentID() == ids[1]


class Slow:
    """Work that windows must not wait for."""

    def work(self):
        return "done"


def test_gate_lets_work_pass_while_the_windows_live(monkeypatch):
    with ThreadPoolExecutor(1) as pool, Gate() as gate:
        gate.hold(monkeypatch, Slow, "work")
        working = pool.submit(Slow().work)
        driver.wait_until(working.done, "the work")
    assert working.result() == "done"
    assert gate.passed == ["work"]


def swallowed(gate):
    """Work on this thread, whose failure nobody sees, as in a slot of Qt."""
    with gate, contextlib.suppress(AssertionError):
        Slow().work()


def waited_for(gate):
    """Work in another thread, for which this one waits."""
    with ThreadPoolExecutor(1) as pool, gate:
        pool.submit(Slow().work).exception()


@pytest.mark.parametrize(
    ("do", "reason"),
    [
        (swallowed, "work runs on the thread of the windows"),
        (waited_for, "windows stood still during work"),
    ],
)
def test_gate_refuses_work_that_holds_up_the_windows(monkeypatch, do, reason):
    gate = Gate(patience_s=0.1)
    gate.hold(monkeypatch, Slow, "work")
    with pytest.raises(AssertionError, match=reason):
        do(gate)
