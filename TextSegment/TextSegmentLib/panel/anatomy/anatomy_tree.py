"""The anatomy tree: terms in a tree view, checked in step with the text, gray where not in the model.

Rows are created on demand, because the tree has thousands of terms and a term can appear in several places.
A row stores only the identifier of its term; its check state follows from what the text asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Any

import qt
from slicer.i18n import tr as _
from textsegment.vocabulary.tree import Term, load_tree

from TextSegmentLib.panel.anatomy.coverage import Coverage

_TERM_ROLE = qt.Qt.UserRole + 1
_SEARCH_DELAY_MS = 150
_MOST_SYNONYMS = 6

Toggled = Callable[[str, Sequence[str], bool], None]
"""Callback that takes the name of a term, the structures it stands for, and whether they are wanted."""


class AnatomyTree:
    """Fills the tree view and reports which terms the user checks.

    Args:
        view: The ``QTreeView``.
        search_box: Line edit with the text to search for.
        order_box: Combo box that chooses the order: by organ system or by body region.
        available_box: Check box that limits the tree to terms the model covers.
        on_toggled: Called when the user checks or unchecks a term.
    """

    def __init__(
        self, view: Any, search_box: Any, order_box: Any, available_box: Any, on_toggled: Toggled
    ) -> None:
        self._view = view
        self._search_box = search_box
        self._order_box = order_box
        self._available_box = available_box
        self._on_toggled = on_toggled
        self._coverage: Coverage | None = None
        self._selected: frozenset[str] = frozenset()
        self._is_filling = False
        self._model = qt.QStandardItemModel(view)
        self._model.connect("itemChanged(QStandardItem*)", self._item_changed)
        view.setModel(self._model)
        view.connect("expanded(QModelIndex)", self._fill_children)
        order_box.addItems([_("By system"), _("By region")])
        order_box.connect("currentIndexChanged(int)", self._show)
        available_box.connect("toggled(bool)", self._show)
        self._timer = qt.QTimer(view)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SEARCH_DELAY_MS)
        self._timer.connect("timeout()", self._show)
        search_box.connect("textChanged(QString)", lambda text: self._timer.start())

    def set_coverage(self, coverage: Coverage) -> None:
        """Show the tree for another model or modality; does nothing if neither has changed."""
        same = self._coverage is not None and (
            (self._coverage.modality, self._coverage.known) == (coverage.modality, coverage.known)
        )
        if not same:
            self._coverage = coverage
            self._show()

    def set_selected(self, structures: frozenset[str]) -> None:
        """Check the terms whose structures the text asks for."""
        self._selected = structures
        self._is_filling = True
        for item in self._items(self._model.invisibleRootItem()):
            self._set_check(item, load_tree()[item.data(_TERM_ROLE)])
        self._is_filling = False

    def stop(self) -> None:
        """Stop the search timer, because the panel is being destroyed."""
        self._timer.stop()

    def _show(self, *_arguments: Any) -> None:
        """Refill the view: with the search results if there is a search text, or else with the root terms."""
        if self._coverage is None:
            return
        text = self._search_box.text.strip()
        if text:
            terms = self._coverage.search(text)
        else:
            by_region = self._order_box.currentIndex == 1
            terms = self._coverage.roots(by_region, self._available_box.checked)
        self._is_filling = True
        self._model.clear()
        root = self._model.invisibleRootItem()
        for term in terms:
            root.appendRow(self._item(term))
        self._is_filling = False

    @property
    def _cover(self) -> Coverage:
        """The coverage, which is always set once there are rows."""
        assert self._coverage is not None
        return self._coverage

    def _item(self, term: Term) -> Any:
        item = qt.QStandardItem(term.name)
        item.setData(term.id, _TERM_ROLE)
        item.setEditable(False)
        item.setToolTip(self._tool_tip(term))
        item.setCheckable(True)
        item.setEnabled(bool(self._cover.covered(term)))
        self._set_check(item, term)
        if self._cover.children(term, self._available_box.checked):
            item.appendRow(qt.QStandardItem())  # a placeholder, replaced when the row is expanded
        return item

    def _fill_children(self, index: Any) -> None:
        item = self._model.itemFromIndex(index)
        if item is None or item.rowCount() != 1 or item.child(0).data(_TERM_ROLE):
            return
        self._is_filling = True
        item.removeRow(0)
        for term in self._cover.children(load_tree()[item.data(_TERM_ROLE)], self._available_box.checked):
            item.appendRow(self._item(term))
        self._is_filling = False

    def _items(self, parent: Any) -> Iterator[Any]:
        for row in range(parent.rowCount()):
            item = parent.child(row)
            if item.data(_TERM_ROLE):
                yield item
                yield from self._items(item)

    def _set_check(self, item: Any, term: Term) -> None:
        covered = self._cover.covered(term)
        if not covered:
            return
        if self._selected.issuperset(covered):
            state = qt.Qt.Checked
        elif self._selected.isdisjoint(self._cover.inside(term)):
            state = qt.Qt.Unchecked
        else:
            state = qt.Qt.PartiallyChecked
        if item.checkState() != state:
            item.setCheckState(state)

    def _item_changed(self, item: Any) -> None:
        if self._is_filling:
            return
        term = load_tree()[item.data(_TERM_ROLE)]
        wanted = item.checkState() == qt.Qt.Checked
        meant = self._cover.covered(term) if wanted else tuple(self._cover.inside(term))
        self._on_toggled(term.name, meant, wanted)

    def _tool_tip(self, term: Term) -> str:
        lines = [f"<b>{escape(term.name)}</b>"]
        if term.definition:
            lines.append(escape(term.definition))
        if term.synonyms:
            lines.append(_("Also: {names}").format(names=escape(", ".join(term.synonyms[:_MOST_SYNONYMS]))))
        lines.append(escape(self._support(term)))
        return "<p>" + "<br>".join(lines) + "</p>"

    def _support(self, term: Term) -> str:
        covered = self._cover.covered(term)
        if term.structures and set(covered) <= set(term.structures) and covered:
            return _("The model calls it: {names}").format(names=", ".join(covered))
        if covered:
            return _("Structures of it in the model: {count}").format(count=len(covered))
        elsewhere, wider = self._cover.why_not(term)
        if elsewhere:
            return _("The model knows it in {modalities} only.").format(modalities=", ".join(elsewhere))
        if wider:
            return _("Not known to the model; the nearest is {names}.").format(names=", ".join(wider))
        return _("Not known to the model.")
