import qt
from textsegment.testing import FakeSegmenter

from slicer_host import driver


def click(hands, *names):
    """Toggle the check box of a term, as a click on it does."""
    item = hands.tree_item(*names)
    checked = item.checkState() == qt.Qt.Checked
    item.setCheckState(qt.Qt.Unchecked if checked else qt.Qt.Checked)


def state(hands, *names):
    return hands.tree_item(*names).checkState()


def search(hands, text):
    hands.ui.anatomySearchBox.text = text
    driver.run_events(300)


def test_checking_a_term_writes_its_name(hands):
    click(hands, "Urinary organs", "Kidneys and bladder", "kidney", "left kidney")
    assert hands.ui.promptEdit.text == "left kidney"
    assert hands.panel.prompt.structures == ("left kidney",)


def test_typing_checks_the_term_and_its_parents_in_part(hands):
    hands.names("Urinary organs", "Kidneys and bladder", "kidney")
    hands.type("lt kidney")
    hands.wait_for_meaning("left kidney")
    path = ("Urinary organs", "Kidneys and bladder", "kidney", "left kidney")
    assert state(hands, *path) == qt.Qt.Checked
    assert state(hands, *path[:1]) == qt.Qt.PartiallyChecked


def test_unchecking_takes_a_term_out_of_the_text_and_leaves_the_rest(hands):
    hands.ui.promptEdit.text = "my tumour, lt kidney, liver"
    hands.wait_for_meaning("left kidney")
    click(hands, "Urinary organs", "Kidneys and bladder", "kidney", "left kidney")
    assert hands.ui.promptEdit.text == "my tumour, liver"


def test_unchecking_one_of_a_group_leaves_the_others(hands):
    hands.ui.promptEdit.text = "ribs"
    hands.wait_for_meaning("24 structures")
    hands.panel.prompt.toggle("left rib 3", ["left rib 3"], False)
    hands.wait_until_read()
    assert len(hands.panel.prompt.structures) == 23
    assert "left rib 3" not in hands.panel.prompt.structures


def test_checking_a_system_takes_all_that_the_model_has_of_it(hands):
    click(hands, "Urinary organs")
    assert state(hands, "Urinary organs") == qt.Qt.Checked
    assert set(hands.panel.prompt.structures) == {"kidney", "urinary bladder"}
    click(hands, "Urinary organs")
    assert hands.ui.promptEdit.text == ""


def test_neighbours_in_the_tree_do_not_change_each_others_meaning(hands):
    path = ("Urinary organs", "Kidneys and bladder", "kidney")
    click(hands, *path, "left kidney")
    click(hands, *path)
    assert set(hands.panel.prompt.structures) == {"left kidney", "kidney"}
    assert not hands.panel.prompt.questions


def test_order_is_by_system_or_by_region(hands):
    assert "Airways and lungs" in hands.names()
    hands.ui.anatomyViewBox.currentIndex = 1
    assert "Chest" in hands.names()
    assert "Airways and lungs" not in hands.names()


def test_search_finds_synonyms_and_greys_what_the_model_lacks(hands):
    search(hands, "appendix")
    item = hands.tree_item("vermiform appendix")
    assert not item.isEnabled()
    assert "the nearest is colon" in item.toolTip()
    search(hands, "gallbladder")
    assert hands.names()[0] == "gallbladder"
    assert hands.tree_item("gallbladder").isEnabled()


def test_other_modality_greys_with_the_reason(hands):
    search(hands, "amygdala")
    assert "The model knows it in MR only." in hands.tree_item("amygdala").toolTip()
    hands.ui.modalityBox.activated.emit(2)
    assert hands.tree_item("amygdala").isEnabled()


def test_tool_tip_has_definition_synonyms_and_the_models_name(hands):
    search(hands, "lower jaw")
    tip = hands.tree_item("mandible").toolTip()
    assert "lower jaw bone" in tip
    assert "Also: inferior maxillary bone" in tip
    assert "The model calls it: mandible" in tip


def test_connected_model_decides_what_is_there(hands):
    hands.panel.engine.use(FakeSegmenter(structures={"CT": ["left lung", "right lung"]}))
    assert hands.names() == ["Airways and lungs"]
    click(hands, "Airways and lungs")
    assert set(hands.panel.prompt.structures) == {"left lung", "right lung"}
    hands.ui.anatomyButton.collapsed = False
    driver.click(hands.ui.availableOnlyBox)
    assert not hands.tree_item("Urinary organs").isEnabled()


def test_whole_tree_can_be_opened(hands):
    hands.ui.anatomyButton.collapsed = False
    driver.click(hands.ui.availableOnlyBox)
    assert "ureter" in " ".join(hands.names("Urinary organs", "Kidneys and bladder"))


def test_keys_open_and_check(hands):
    view = hands.ui.anatomyTree
    view.setFocus()
    driver.press(view, qt.Qt.Key_Home)
    driver.press(view, qt.Qt.Key_Right)
    driver.press(view, qt.Qt.Key_Down)
    driver.press(view, qt.Qt.Key_Space)
    hands.wait_until_read()
    assert hands.panel.prompt.structures
