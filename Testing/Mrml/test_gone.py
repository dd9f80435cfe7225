"""Behavior of a run when something it needs disappears, or the user clicks twice."""

import threading

import pytest
import slicer
from cases import names, to_the_end, volume_node
from textsegment.errors import BusyError, EngineLostError, InputError, ServerUnreachableError
from textsegment.testing import FakeSegmenter
from TextSegmentLib.logic import TextSegmentLogic
from TextSegmentLib.scene.run import run as run_module


class Gated(FakeSegmenter):
    """Segmenter that returns one structure, and the others only when told to."""

    def __init__(self, error=None):
        super().__init__()
        self.go_on = threading.Event()
        self._error = error
        self._count = 0

    def _work(self, cancel):
        self._count += 1
        if self._count == 2:
            self.go_on.wait(120)
            if self._error:
                raise self._error
        super()._work(cancel)


@pytest.fixture
def segmenter():
    made = Gated()
    yield made
    made.go_on.set()


def under_way(segmenter, **keywords):
    """Starts a run and waits for its first structure."""
    run = TextSegmentLogic().start(
        volume_node(), ["liver", "aorta"], modality="CT", segmenter=segmenter, **keywords
    )
    while run.rows[0].segment_id is None:
        assert run.process_events()
    return run


def test_the_volume_is_deleted(segmenter):
    """Fault 62."""
    run = under_way(segmenter)
    result = run.segmentation_node
    slicer.mrmlScene.RemoveNode(run.volume_node)
    assert not run.process_events()
    assert (run.state, run.error.code) == ("cancelled", "cancelled")
    assert names(result) == ["liver"]


def test_the_volume_was_deleted_before_its_voxels_were_read():
    """Fault 62: the memory of the voxels is kept alive while it is being read."""
    node = volume_node()
    run = TextSegmentLogic().start(node, ["liver"], modality="CT", segmenter=FakeSegmenter())
    slicer.mrmlScene.RemoveNode(node)
    del node
    to_the_end(run)
    assert run.state == "cancelled"


def test_the_volume_is_moved_without_a_transform(segmenter):
    """As "Center volume" does: later masks would lie at the volume's former place."""
    run = under_way(segmenter)
    run.volume_node.SetOrigin(1, 2, 3)
    assert not run.process_events()
    assert run.state == "cancelled"
    assert names(run.segmentation_node) == ["liver"]


def test_the_segmentation_is_deleted(segmenter):
    """Fault 63."""
    run = under_way(segmenter)
    slicer.mrmlScene.RemoveNode(run.segmentation_node)
    assert not run.process_events()
    assert (run.state, run.segmentation_node) == ("cancelled", None)
    assert run.undo() == ()
    assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode") == []


def test_the_scene_is_closed(segmenter):
    """Fault 64."""
    run = under_way(segmenter)
    slicer.mrmlScene.Clear(False)
    assert not run.process_events()
    assert run.state == "cancelled"
    # A new node that gets the old node's identifier must not be mistaken for it.
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    segmenter.go_on.set()
    assert not run.process_events()
    assert run.segmentation_node is None
    assert names(other) == []


def test_a_second_click_changes_nothing(segmenter):
    """Fault 65."""
    logic = TextSegmentLogic()
    node = volume_node()
    first = logic.start(node, ["liver", "aorta"], modality="CT", segmenter=segmenter)
    with pytest.raises(BusyError):
        logic.start(node, ["heart"], modality="CT", segmenter=segmenter)
    assert logic.run is first
    assert len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode")) == 1
    segmenter.go_on.set()
    to_the_end(first)
    assert names(first.segmentation_node) == ["liver", "aorta"]
    assert logic.start(node, ["heart"], modality="CT", segmenter=FakeSegmenter()) is logic.run
    to_the_end(logic.run)


def test_the_engine_is_lost_while_it_runs():
    """Fault 66."""
    segmenter = Gated(EngineLostError("The engine stopped.", "Start again."))
    run = under_way(segmenter)
    segmenter.go_on.set()
    to_the_end(run)
    assert (run.state, run.error.code) == ("failed", "engine_lost")
    assert [row.state for row in run.rows] == ["done", "waiting"]
    assert names(run.segmentation_node) == ["liver"]


def test_a_server_that_is_not_there_leaves_nothing_behind():
    """Fault 66."""

    class Nowhere(FakeSegmenter):
        def info(self):
            raise ServerUnreachableError("No connection.", "Check the address.")

    run = TextSegmentLogic().start(volume_node(), ["liver"], modality="CT", segmenter=Nowhere())
    to_the_end(run)
    assert (run.state, run.error.hint) == ("failed", "Check the address.")
    assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode") == []


def test_a_defect_is_an_error_too_and_not_a_run_without_end(caplog):
    class Defective(FakeSegmenter):
        def info(self):
            raise ZeroDivisionError

    run = TextSegmentLogic().start(volume_node(), ["liver"], modality="CT", segmenter=Defective())
    to_the_end(run)
    assert (run.state, run.error.code) == ("failed", "internal")
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("where", ["add_segment", "tags_for"])
def test_a_defect_in_the_scene_ends_the_run_too(monkeypatch, caplog, where):
    """sl6: an unexpected exception must not leave a run active forever."""

    def broken(*_arguments, **_keywords):
        raise ZeroDivisionError

    monkeypatch.setattr(run_module, where, broken)
    logic = TextSegmentLogic()
    run = logic.start(volume_node(), ["liver"], modality="CT", segmenter=FakeSegmenter())
    to_the_end(run)
    assert (run.state, run.error.code) == ("failed", "internal")
    assert "ZeroDivisionError" in caplog.text
    assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode") == []
    monkeypatch.undo()
    to_the_end(logic.start(volume_node(), ["liver"], modality="CT", segmenter=FakeSegmenter()))


def test_a_defect_in_a_listener_ends_the_run_too(caplog):
    """sl6."""

    def listen(run):
        if run.is_active:
            raise ZeroDivisionError

    run = TextSegmentLogic().start(
        volume_node(), ["liver"], modality="CT", segmenter=FakeSegmenter(), on_event=listen
    )
    to_the_end(run)
    assert (run.state, run.error.code) == ("failed", "internal")
    assert "ZeroDivisionError" in caplog.text


def test_cancel_is_at_once_and_keeps_what_was_found(segmenter):
    run = under_way(segmenter)
    run.cancel()
    assert (run.state, run.is_active) == ("cancelled", False)
    assert names(run.segmentation_node) == ["liver"]
    segmenter.go_on.set()
    assert not run.process_events()
    assert names(run.segmentation_node) == ["liver"]


def test_cancel_before_anything_was_found_leaves_no_empty_segmentation(segmenter):
    run = TextSegmentLogic().start(volume_node(), ["liver"], modality="CT", segmenter=FakeSegmenter(5))
    run.cancel()
    assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode") == []


def test_a_volume_that_is_written_to_while_it_is_read_is_not_segmented():
    asked, go_on = threading.Event(), threading.Event()

    class Slow(FakeSegmenter):
        def info(self):
            asked.set()
            go_on.wait(120)
            return super().info()

    node = volume_node()
    run = TextSegmentLogic().start(node, ["liver"], modality="CT", segmenter=Slow())
    assert asked.wait(120)
    slicer.util.arrayFromVolume(node)[:] = 0
    slicer.util.arrayFromVolumeModified(node)
    go_on.set()
    to_the_end(run)
    assert (run.state, run.error.code) == ("failed", "volume_invalid")
    assert "changed" in run.error.message


def test_scripts_get_the_error():
    with pytest.raises(InputError, match="No volume"):
        TextSegmentLogic().segment(None, "liver", segmenter=FakeSegmenter(), modality="CT")


def test_progress_is_told():
    seen = []
    run = TextSegmentLogic().start(
        volume_node(),
        ["liver", "aorta"],
        modality="CT",
        segmenter=FakeSegmenter(),
        on_event=lambda run: seen.append((run.state, run.fraction, run.stage)),
    )
    to_the_end(run)
    fractions = [fraction for _, fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert [state for state, _, _ in seen][-2:] == ["running", "done"]
    assert {stage for _, _, stage in seen} >= {"preparing", "finishing"}
    assert run.model.model == "fake"
    assert run.elapsed_s >= 0
