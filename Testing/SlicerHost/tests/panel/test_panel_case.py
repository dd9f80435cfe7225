import gc
import zipfile

import slicer
import slicer.util
import vtk
from TextSegmentLib import settings

from slicer_host import driver

from .conftest import add_volume


def case_node():
    return slicer.mrmlScene.GetSingletonNode("TextSegment", "vtkMRMLScriptedModuleNode")


def test_case_is_saved_and_restored_with_the_scene(hands, tmp_path):
    hands.ui.promptEdit.text = "liver, lt kidney"
    hands.wait_for_meaning("left kidney")
    hands.ui.modalityBox.currentIndex = 2
    hands.ui.modalityBox.activated.emit(2)
    hands.ui.outputSelector.setCurrentNode(
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Mine")
    )
    path = str(tmp_path / "case.mrb")
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear(0)
    assert hands.ui.promptEdit.text == ""
    assert hands.ui.inputSelector.currentNode() is None
    slicer.util.loadScene(path)
    assert hands.ui.promptEdit.text == "liver, lt kidney"
    assert hands.ui.inputSelector.currentNode().GetName() == "CT chest"
    assert hands.ui.outputSelector.currentNode().GetName() == "Mine"
    assert hands.ui.modalityBox.currentText == "MR"
    assert hands.panel.prompt.structures == ("liver", "left kidney")


def test_case_survives_leaving_the_module_and_reloading_it(hands):
    hands.ui.promptEdit.text = "liver"
    hands.wait_until_offered()
    hands.widget.parent.exit()
    hands.widget.parent.enter()
    assert hands.ui.promptEdit.text == "liver"
    slicer.util.reloadScriptedModule("TextSegment")
    ui = slicer.modules.TextSegmentWidget.ui
    assert ui.promptEdit.text == "liver"
    assert ui.inputSelector.currentNode().GetName() == "CT chest"


def test_reloaded_panel_follows_the_scene_at_once(hands):
    slicer.util.reloadScriptedModule("TextSegment")
    slicer.mrmlScene.Clear(0)
    widget = slicer.modules.TextSegmentWidget
    widget.ui.inputSelector.setCurrentNode(add_volume("CT abdomen"))
    assert case_node().GetNodeReference("InputVolume").GetName() == "CT abdomen"


def test_what_slicer_keeps_of_a_panel_after_a_reload_changes_nothing(hands):
    old = hands.ui
    slicer.util.reloadScriptedModule("TextSegment")
    driver.run_events(50)
    old.inputSelector.setCurrentNode(add_volume("CT abdomen"))
    old.promptEdit.text = "aorta"
    driver.run_events(300)
    assert case_node().GetNodeReference("InputVolume").GetName() == "CT chest"
    assert case_node().GetParameter("Text") == ""


def test_closed_scene_frees_the_segments(hands):
    hands.segment("liver")
    segmentation_node = vtk.vtkWeakReference()
    segmentation_node.Set(hands.widget.logic.run.segmentation_node)
    slicer.mrmlScene.Clear(0)
    driver.run_events(50)
    gc.collect()
    assert segmentation_node.Get() is None


def test_script_can_set_the_case(hands):
    case_node().SetParameter("Text", "aorta")
    assert hands.panel.prompt.structures == ("aorta",)
    other = add_volume("MR head")
    case_node().SetNodeReferenceID("InputVolume", other.GetID())
    assert hands.ui.inputSelector.currentNode() is other
    assert hands.panel.inputs.modality == "MR"


def test_what_is_typed_is_not_lost_when_the_case_changes_meanwhile(hands):
    hands.type("liver")
    hands.ui.inputSelector.setCurrentNode(add_volume("CT abdomen"))
    assert hands.ui.promptEdit.text == "liver"
    hands.wait_until_offered()


def test_key_of_the_server_never_comes_into_the_scene(hands, tmp_path):
    hands.ui.keyEdit.text = "a-very-secret-key"
    hands.ui.keyEdit.editingFinished.emit()
    path = tmp_path / "case.mrb"
    assert slicer.util.saveScene(str(path))
    with zipfile.ZipFile(path) as bundle:
        assert not any(b"a-very-secret-key" in bundle.read(name) for name in bundle.namelist())
    assert settings.server_key() == "a-very-secret-key"


def test_modality_is_guessed_with_its_reason(hands):
    assert hands.ui.modalityBox.currentText == "Automatic: CT"
    assert hands.ui.modalityReasonLabel.text == "guessed from the name"
    hands.ui.modalityBox.currentIndex = 2
    hands.ui.modalityBox.activated.emit(2)
    assert hands.panel.inputs.modality == "MR"
    assert "CT" in hands.ui.modalityReasonLabel.text


def test_image_in_the_views_is_chosen_when_the_module_is_entered(widget):
    node = add_volume("CT shown")
    slicer.app.applicationLogic().GetSelectionNode().SetActiveVolumeID(node.GetID())
    widget.parent.exit()
    widget.parent.enter()
    assert widget.ui.inputSelector.currentNode() is node


def test_image_that_is_loaded_while_the_panel_is_open_is_chosen(widget):
    node = add_volume("CT loaded")
    assert widget.ui.inputSelector.currentNode() is None
    slicer.app.applicationLogic().GetSelectionNode().SetActiveVolumeID(node.GetID())
    assert widget.ui.inputSelector.currentNode() is node
    other = add_volume("CT other")
    slicer.app.applicationLogic().GetSelectionNode().SetActiveVolumeID(other.GetID())
    assert widget.ui.inputSelector.currentNode() is node


def test_other_image_gets_a_segmentation_of_its_own(hands):
    hands.segment("liver")
    made = hands.ui.outputSelector.currentNode()
    first = hands.ui.inputSelector.currentNode()
    hands.ui.inputSelector.setCurrentNode(add_volume("CT abdomen"))
    assert hands.ui.outputSelector.currentNode() is None
    hands.ui.outputSelector.setCurrentNode(made)
    hands.ui.inputSelector.setCurrentNode(first)
    assert hands.ui.outputSelector.currentNode() is made


def test_empty_volume_says_what_is_wrong(hands):
    """Fault 68."""
    hands.ui.promptEdit.text = "liver"
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
    hands.ui.inputSelector.setCurrentNode(empty)
    driver.run_events(200)
    assert not hands.ui.segmentButton.enabled
    assert "The volume holds no image." in hands.ui.obstacleLabel.text


def test_only_scalar_volumes_are_offered(hands):
    """Fault 69."""
    for kind in ("vtkMRMLVectorVolumeNode", "vtkMRMLLabelMapVolumeNode", "vtkMRMLSequenceNode"):
        slicer.mrmlScene.AddNewNodeByClass(kind)
    assert hands.ui.inputSelector.nodeCount() == 1


def test_deleted_nodes_leave_an_empty_choice(hands):
    hands.ui.promptEdit.text = "liver"
    slicer.mrmlScene.RemoveNode(hands.ui.inputSelector.currentNode())
    driver.run_events(200)
    assert hands.ui.inputSelector.currentNode() is None
    assert hands.ui.obstacleLabel.text == "Choose an image."


def saved_and_loaded(path):
    assert slicer.util.saveScene(str(path))
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(path))


def test_results_are_shown_again_with_their_scene(hands, tmp_path):
    hands.segment("liver, aorta, spleen")
    hands.select_row("aorta")
    driver.click(hands.ui.acceptButton)
    before = hands.rows()
    saved_and_loaded(tmp_path / "case.mrb")
    assert hands.ui.resultsButton.visible
    assert hands.rows() == before
    assert hands.note == ""  # what was not found has left no trace
    hands.select_row("liver")
    assert hands.ui.exportButton.enabled
    driver.click(hands.ui.redoButton)
    hands.wait_for_end()
    assert sorted(hands.states()) == [["aorta", "accepted"], ["liver", "done"]]
    driver.click(hands.ui.undoButton)  # the liver of before is back
    driver.wait_until(lambda: hands.ui.redoStepButton.enabled, "the first step undone")
    driver.click(hands.ui.undoButton)
    driver.wait_until(lambda: "aorta" in hands.ui.messageLabel.text, "what was kept")
    assert hands.states() == [["aorta", "accepted"]]
    assert hands.note == "Removed: liver"


def test_results_follow_the_choice_of_the_segmentation(hands):
    hands.segment("liver")
    first = hands.ui.outputSelector.currentNode()
    hands.ui.outputSelector.setCurrentNode(None)
    hands.segment("aorta, heart")
    hands.ui.outputSelector.setCurrentNode(first)
    assert [row[0] for row in hands.rows()] == ["liver"]


def test_results_of_another_segmentation_than_the_chosen_one_are_not_shown(hands):
    """sl3."""
    hands.segment("liver")
    hands.ui.outputSelector.setCurrentNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode"))
    assert not hands.ui.resultsButton.visible


def test_no_results_are_shown_for_a_segmentation_of_others(hands):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.GetSegmentation().AddEmptySegment("mine")
    hands.ui.outputSelector.setCurrentNode(node)
    assert not hands.ui.resultsButton.visible


def slice_views(count=2):
    nodes = []
    for number in range(count):
        node = slicer.vtkMRMLSliceCompositeNode()
        node.SetLayoutName(f"view {number}")
        nodes.append(slicer.mrmlScene.AddNode(node))
    return nodes


def enter_again(widget):
    widget.parent.exit()
    widget.parent.enter()


def test_image_that_the_user_chooses_is_shown(hands):
    """sl7: choosing an image shows it."""
    views = slice_views()
    first, second = hands.ui.inputSelector.currentNode(), add_volume("CT abdomen")
    for view in views:
        view.SetBackgroundVolumeID(first.GetID())
    enter_again(hands.widget)
    hands.ui.inputSelector.setCurrentNode(second)
    hands.ui.inputSelector.nodeActivated.emit(second)
    assert [view.GetBackgroundVolumeID() for view in views] == [second.GetID()] * 2
    assert not hands.ui.viewsLabel.visible


def test_image_that_a_script_chooses_leaves_the_views_alone(hands):
    views = slice_views()
    first = hands.ui.inputSelector.currentNode()
    views[0].SetBackgroundVolumeID(first.GetID())
    enter_again(hands.widget)
    hands.ui.inputSelector.setCurrentNode(add_volume("CT abdomen"))
    assert views[0].GetBackgroundVolumeID() == first.GetID()


def test_other_image_in_the_views_is_said_and_mended_with_a_click(hands):
    """sl7: the image of the views and that of the panel differed without a hint."""
    (view,) = slice_views(1)
    enter_again(hands.widget)
    assert not hands.ui.viewsLabel.visible  # nothing is shown at all
    view.SetBackgroundVolumeID(add_volume("<MR> head").GetID())
    assert "The views show &lt;MR&gt; head." in hands.ui.viewsLabel.text
    assert hands.ui.viewsLabel.visible
    hands.ui.viewsLabel.linkActivated.emit("show")
    assert not hands.ui.viewsLabel.visible
    assert view.GetBackgroundVolumeID() == hands.ui.inputSelector.currentNodeID


def test_image_in_front_of_another_one_counts_as_shown(hands):
    (view,) = slice_views(1)
    enter_again(hands.widget)
    view.SetBackgroundVolumeID(add_volume("MR head").GetID())
    view.SetForegroundVolumeID(hands.ui.inputSelector.currentNodeID)
    assert not hands.ui.viewsLabel.visible


def test_region_limits_what_is_looked_at_and_is_kept_with_the_case(hands, tmp_path):
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Pelvis")
    bounds = [0.0] * 6
    hands.ui.inputSelector.currentNode().GetRASBounds(bounds)
    roi.SetCenter([(a + b) / 2 for a, b in zip(bounds[::2], bounds[1::2], strict=True)])
    roi.SetSize([(b - a) / 2 for a, b in zip(bounds[::2], bounds[1::2], strict=True)])
    hands.ui.regionSelector.setCurrentNode(roi)
    hands.segment("liver")
    assert any("region" in warning for warning in hands.widget.logic.run.warnings)
    path = str(tmp_path / "case.mrb")
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear(0)
    assert hands.ui.regionSelector.currentNode() is None
    slicer.util.loadScene(path)
    assert hands.ui.regionSelector.currentNode().GetName() == "Pelvis"
