import pytest
import qt
import slicer

from slicer_host.widgets.search_box import ctkSearchBox
from slicer_host.widgets.stand_in import StandIn


def add_volume(name):
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)


@pytest.fixture
def combo():
    box = slicer.qMRMLNodeComboBox()
    box.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    box.showChildNodeTypes = False
    box.setMRMLScene(slicer.mrmlScene)
    return box


def test_stand_in_cannot_have_a_member_that_the_real_class_lacks():
    with pytest.raises(TypeError, match="setNodeTypes"):
        type("qMRMLNodeComboBox", (StandIn, qt.QWidget), {"setNodeTypes": lambda self, types: None})


def test_member_that_exists_only_in_slicer_says_so():
    with pytest.raises(AttributeError, match="exists in Slicer"):
        slicer.qMRMLNodeComboBox().sortFilterProxyModel()
    with pytest.raises(AttributeError, match="does not exist"):
        slicer.qMRMLNodeComboBox().setNodeTypes(["vtkMRMLModelNode"])


def test_stand_in_takes_no_new_attribute():
    with pytest.raises(AttributeError, match="new attributes"):
        ctkSearchBox().showSearchicon = True


def test_node_selector_follows_the_scene(combo):
    chosen = []
    combo.connect("currentNodeChanged(vtkMRMLNode*)", chosen.append)
    first, second = add_volume("A"), add_volume("B")
    assert combo.nodeCount() == 2
    assert combo.currentNode() is first
    combo.setCurrentNode(second)
    slicer.mrmlScene.RemoveNode(second)
    assert combo.currentNodeID == first.GetID()
    assert chosen == [first, second, first]


def test_node_selector_leaves_out_other_kinds_and_hidden_nodes(combo):
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    hidden = slicer.vtkMRMLScalarVolumeNode()
    hidden.SetHideFromEditors(True)
    slicer.mrmlScene.AddNode(hidden)
    assert combo.nodeCount() == 0


def test_node_selector_with_none_chooses_nothing_by_itself(combo):
    combo.noneEnabled = True
    add_volume("A")
    assert combo.currentNode() is None
    assert combo.currentNodeID == ""


def test_node_selector_makes_a_node_and_tells_of_it(combo):
    told = []
    combo.connect("nodeAddedByUser(vtkMRMLNode*)", told.append)
    combo.baseName = "Result"
    node = combo.addNode()
    assert node.GetName() == "Result"
    assert combo.currentNode() is node
    assert told == [node]


def test_node_selector_reports_a_new_name_as_a_change(combo):
    node, chosen = add_volume("A"), []
    combo.connect("currentNodeChanged(bool)", chosen.append)
    node.SetName("B")
    assert chosen == [True]


def test_node_selector_forgets_nodes_of_a_closed_scene(combo):
    add_volume("A")
    slicer.mrmlScene.Clear(False)
    assert combo.currentNode() is None
    assert combo.nodeCount() == 0


def test_user_renames_and_deletes_by_the_list(combo, monkeypatch):
    node = add_volume("A")
    combo.renameEnabled = True
    monkeypatch.setattr(qt.QInputDialog, "getText", lambda *_args, **_options: ("B", True))
    box = combo.findChild(qt.QComboBox)
    box.activated.emit(box.findText("Rename current Volume"))
    assert node.GetName() == "B"
    box.activated.emit(box.findText("Delete current Volume"))
    assert combo.nodeCount() == 0


def test_collapsible_button_hides_its_contents_and_is_checked_when_open():
    import ctk

    from slicer_host import driver

    button = ctk.ctkCollapsibleButton("More")
    layout = qt.QVBoxLayout(button)
    edit = qt.QLineEdit()
    layout.addWidget(edit)
    button.show()
    driver.click(button)
    assert button.collapsed
    assert not button.checked
    assert not edit.visible
    button.collapsed = False
    assert edit.visible
    button.close()


def test_child_that_the_module_hid_stays_hidden_when_the_section_opens():
    import ctk

    button = ctk.ctkCollapsibleButton()
    layout = qt.QVBoxLayout(button)
    shown, hidden, later = qt.QLabel("a"), qt.QLabel("b"), qt.QLabel("c")
    for label in (shown, hidden, later):
        layout.addWidget(label)
    hidden.visible = False
    button.show()
    button.collapsed = True
    later.visible = False
    button.collapsed = False
    assert (shown.visible, hidden.visible, later.visible) == (True, False, False)
    button.collapsed = True
    later.visible = True
    assert not later.visible
    button.collapsed = False
    assert later.visible
    button.close()


def test_three_d_button_makes_and_removes_surfaces():
    import numpy as np

    volume_node = slicer.util.addVolumeFromArray(np.zeros((8, 8, 8), dtype=np.int16))
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.CreateDefaultDisplayNodes()
    button = slicer.qMRMLSegmentationShow3DButton()
    button.setSegmentationNode(node)
    assert not button.enabled
    segment_id = node.GetSegmentation().AddEmptySegment("", "ball")
    mask = np.zeros((8, 8, 8), dtype=np.uint8)
    mask[2:6, 2:6, 2:6] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, segment_id, volume_node)
    assert button.enabled
    button.click()
    assert node.GetSegmentation().GetSegment(segment_id).GetRepresentation("Closed surface") is not None
    button.click()
    assert not node.GetSegmentation().ContainsRepresentation("Closed surface")


@pytest.fixture
def segments():
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.CreateDefaultDisplayNodes()
    for name in ("liver", "spleen", "aorta"):
        node.GetSegmentation().AddEmptySegment(name, name)
    return node


def names(table):
    model = table.tableWidget().model()
    return [model.index(row, 3).data() for row in range(model.rowCount())]


def test_table_of_segments_follows_its_node(segments):
    table = slicer.qMRMLSegmentsTableView()
    table.setSegmentationNode(segments)
    segments.GetSegmentation().RemoveSegment("spleen")
    segments.GetSegmentation().AddEmptySegment("kidney", "kidney")
    segments.GetSegmentation().GetSegment("liver").SetName("hepar")
    segments.GetSegmentation().SetSegmentIndex("kidney", 0)
    assert names(table) == ["kidney", "hepar", "aorta"]
    table.setSegmentationNode(None)
    assert names(table) == []


def test_columns_of_a_script_stay_beside_those_of_slicer(segments):
    table = slicer.qMRMLSegmentsTableView()
    model = table.tableWidget().model()
    model.insertColumns(6, 1)
    table.setSegmentationNode(segments)
    model.setData(model.index(1, 6), "123 ml")
    segments.GetSegmentation().GetSegment("spleen").SetName("lien")
    segments.GetSegmentation().RemoveSegment("liver")
    assert model.index(0, 6).data() == "123 ml"


def test_eyes_and_selection_of_the_table_of_segments(segments):
    table = slicer.qMRMLSegmentsTableView()
    table.setSegmentationNode(segments)
    selected = []
    table.connect("selectionChanged(QItemSelection, QItemSelection)", lambda *_: selected.append(1))
    table.setSelectedSegmentIDs(["spleen", "aorta"])
    assert table.selectedSegmentIDs() == ("spleen", "aorta")
    assert selected
    table.toggleSelectedSegmentsVisibility()
    visible = [segments.GetDisplayNode().GetSegmentVisibility(each) for each in ("liver", "spleen", "aorta")]
    assert visible == [True, False, False]
    with pytest.raises(AttributeError, match="exists in Slicer"):
        table.model()  # in Slicer it returns an object without methods
