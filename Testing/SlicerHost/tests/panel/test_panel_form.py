"""How the panel is made: room, names for screen readers, order of keys, strings for translators."""

import ast
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import qt
import slicer

from slicer_host import application, driver, host

MODULE = Path(__file__).parents[4] / "TextSegment"
UI = ElementTree.parse(MODULE / "Resources" / "UI" / "TextSegment.ui")
NOT_FOR_USERS = ("bundle.py", "probe.py", "self_test.py", "weights_script.py")
PARTS = [p for p in sorted((MODULE / "TextSegmentLib").glob("**/*.py")) if p.name not in NOT_FOR_USERS]
FOCUSED = (
    "QLineEdit",
    "QComboBox",
    "QTreeView",
    "qMRMLSegmentsTableView",
    "qMRMLNodeComboBox",
    "ctkSearchBox",
    "ctkPathLineEdit",
)


def widgets(*classes):
    return [w for w in UI.iter("widget") if not classes or w.get("class") in classes]


def text_of(widget, name):
    return widget.findtext(f"property[@name='{name}']/string", "")


def test_panel_fits_400_pixels_with_everything_open(hands):
    hands.segment("liver, lumbar vertebrae 1 (l1), spleen")
    for button in (hands.ui.anatomyButton, hands.ui.resultsButton, hands.ui.engineButton):
        button.collapsed = False
    for place in (hands.ui.localButton, hands.ui.serverButton):
        place.checked = True
        driver.fit_panel(hands.widget.parent, 400)


def test_every_input_has_an_accessible_name_and_a_tool_tip():
    for widget in widgets(*FOCUSED):
        assert text_of(widget, "accessibleName"), widget.get("name")
        assert text_of(widget, "toolTip") or widget.get("class") == "ctkSearchBox", widget.get("name")


def test_every_button_says_what_it_does():
    for widget in widgets("QPushButton", "QToolButton", "QRadioButton", "QCheckBox"):
        assert text_of(widget, "toolTip"), widget.get("name")


def test_labels_of_inputs_are_their_buddies():
    buddies = {b.findtext("cstring") for b in UI.iter("property") if b.get("name") == "buddy"}
    labelled = {w.get("name") for w in widgets("QLineEdit", "qMRMLNodeComboBox")}
    assert labelled <= buddies


def test_mnemonics_are_unique():
    texts = [text_of(w, "text") for w in widgets()]
    letters = [text[text.index("&") + 1].lower() for text in texts if "&" in text]
    assert sorted(set(letters)) == sorted(letters)


def test_tab_goes_through_the_panel_in_the_order_of_work(hands):
    names = [stop.text for stop in UI.iter("tabstop")]
    order = ["inputSelector", "modalityBox", "outputSelector", "promptEdit", "segmentButton"]
    order += ["anatomySearchBox", "anatomyTree", "resultsTable", "acceptButton", "editorButton"]
    order += ["engineButton"]
    assert [name for name in names if name in order] == order
    focusable = {w.get("name") for w in widgets(*FOCUSED, "QPushButton", "QToolButton", "QCheckBox")}
    assert focusable <= set(names)


def test_tab_stops_exist():
    names = {w.get("name") for w in widgets()}
    assert {stop.text for stop in UI.iter("tabstop")} <= names


class Texts(ast.NodeVisitor):
    """Collects literals that a user would read and that no translator would see."""

    SHOWN = ("text", "toolTip", "title", "windowTitle", "placeholderText", "accessibleName", "status")
    SHOWING = ("addAction", "addItems", "setToolTip", "setLabelText", "addSection", "QStandardItem")

    def __init__(self):
        self.found = []

    def visit_Assign(self, node):
        if any(isinstance(t, ast.Attribute) and t.attr in self.SHOWN for t in node.targets):
            self._require_translated(node.value)
        self.generic_visit(node)

    def visit_Call(self, node):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name in self.SHOWING or name.endswith("Error"):
            for argument in node.args:
                self._require_translated(argument)
        self.generic_visit(node)

    def _require_translated(self, node):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and any(map(str.isalpha, node.value))
        ):
            self.found.append((node.lineno, node.value))


def test_every_text_is_translated():
    for path in PARTS:
        texts = Texts()
        texts.visit(ast.parse(path.read_text("utf-8")))
        assert texts.found == [], path.name


def test_messages_can_be_read_in_a_dark_theme(hands):
    dark = qt.QPalette(qt.QColor(40, 40, 40))
    hands.ui.resolutionLabel.setPalette(dark)
    hands.ui.promptEdit.text = "kidny"
    hands.wait_for_meaning("kidny")
    assert "#ff8a73" in hands.ui.resolutionLabel.text


def test_widgets_are_bound_to_the_scene(widget):
    for selector in (widget.ui.inputSelector, widget.ui.outputSelector):
        assert selector.mrmlScene() is slicer.mrmlScene


@pytest.mark.parametrize("name", ["resultsTable", "obstacleLabel", "messageLabel"])
def test_what_is_in_them_does_not_widen_the_panel(hands, name):
    """Slicer gives its module panel what it asks for, and asks again: the window would grow for ever."""
    assert getattr(hands.ui, name).sizePolicy.horizontalPolicy() == qt.QSizePolicy.Ignored


def test_segment_is_directly_under_the_text_line_and_the_tree_is_shut(widget):
    """sl7: as a first-time radiologist expects it."""
    edit, button = widget.ui.promptEdit, widget.ui.segmentButton
    gap = button.geometry.top() - edit.geometry.bottom()
    assert 0 < gap < 12
    assert widget.ui.anatomyButton.collapsed


OLD_PYTHON = (
    "TextSegment.py",
    "TextSegmentLib/__init__.py",
    "TextSegmentLib/bundle.py",
    "TextSegmentLib/version.py",
)


@pytest.mark.parametrize("name", OLD_PYTHON)
def test_what_runs_in_an_old_slicer_is_written_for_its_python(name):
    """Slicer 5.6 has Python 3.9: the text about the version must come before any error."""
    ast.parse((MODULE / name).read_text("utf-8"), feature_version=(3, 9))


def test_old_slicer_is_told_what_is_needed(module, monkeypatch):
    """Extensions Index, tier 3: a clear text below 5.12."""
    monkeypatch.setattr(application.HeadlessApplication, "minorVersion", 11)
    slicer.util.reloadScriptedModule("TextSegment")
    widget = host.show_panel(module)
    labels = [
        child.text for child in widget.parent.findChildren(qt.QLabel) if "needs Slicer 5.12" in child.text
    ]
    assert "this is Slicer 5.11" in labels[-1]
    assert widget.panel is None
    widget.parent.exit()
    widget.parent.enter()
    with pytest.raises(RuntimeError, match=r"needs Slicer 5\.12"):
        sys.modules["TextSegment"].TextSegmentLogic  # noqa: B018
    monkeypatch.undo()
    slicer.util.reloadScriptedModule("TextSegment")
    assert slicer.modules.TextSegmentWidget.panel is not None


def test_module_file_is_short():
    """A reader sees at a glance what Slicer loads at each start."""
    assert len((MODULE / "TextSegment.py").read_text("utf-8").splitlines()) <= 100
