"""The notes below the results table: missing structures, hidden segmentations, and demo-model masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from slicer.i18n import tr as _
from textsegment.caution import Caution

from TextSegmentLib.panel.numbers import number
from TextSegmentLib.panel.theme import colors_of
from TextSegmentLib.scene.results.rows import ResultRow, RowState
from TextSegmentLib.scene.visibility import is_hidden, make_visible

_SHOW = "show"
_RAW = "raw "
_MOST_NAMES = 8


class ResultsNote:
    """Shows what Slicer's segments table cannot.

    Args:
        label: Label that shows the notes.
        on_redo: Called with a row that has no segment when the user asks to segment its structure again.
        on_raw: Called with a tidied row when the user wants what the model had found.
    """

    def __init__(
        self, label: Any, on_redo: Callable[[ResultRow], None], on_raw: Callable[[ResultRow], None]
    ) -> None:
        self._label = label
        self._on_redo, self._on_raw = on_redo, on_raw
        self._rows: dict[str, ResultRow] = {}
        self._tidied_rows: dict[str, ResultRow] = {}
        self._node: Any = None
        label.connect("linkActivated(QString)", self._follow)

    def show(self, segmentation_node: Any, rows: Sequence[ResultRow], *, is_active: bool) -> None:
        """Show the notes for the given rows.

        Args:
            segmentation_node: Segmentation node that holds the segments; None if there is none.
            rows: All rows, with and without segments.
            is_active: Whether a run is still adding results.
        """
        self._node = segmentation_node
        there = {row.structure for row in rows if row.segment_id}
        # Of several rows of one structure, the last counts.
        absent = {row.structure: row for row in rows if row.structure not in there}
        self._rows = {row.key: row for row in absent.values()}
        titles = {RowState.NOT_FOUND: _("Not found in this image: {names}")}
        titles[RowState.REMOVED] = _("Removed: {names}")
        if not is_active:
            titles[RowState.WAITING] = _("Not done: {names}")
        lines = []
        for state, title in titles.items():
            names = [self._name(row, can_redo=not is_active) for row in absent.values() if row.state is state]
            if names:
                shown = ", ".join([*names[:_MOST_NAMES], *(["…"] if len(names) > _MOST_NAMES else [])])
                lines.append(title.format(names=shown))
        lines += self._tidied(rows) + self._hidden() + self._toy(rows)
        self._label.text = "<br>".join(lines)
        self._label.visible = bool(lines)

    def _name(self, row: ResultRow, *, can_redo: bool) -> str:
        repeats = Caution("not_found", structure=row.structure)
        told = [each for each in row.warnings if each != repeats]
        warnings = f" ({escape(' '.join(told))})" if told else ""
        name = escape(row.structure)
        return (f"<a href='{escape(row.key)}'>{name}</a>" if can_redo else name) + warnings

    def _tidied(self, rows: Sequence[ResultRow]) -> list[str]:
        """Return what was tidied, with links that bring back what was removed."""
        self._tidied_rows = {f"{_RAW}{row.key}": row for row in rows if row.segment_id and row.tidied}
        if not self._tidied_rows:
            return []
        names = [
            f"<a href='{escape(link)}' title='{escape(row.tidied)}'>{escape(row.name)}</a>"
            + escape(_(" ({ml}\u00a0ml)").format(ml=number(row.tidied_ml, 0 if row.tidied_ml >= 10 else 1)))
            for link, row in self._tidied_rows.items()
        ]
        shown = ", ".join([*names[:_MOST_NAMES], *(["…"] if len(names) > _MOST_NAMES else [])])
        return [f"{escape(_('Tidied, a click brings back what was removed:'))} {shown}"]

    def _hidden(self) -> list[str]:
        if self._node is None or not is_hidden(self._node):
            return []
        text = escape(_("The segmentation is hidden in the views."))
        return [f"{text} <a href='{_SHOW}'>{escape(_('Show it'))}</a>"]

    def _toy(self, rows: Sequence[ResultRow]) -> list[str]:
        if not any(row.segment_id and row.is_toy for row in rows):
            return []
        text = _("Made by sat-demo, a toy for trying things out: these masks are no results.")
        return [f"<span style='color:{colors_of(self._label).problem}'>{escape(text)}</span>"]

    def _follow(self, link: str) -> None:
        if link == _SHOW and self._node is not None:
            make_visible(self._node)
        elif link in self._tidied_rows:
            self._on_raw(self._tidied_rows[link])
        elif link in self._rows:
            self._on_redo(self._rows[link])
