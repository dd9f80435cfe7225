"""The table of results: what its rows show, and what clicks and keys on them do."""

import pytest
import qt
import slicer
from doubtful import Doubtful

from slicer_host import driver
from slicer_host.widgets.segments_model import COLOR_ROLE


def test_click_on_a_row_centres_the_views(hands):
    slice_node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode", "Red")
    camera_node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLCameraNode")
    hands.segment("liver")
    run = hands.widget.logic.run
    center = [0.0] * 3
    run.segmentation_node.GetSegmentCenterRAS(run.rows[0].segment_id, center)
    assert any(abs(part) > 1 for part in center)
    view = hands.ui.resultsTable.tableWidget()
    view.clicked.emit(view.model().index(0, 3))
    matrix = slice_node.GetSliceToRAS()
    assert [matrix.GetElement(row, 3) for row in range(3)] == pytest.approx(center)
    assert list(camera_node.GetFocalPoint()) == pytest.approx(center)


def test_rows_are_accepted_deleted_and_looked_for_again(hands):
    hands.segment("liver, aorta, pancreas")
    hands.select_row("liver")
    driver.click(hands.ui.acceptButton)
    assert hands.rows()[0][1] == "accepted"
    assert not hands.ui.acceptButton.enabled
    hands.select_row("aorta")
    driver.click(hands.ui.deleteButton)
    assert hands.segment_names() == ["liver", "pancreas"]
    assert hands.note == "Removed: aorta"
    hands.ui.resultsNoteLabel.linkActivated.emit(hands.panel.results.shown.rows[1].key)
    hands.wait_for_end()
    assert sorted(hands.segment_names()) == ["aorta", "liver", "pancreas"]
    assert ["aorta", "done"] in hands.states()
    assert hands.note == ""
    hands.select_row("pancreas")
    driver.click(hands.ui.redoButton)
    hands.wait_for_end()
    assert sorted(hands.segment_names()) == ["aorta", "liver", "pancreas"]


def test_segment_editor_opens_with_the_segment(hands):
    hands.segment("liver, aorta")
    hands.select_row("aorta")
    driver.click(hands.ui.editorButton)
    editor = slicer.mrmlScene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    run = hands.widget.logic.run
    assert slicer.util.selectedModule() == "SegmentEditor"
    assert editor.GetSegmentationNode() is run.segmentation_node
    assert editor.GetSelectedSegmentID() == run.rows[1].segment_id
    assert editor.GetSourceVolumeNode() is run.volume_node


def test_rows_follow_names_and_colours(hands):
    """sl3."""
    hands.segment("liver")
    made = hands.node.GetSegmentation().GetNthSegment(0)
    made.SetName("my liver")
    made.SetColor(1.0, 0.0, 1.0)
    driver.wait_until(lambda: hands.rows()[0][0] == "my liver", "the new name")
    model = hands.ui.resultsTable.tableWidget().model()
    assert model.index(0, 1).data(COLOR_ROLE).name() == "#ff00ff"


def test_rows_of_a_deleted_segmentation_can_be_clicked(hands):
    """sl3."""
    hands.segment("liver")
    hands.select_row("liver")
    slicer.mrmlScene.RemoveNode(hands.node)
    driver.run_events(100)
    for button in ("acceptButton", "deleteButton", "redoButton", "undoButton", "editorButton"):
        assert not getattr(hands.ui, button).enabled, button
    results = hands.panel.results.shown
    if results is not None:
        assert [row.state for row in results.rows] == ["removed"]
        results.accept(results.rows[0])
        results.delete(results.rows[0])
        assert results.undo() == ()


def test_surfaces_are_shown_and_taken_away(hands):
    hands.segment("liver")
    driver.click(hands.ui.show3DButton)
    assert hands.node.GetSegmentation().ContainsRepresentation("Closed surface")
    driver.click(hands.ui.show3DButton)
    assert not hands.node.GetSegmentation().ContainsRepresentation("Closed surface")


def test_segment_that_somebody_else_removes_is_shown_as_removed(hands):
    hands.segment("liver")
    hands.node.GetSegmentation().RemoveSegment(hands.widget.logic.run.rows[0].segment_id)
    driver.wait_until(lambda: hands.note == "Removed: liver", "the line that says so")
    assert hands.rows() == []


def press(hands, key):
    driver.press(hands.ui.resultsTable.tableWidget(), key)


def center_of(hands, name):
    node = hands.node
    segment_id = node.GetSegmentation().GetSegmentIdBySegmentName(name)
    return list(node.GetSegmentCenterRAS(segment_id))


def test_results_are_in_the_table_of_slicer_with_all_segments(hands):
    """sl7: eye, opacity, colour, filter and menu are those that users know; drawn segments are there too."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Mine")
    node.CreateDefaultDisplayNodes()
    node.GetSegmentation().AddEmptySegment("mine", "my tumour")
    hands.ui.outputSelector.setCurrentNode(node)
    hands.segment("liver")
    assert hands.ui.resultsTable.className() == "qMRMLSegmentsTableView"
    assert hands.states() == [["my tumour", ""], ["liver", "done"]]
    assert hands.ui.resultsTable.opacityColumnVisible
    hands.select_row("my tumour")
    assert not hands.ui.acceptButton.enabled
    assert not hands.ui.deleteButton.enabled


def test_arrow_keys_centre_the_views(hands):
    """sl7."""
    slice_node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode", "Red")
    hands.segment("liver, aorta")
    hands.select_row("liver")
    press(hands, qt.Qt.Key_Down)
    matrix = slice_node.GetSliceToRAS()
    assert [matrix.GetElement(row, 3) for row in range(3)] == pytest.approx(center_of(hands, "aorta"))


def test_space_switches_the_eyes_of_what_is_selected(hands):
    """sl7."""
    hands.segment("liver, aorta")
    display_node = hands.node.GetDisplayNode()
    hands.ui.resultsTable.tableWidget().selectAll()
    hands.ui.resultsTable.tableWidget().setFocus()
    for visible in (False, True):
        press(hands, qt.Qt.Key_Space)
        ids = hands.node.GetSegmentation().GetSegmentIDs()
        assert [display_node.GetSegmentVisibility(each) for each in ids] == [visible] * 2


def test_a_accepts_and_goes_on_to_the_next(hands):
    """sl7: a run is looked through with one hand."""
    hands.segment("liver, aorta, pancreas")
    hands.select_row("liver")
    press(hands, qt.Qt.Key_A)
    assert hands.states()[0] == ["liver", "accepted"]
    assert hands.ui.resultsTable.selectedSegmentIDs() == (hands.panel.results.shown.rows[1].segment_id,)
    press(hands, qt.Qt.Key_A)
    press(hands, qt.Qt.Key_A)
    assert [state for _name, state in hands.states()] == ["accepted"] * 3


def test_del_deletes_what_is_selected(hands):
    """sl7."""
    hands.segment("liver, aorta")
    hands.select_row("liver")
    press(hands, qt.Qt.Key_Delete)
    assert hands.segment_names() == ["aorta"]
    assert hands.note == "Removed: liver"


@pytest.mark.parametrize(
    ("locale", "expected"), [("de_DE", ("1.234", "12,3", "0,75")), ("en_US", ("1,234", "12.3", "0.75"))]
)
def test_numbers_are_written_as_the_locale_has_them(locale, expected):
    """sl7."""
    from TextSegmentLib.panel.numbers import number

    before = qt.QLocale()
    qt.QLocale.setDefault(qt.QLocale(locale))
    try:
        assert (number(1234.4, 0), number(12.34, 1), number(0.749, 2)) == expected
    finally:
        qt.QLocale.setDefault(before)


@pytest.mark.parametrize("hide", ["node", "slices", "folder"])
def test_hidden_results_are_said_and_shown_with_a_click(hands, hide):
    """sl7: whatever hides them."""
    hands.segment("liver")
    node = hands.node
    assert "hidden" not in hands.note
    if hide == "node":
        node.GetDisplayNode().SetVisibility(False)
    elif hide == "slices":
        node.GetDisplayNode().SetVisibility2D(False)
    else:
        hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
        folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "Plan")
        hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), folder)
        folder_node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLFolderDisplayNode")
        folder_node.SetApplyDisplayPropertiesOnBranch(True)
        hierarchy.SetItemDataNode(folder, folder_node)
        folder_node.SetVisibility(False)
        node.GetDisplayNode().Modified()
    driver.wait_until(lambda: "The segmentation is hidden" in hands.note, "a hint")
    hands.ui.resultsNoteLabel.linkActivated.emit("show")
    driver.wait_until(lambda: "hidden" not in hands.note, "the end of the hint")


def test_masks_of_the_demonstration_model_are_marked_as_a_toys(hands, monkeypatch):
    """sl7: also when their scene is opened on another day."""
    hands.segment("liver")
    assert "toy" not in hands.note
    hands.node.GetSegmentation().GetNthSegment(0).SetTag("TextSegment.model", "sat-demo")
    hands.panel.results.refresh()
    assert "toy" in hands.note


@pytest.fixture
def found(hands):
    """The panel after a run with results of different volume, confidence and doubt."""
    figures = {
        "liver": {"second_part_share": 0.7, "part_count": 2, "volume_ml": 1500.0, "mean_confidence": 0.8},
        "aorta": {"volume_ml": 250.0, "mean_confidence": 0.95},
        "heart": {"volume_ml": 600.0, "mean_confidence": 0.75},
    }
    hands.panel.engine.use(Doubtful(figures))
    hands.segment("heart, liver, aorta")
    return hands


NAME, STATE, VOLUME, CONFIDENCE = 3, 6, 7, 8


def names_of(hands):
    return [name for name, _state in hands.states()]


@pytest.mark.parametrize(
    ("column", "upwards", "downwards"),
    [
        (NAME, "aorta heart liver", "liver heart aorta"),
        (STATE, "liver heart aorta", "heart aorta liver"),
        (VOLUME, "aorta heart liver", "liver heart aorta"),
        (CONFIDENCE, "heart liver aorta", "aorta liver heart"),
    ],
)
def test_click_on_a_title_sorts_up_down_and_not_at_all(found, column, upwards, downwards):
    """Issue 13.C3: most doubtful first, and numbers as numbers."""
    view = found.ui.resultsTable.tableWidget()
    for expected in (upwards, downwards, "heart liver aorta"):
        driver.click_title(view, column)
        names = expected.split()
        driver.wait_until(lambda names=names: names_of(found) == names, expected)
    assert arrows(view) == ""


def arrows(view):
    titles = [view.model().headerData(column, qt.Qt.Horizontal) or "" for column in range(9)]
    return "".join(title[-1:] for title in titles if title[-1:] in "▴▾")


def test_the_title_says_the_order_and_leaves_the_space_to_the_names(found):
    """Operated in an application: Qt's indicator took its space in each column, and names had none."""
    view = found.ui.resultsTable.tableWidget()
    for arrow in ("▴", "▾", ""):
        driver.click_title(view, STATE)
        assert arrows(view) == arrow
        assert not view.horizontalHeader().isSortIndicatorShown()


def test_titles_without_an_order_do_nothing(found):
    driver.click_title(found.ui.resultsTable.tableWidget(), 1)
    driver.run_events(20)
    assert names_of(found) == ["heart", "liver", "aorta"]


def test_sorted_rows_keep_their_selection_and_their_eyes(found):
    view = found.ui.resultsTable.tableWidget()
    display_node = found.node.GetDisplayNode()
    ids = dict(zip(found.segment_names(), found.node.GetSegmentation().GetSegmentIDs(), strict=True))
    found.select_row("aorta")
    driver.click_title(view, STATE)
    driver.wait_until(lambda: names_of(found)[0] == "liver", "the doubtful one above")
    assert found.ui.resultsTable.selectedSegmentIDs() == (ids["aorta"],)
    driver.click_cell_widget(view, 0, 0)
    assert {name: display_node.GetSegmentVisibility(ids[name]) for name in ids} == {
        "heart": True,
        "liver": False,
        "aorta": True,
    }


def test_new_and_changed_rows_take_their_place_in_a_sorted_table(found):
    view = found.ui.resultsTable.tableWidget()
    driver.click_title(view, STATE)
    found.select_row("liver")
    driver.click(found.ui.acceptButton)
    driver.wait_until(lambda: found.states()[-1] == ["liver", "accepted"], "the accepted one below")
    found.node.GetSegmentation().AddEmptySegment("mine", "my tumour")
    driver.wait_until(lambda: found.states()[-1] == ["my tumour", ""], "a segment of no run at the end")
    driver.wait_until(
        lambda: all(view.indexWidget(view.model().index(row, 0)) for row in range(4)), "eyes in all rows"
    )
    driver.click_title(view, STATE)
    driver.wait_until(lambda: found.states()[0] == ["liver", "accepted"], "the accepted one above")
    assert found.states()[-1] == ["my tumour", ""]


def test_rows_that_slicer_left_without_buttons_get_them(hands):
    """Two segments replaced at once: Slicer numbers the new rows before the second old one is gone."""
    hands.segment("liver, aorta, heart")
    view = hands.ui.resultsTable.tableWidget()
    model = view.model()

    def is_complete():
        return all(view.indexWidget(model.index(row, 0)) for row in range(model.rowCount()))

    driver.wait_until(is_complete, "eyes in all rows")
    hands.select_row("heart")
    segmentation = hands.node.GetSegmentation()
    for name in ("liver", "aorta"):
        old = segmentation.GetSegmentIdBySegmentName(name)
        new = slicer.vtkSegment()
        new.DeepCopy(segmentation.GetSegment(old))
        segmentation.RemoveSegment(old)
        segmentation.AddSegment(new, old + "_new")
    selected = hands.ui.resultsTable.selectedSegmentIDs()
    hands.panel.results.refresh()
    driver.wait_until(is_complete, "eyes in all rows")
    assert model.rowCount() == 3
    assert hands.ui.resultsTable.selectedSegmentIDs() == selected
