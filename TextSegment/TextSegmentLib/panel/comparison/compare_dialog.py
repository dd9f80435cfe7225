"""The dialog that compares a result with another segmentation of the scene."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import ctk
import qt
from slicer.i18n import tr as _
from textsegment.errors import InputError, TextSegmentError

from TextSegmentLib import settings
from TextSegmentLib.background import Pump
from TextSegmentLib.comparison.comparing import Comparing, ComparisonResult
from TextSegmentLib.engine.interpreter import chosen_interpreter
from TextSegmentLib.panel.theme import colors_of

_WIDTH = 640
_TABLE_HEIGHT = 280


class CompareDialog:
    """Asks for a reference, and shows how far the result is from it.

    Args:
        parent: Parent widget of the dialog.
        segmentation_node: Segmentation to judge.
        volume_node: Volume on which it was drawn.

    Attributes:
        window: The ``QDialog``.
    """

    def __init__(self, parent: Any, segmentation_node: Any, volume_node: Any) -> None:
        self._segmentation_node, self._volume_node = segmentation_node, volume_node
        self._others = other_segmentations(segmentation_node)
        self._comparing: Comparing | None = None
        self._pump: Pump | None = None
        self.window = qt.QDialog(parent)
        self.window.windowTitle = _("Compare with a reference")
        self.window.setWindowModality(qt.Qt.WindowModal)
        self.window.setAttribute(qt.Qt.WA_DeleteOnClose)
        self.window.minimumWidth = _WIDTH
        self.window.connect("finished(int)", lambda _result: self.stop())
        outer, form = qt.QVBoxLayout(self.window), qt.QFormLayout()
        self.reference_box = qt.QComboBox()
        self.reference_box.addItems([node.GetName() for node in self._others])
        self.tolerance_box = qt.QDoubleSpinBox()
        self.tolerance_box.suffix = _(" mm")
        self.tolerance_box.value = 1.0
        self.tolerance_box.toolTip = _("Surfaces closer than this agree, for the surface Dice.")
        self.page_edit = ctk.ctkPathLineEdit()
        self.page_edit.filters = ctk.ctkPathLineEdit.Files | ctk.ctkPathLineEdit.Writable
        self.page_edit.toolTip = _("A page with table and pictures (.html); may be left empty.")
        for label, widget in (
            (_("&Reference:"), self.reference_box),
            (_("&Tolerance:"), self.tolerance_box),
            (_("&Page:"), self.page_edit),
        ):
            tag = qt.QLabel(label)
            tag.setBuddy(widget)
            form.addRow(tag, widget)
        outer.addLayout(form)
        self.table_label = qt.QLabel()
        self.table_label.wordWrap = True
        self.table_label.setTextInteractionFlags(qt.Qt.TextSelectableByMouse)
        self.table_label.setAlignment(qt.Qt.AlignTop)
        self.table_area = qt.QScrollArea()  # there may be more structures than a screen has lines
        self.table_area.widgetResizable = True
        self.table_area.minimumHeight = _TABLE_HEIGHT
        self.table_area.setWidget(self.table_label)
        outer.addWidget(self.table_area)
        row = qt.QHBoxLayout()
        row.addStretch(1)
        self.compare_button = self._add_button(row, _("&Compare"), self._start)
        self.close_button = self._add_button(row, _("C&lose"), self.window.reject)
        outer.addLayout(row)
        if not self._others:
            self._say_error(
                InputError(_("There is no other segmentation in the scene."), _("Load the reference first."))
            )
            self.compare_button.enabled = False

    def open(self) -> None:
        """Show the dialog."""
        self.window.open()

    def stop(self) -> None:
        """Stop updating the dialog."""
        if self._pump is not None:
            self._pump.stop()

    def _start(self) -> None:
        page = self.page_edit.currentPath.strip()
        try:
            self._comparing = Comparing(
                self._segmentation_node,
                self._others[self.reference_box.currentIndex],
                self._volume_node,
                self.tolerance_box.value,
                Path(page) if page else None,
                chosen_interpreter(settings.interpreter()),
            )
        except TextSegmentError as error:
            self._say_error(error)
            return
        self.compare_button.enabled = False
        self.table_label.text = _("Comparing…")
        self._pump = Pump(self._look)

    def _look(self) -> bool:
        """Take the result if there is one; return whether it is still being computed."""
        if self._comparing is None or not self._comparing.is_over:
            return self._comparing is not None
        comparing, self._comparing = self._comparing, None
        try:
            self.table_label.text = table_of(comparing.result())
        except TextSegmentError as error:
            self._say_error(error)
        self.compare_button.enabled = True
        return False

    def _say_error(self, error: TextSegmentError) -> None:
        color = colors_of(self.table_label).problem
        self.table_label.text = (
            f"<b style='color:{color}'>{escape(error.message)}</b><br>{escape(error.hint)}"
        )

    def _add_button(self, row: Any, text: str, on_clicked: Any) -> Any:
        button = qt.QPushButton(text)
        button.autoDefault = False
        button.connect("clicked()", on_clicked)
        row.addWidget(button)
        return button


def other_segmentations(segmentation_node: Any) -> list[Any]:
    """Return the other segmentation nodes of the scene, in order."""
    scene, kind = segmentation_node.GetScene(), "vtkMRMLSegmentationNode"
    nodes = [scene.GetNthNodeByClass(number, kind) for number in range(scene.GetNumberOfNodesByClass(kind))]
    return [node for node in nodes if node is not segmentation_node]


def table_of(found: ComparisonResult) -> str:
    """Return a comparison as rich text."""
    rows = _row("th", (_("Structure"), *found.columns))
    rows += "".join(_row("td", row) for row in found.rows)
    lines = [f"<table cellspacing='6'>{rows}</table>"]
    for text, names in (
        (_("Missing in the result: {names}"), found.missing),
        (_("Only in the result: {names}"), found.extra),
    ):
        if names:
            lines.append(escape(text.format(names=", ".join(names))))
    return "<br>".join([*lines, *map(escape, found.warnings)])


def _row(tag: str, texts: Sequence[str]) -> str:
    name, *numbers = (escape(text) for text in texts)
    cells = "".join(f"<{tag} align='right'>{number}</{tag}>" for number in numbers)
    return f"<tr><{tag} align='left'>{name}</{tag}>{cells}</tr>"
