import pytest
import qt
from textsegment.testing import FakeSegmenter

from slicer_host import driver
from slicer_host.liveness import Gate


def follow(hands, link_text):
    """Click a link below the text."""
    before, _found, _behind = hands.ui.resolutionLabel.text.partition(f">{link_text}</a>")
    hands.ui.resolutionLabel.linkActivated.emit(before.rpartition("href='")[2].rstrip("'"))


def test_meaning_is_shown_while_typing(hands):
    hands.type("liver, lt kidney, ribs")
    hands.wait_for_meaning("lt kidney → <b>left kidney</b>")
    assert "ribs → <b>24 structures</b>" in hands.ui.resolutionLabel.text
    assert "✓ liver" in hands.ui.resolutionLabel.text
    assert hands.ui.segmentButton.text == "Segment 26 structures"


def test_notes_on_structures_are_in_the_tool_tip(hands):
    hands.type("lt kidney")
    hands.wait_for_meaning("left kidney")
    assert "Includes tumour and cyst voxels" in hands.ui.resolutionLabel.toolTip


def test_nothing_is_shown_for_nothing(hands):
    assert not hands.ui.resolutionLabel.visible
    assert not hands.ui.segmentButton.enabled


def test_all_names_of_a_group_can_be_seen(hands):
    hands.type("ribs")
    hands.wait_for_meaning("24 structures")
    assert "right rib 12" not in hands.ui.resolutionLabel.text
    follow(hands, "all…")
    assert "right rib 12" in hands.ui.resolutionLabel.text


def test_unknown_term_asks_and_an_answer_is_taken_by_a_click(hands):
    hands.type("liver, kidny")
    hands.wait_for_meaning("Did you mean")
    assert not hands.ui.segmentButton.enabled
    assert "kidny" in hands.ui.obstacleLabel.text
    follow(hands, "kidney")
    assert hands.ui.promptEdit.text == "liver, kidney"
    assert hands.ui.segmentButton.enabled


def test_term_that_the_model_lacks_offers_the_nearest_and_can_be_left_out(hands):
    hands.type("appendix, liver")
    hands.wait_for_meaning("The nearest is")
    follow(hands, "Leave it out")
    assert hands.ui.promptEdit.text == "liver"
    assert hands.panel.prompt.structures == ("liver",)


def test_what_the_connected_model_lacks_is_asked_about(hands):
    hands.panel.engine.use(FakeSegmenter(structures={"CT": ["liver", "left rib 1"]}))
    hands.type("spleen; ribs")
    hands.wait_for_meaning("This model does not know it")
    assert "The model has 1 of 24 structures of" in hands.ui.resolutionLabel.text
    assert hands.panel.prompt.structures == ("left rib 1",)


def test_text_is_read_for_the_modality_that_is_chosen(hands):
    hands.type("left amygdala")
    hands.wait_for_meaning("not in CT")
    hands.ui.modalityBox.currentIndex = 2
    hands.ui.modalityBox.activated.emit(2)
    assert hands.panel.prompt.structures == ("left amygdala",)


def popup(hands):
    return hands.panel.prompt._completer._completer.popup()


def offered(hands):
    model = popup(hands).model()
    return [model.index(row, 0).data() for row in range(model.rowCount())]


def test_completion_puts_a_name_at_the_cursor_of_a_list(hands):
    hands.type("liver, left ad")
    assert popup(hands).visible
    assert "left adrenal gland" in offered(hands)
    driver.press(popup(hands), qt.Qt.Key_Down)
    driver.press(popup(hands), qt.Qt.Key_Return)
    assert hands.ui.promptEdit.text == "liver, left adrenal gland, "
    assert hands.widget.logic.run is None


def test_completion_knows_synonyms(hands):
    hands.type("hepa")
    assert "hepar → liver" in offered(hands)


def test_completion_in_the_middle_leaves_the_rest(hands):
    hands.ui.promptEdit.text = "liver, spl, aorta"
    hands.ui.promptEdit.cursorPosition = 10
    hands.type("e")
    driver.press(popup(hands), qt.Qt.Key_Down)
    driver.press(popup(hands), qt.Qt.Key_Return)
    assert hands.ui.promptEdit.text == "liver, spleen, aorta"


def test_completion_offers_only_what_the_model_has(hands):
    hands.panel.engine.use(FakeSegmenter(structures={"CT": ["left lung"]}))
    hands.type("lu")
    assert offered(hands) == ["left lung"]


def test_enter_segments(hands):
    hands.type("aorta")
    hands.wait_until_offered()
    driver.press(hands.ui.promptEdit, qt.Qt.Key_Escape)
    driver.press(hands.ui.promptEdit, qt.Qt.Key_Return)
    hands.wait_for_end()
    assert [row[0] for row in hands.rows()] == ["aorta"]


def test_control_enter_segments_from_anywhere_in_the_panel(hands):
    hands.ui.promptEdit.text = "aorta"
    hands.wait_until_offered()
    hands.ui.anatomyButton.collapsed = False
    hands.ui.anatomySearchBox.setFocus()
    driver.press(hands.ui.anatomySearchBox, qt.Qt.Key_Return, qt.Qt.ControlModifier)
    hands.wait_for_end()
    assert [row[0] for row in hands.rows()] == ["aorta"]


def test_enter_faster_than_the_meaning_runs_what_is_plain(hands):
    hands.ui.promptEdit.text = "aorta"
    driver.press(hands.ui.promptEdit, qt.Qt.Key_Return)
    assert hands.widget.logic.run is not None
    hands.wait_for_end()


def test_enter_faster_than_the_meaning_shows_a_group_before_it_runs(hands):
    hands.ui.promptEdit.text = "ribs"
    driver.press(hands.ui.promptEdit, qt.Qt.Key_Return)
    assert hands.widget.logic.run is None
    assert "24 structures" in hands.ui.resolutionLabel.text
    driver.press(hands.ui.promptEdit, qt.Qt.Key_Return)
    assert len(hands.widget.logic.run.rows) == 24
    hands.wait_for_end()


def test_text_of_several_lines_can_be_pasted(hands):
    qt.QApplication.clipboard().setText("liver\nleft kidney")
    hands.ui.promptEdit.paste()
    hands.wait_for_meaning("left kidney")
    assert hands.panel.prompt.structures == ("liver", "left kidney")


def actions(button):
    button.menu().aboutToShow.emit()
    return {action.text: action for action in button.menu().actions()}


def test_recent_requests_come_back(hands):
    hands.segment("liver")
    hands.segment("aorta")
    recent = actions(hands.ui.recentButton)
    assert list(recent)[:2] == ["aorta", "liver"]
    recent["liver"].trigger()
    assert hands.panel.prompt.structures == ("liver",)
    actions(hands.ui.recentButton)["Forget these"].trigger()
    assert list(actions(hands.ui.recentButton)) == ["Nothing yet"]


def test_set_of_organs_at_risk_says_what_is_missing(hands):
    sets = actions(hands.ui.templatesButton)
    prostate = next(action for text, action in sets.items() if "prostate" in text)
    assert "5 of 6" in prostate.text
    assert "PenileBulb" in prostate.toolTip
    prostate.trigger()
    assert hands.ui.promptEdit.text == "OAR prostate"
    assert "Not in the model: PenileBulb." in hands.ui.resolutionLabel.text
    assert len(hands.panel.prompt.structures) == 5


def test_set_can_be_taken_with_its_optional_structures(hands):
    actions(hands.ui.templatesButton)["With optional structures"].trigger()
    prostate = next(text for text in actions(hands.ui.templatesButton) if "prostate" in text)
    actions(hands.ui.templatesButton)[prostate].trigger()
    assert hands.ui.promptEdit.text == "full OAR prostate"
    assert len(hands.panel.prompt.structures) == 8


def test_own_set_is_saved_and_offered(hands):
    hands.ui.promptEdit.text = "liver, lt kidney"
    hands.wait_until_offered()
    actions(hands.ui.templatesButton)["Save as a set…"].trigger()
    dialog = next(w for w in hands.ui.templatesButton.children() if isinstance(w, qt.QInputDialog))
    dialog.setTextValue("My & set")
    dialog.accept()
    hands.ui.promptEdit.text = ""
    own = next(action for text, action in actions(hands.ui.templatesButton).items() if "My" in text)
    assert own.text == "My && set: 2 of 2"
    own.trigger()
    assert hands.panel.prompt.structures == ("liver", "left kidney")


REPORT = (
    "There is a large lesion in the left lobe, measuring 3 cm. The gallbladder is unremarkable, "
    "no pleural effusion; adrenals within normal limits. "
)


def lines(hands):
    return hands.ui.resolutionLabel.text.split("<br>")


def test_pasted_report_leaves_the_panel_as_high_as_it_was(hands):
    """sl7: 400 words made it 2,900 pixels high."""
    qt.QApplication.clipboard().setText(REPORT * 25)
    hands.ui.promptEdit.paste()
    hands.wait_until_read()
    driver.fit_panel(hands.widget.parent)
    assert len(hands.panel.prompt.questions) > 50
    assert len(lines(hands)) < 12
    assert hands.widget.parent.height < 700
    assert len(hands.ui.obstacleLabel.text) < 200


@pytest.mark.parametrize(
    "text", [REPORT * 200, "x" * 32_000, "liver " * 5000], ids=["report", "word", "liver"]
)
def test_thirty_thousand_characters_are_refused_unread(hands, text, monkeypatch):
    """sl7: reading them blocked Slicer for three seconds."""
    qt.QApplication.clipboard().setText(text)
    with Gate() as gate:
        gate.hold(monkeypatch, hands.panel.prompt, "_resolve")
        hands.ui.promptEdit.paste()
        hands.wait_for_meaning("Name less at once")
    assert gate.passed == []
    monkeypatch.undo()
    assert not hands.ui.segmentButton.enabled
    hands.ui.promptEdit.text = "liver"
    hands.wait_until_offered()


def test_long_text_is_read_in_the_background(hands, monkeypatch):
    """sl7: the kind, with as many characters as may be."""
    text = REPORT * 60
    qt.QApplication.clipboard().setText(text)
    with Gate() as gate:
        gate.hold(monkeypatch, hands.panel.prompt, "_resolve")
        hands.ui.promptEdit.paste()
        hands.wait_until_read()
    assert gate.passed == ["resolve"]
    assert len(hands.panel.prompt.resolutions) > 100


def test_hundred_names_share_a_line(hands):
    """sl7: one line for 100 names, which can be opened."""
    names = sorted(hands.panel.engine.model.structures["CT"])[:100]
    hands.ui.promptEdit.text = "; ".join(names)
    hands.wait_until_read()
    assert len(lines(hands)) < 12
    assert "structures" in lines(hands)[-1]
    hands.ui.resolutionLabel.linkActivated.emit("plain")
    assert names[50] in lines(hands)[-1]


def test_one_click_takes_all_suggestions(hands):
    """w9: what leaves a choice stays a question."""
    hands.ui.promptEdit.text = "kidny, livr, aorta"
    hands.wait_for_meaning("Take all suggestions")
    hands.ui.resolutionLabel.linkActivated.emit("suggested")
    assert hands.panel.prompt.structures == ("kidney", "liver", "aorta")
    assert hands.panel.prompt.questions == []


def test_one_click_leaves_all_open_words_out(hands):
    """w9: the way out of a pasted report."""
    hands.ui.promptEdit.text = "qwertz, liver, asdfgh, aorta"
    hands.wait_for_meaning("Leave all out")
    hands.ui.resolutionLabel.linkActivated.emit("none")
    assert hands.panel.prompt.structures == ("liver", "aorta")
    assert hands.panel.prompt.questions == []


def test_text_that_changes_while_a_long_one_is_read_is_read_too(hands):
    hands.ui.promptEdit.text = REPORT * 10
    hands.ui.promptEdit.text = "; ".join(["liver"] * 5 + ["aorta"])
    hands.wait_until_read()
    assert hands.panel.prompt.structures == ("liver", "aorta")
