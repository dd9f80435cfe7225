"""The menu of structure sets: those of the vocabulary, with what the model lacks, and the user's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _
from textsegment.errors import TextSegmentError
from textsegment.vocabulary.template import Template, load_templates

from TextSegmentLib.panel.anatomy.sets import read_own_sets, save_own_set, words_for


class SetsMenu:
    """Fills the menu of a button each time it opens.

    Args:
        button: The ``QToolButton``.
        structures: Returns the structures the text currently asks for.
        on_chosen: Called with the text that stands for the chosen set.
        on_error: Called with the error when a set cannot be saved.
    """

    def __init__(
        self,
        button: Any,
        structures: Callable[[], Sequence[str]],
        on_chosen: Callable[[str], None],
        on_error: Callable[[TextSegmentError], None],
    ) -> None:
        self._button = button
        self._structures = structures
        self._on_chosen = on_chosen
        self._on_error = on_error
        self._modality = "CT"
        self._known: frozenset[str] = frozenset()
        self._is_full = False
        self._menu = qt.QMenu(button)
        self._menu.toolTipsVisible = True
        self._menu.connect("aboutToShow()", self._fill)
        button.setMenu(self._menu)

    def set_model(self, modality: str, known: frozenset[str]) -> None:
        """Set the modality and the structures of the model against which sets are checked."""
        self._modality, self._known = modality, known

    def _fill(self) -> None:
        self._menu.clear()
        for template in load_templates().values():
            has_more = any(not entry.core for entry in template.entries)
            self._add(template.with_optional() if self._is_full and has_more else template)
        full = self._menu.addAction(_("With optional structures"))
        full.checkable = True
        full.checked = self._is_full
        full.connect("toggled(bool)", self._set_full)
        self._menu.addSeparator()
        own, problems = read_own_sets(own_sets_folder())
        for template in own:
            self._add(template)
        for problem in problems:
            action = self._menu.addAction(_("Unreadable file"))
            action.toolTip = problem
            action.enabled = False
        save = self._menu.addAction(_("Save as a set…"))
        save.enabled = bool(self._structures())
        save.connect("triggered()", self._save)
        if own or problems:
            self._menu.addAction(_("Show own sets")).connect("triggered()", _open_folder)

    def _add(self, template: Template) -> None:
        """Add a menu item for a set, noting which structures the model lacks."""
        wanted = [entry for entry in template.entries if entry.core or template.full]
        runs = (entry for entry in template.chosen(self._modality) if entry.prompts)
        held = [entry for entry in runs if self._known.issuperset(entry.prompts)]
        missing = [entry.output for entry in wanted if entry not in held]
        text = _("{set}: {count} of {all}").format(set=template.label, count=len(held), all=len(wanted))
        action = self._menu.addAction(text.replace("&", "&&"))
        action.toolTip = _("Missing: {names}").format(names=", ".join(missing)) if missing else _("Complete")
        action.enabled = bool(held)
        action.connect("triggered()", lambda: self._on_chosen(words_for(template, self._modality)))

    def _set_full(self, is_full: bool) -> None:
        self._is_full = is_full

    def _save(self) -> None:
        structures = self._structures()
        dialog = qt.QInputDialog(self._button)
        dialog.setAttribute(qt.Qt.WA_DeleteOnClose)
        dialog.windowTitle = _("Save as a set")
        dialog.setLabelText(_("Name of the set:"))
        dialog.connect("textValueSelected(QString)", lambda label: self._write(label, structures))
        dialog.open()

    def _write(self, label: str, structures: Sequence[str]) -> None:
        try:
            save_own_set(own_sets_folder(), label, structures)
        except TextSegmentError as error:
            self._on_error(error)


def _open_folder() -> None:
    path = own_sets_folder().as_posix().lstrip("/")
    qt.QDesktopServices.openUrl(qt.QUrl(f"file:///{path}", qt.QUrl.TolerantMode))


def own_sets_folder() -> Path:
    """Return the folder next to Slicer's settings that holds the user's sets, one file each."""
    return Path(qt.QSettings().fileName()).parent / "TextSegment" / "sets"
