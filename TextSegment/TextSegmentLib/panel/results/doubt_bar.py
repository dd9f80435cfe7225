"""What is doubtful about the results, in words, and the way from one doubtful structure to the next."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from html import escape
from typing import Any

from slicer.i18n import tr as _
from textsegment.doubt import most_of

from TextSegmentLib.panel.results.order import doubt_rank
from TextSegmentLib.panel.theme import colors_of
from TextSegmentLib.scene.results.rows import ResultRow, RowState

_MOST_NAMES = 6
_FOUND = (RowState.DONE, RowState.CUT_OFF)


class DoubtBar:
    """Shows the verdicts of ``textsegment.doubt``; it has no rule of its own.

    Args:
        ui: Widgets of the panel, by name.
        select: Selects the segment with an identifier.
        on_check: Called with the rows that are to be checked thoroughly.
        show_only: Called with the segments that the table is to show; None for all of them.
    """

    def __init__(
        self,
        ui: Any,
        select: Callable[[str], None],
        on_check: Callable[[Sequence[ResultRow]], None],
        show_only: Callable[[Collection[str] | None], None],
    ) -> None:
        self._ui, self._select, self._on_check = ui, select, on_check
        self._rows: Sequence[ResultRow] = ()
        self._doubtful: Sequence[ResultRow] = ()
        self._selected: Sequence[ResultRow] = ()
        self._show_only = show_only
        for button in (ui.nextDoubtButton, ui.nextDoubtHereButton):
            button.connect("clicked()", self.select_next)
        ui.doubtfulOnlyBox.connect("toggled(bool)", lambda _on: self._filter())
        ui.checkButton.connect("clicked()", lambda: on_check(self._to_check()))
        ui.doubtLabel.connect("linkActivated(QString)", select)

    def show(self, rows: Sequence[ResultRow], selected: Sequence[ResultRow], *, can_run: bool) -> None:
        """Show what is doubtful about rows.

        Args:
            rows: All rows.
            selected: Rows of the selected segments, whose reasons are shown in full.
            can_run: Whether a run could start now.
        """
        self._rows, self._selected = rows, selected
        self._doubtful = doubtful_of(rows)
        lines = []
        color = colors_of(self._ui.doubtLabel).problem
        most = most_of([row.doubt for row in rows if row.segment_id and row.state in _FOUND])
        if most is not None:
            lines.append(f"<span style='color:{color}'>{escape(most)}</span>")
        if self._doubtful:
            links = [
                f"<a href='{escape(row.segment_id or '')}'>{escape(row.name)}</a>"
                for row in self._doubtful[:_MOST_NAMES]
            ]
            names = ", ".join([*links, *(["…"] if len(self._doubtful) > _MOST_NAMES else [])])
            lines.append(_("To check: {names}").format(names=names))
        for row in selected:
            if row.doubt.reasons and len(selected) == 1:
                text = escape(f"{row.name}: {row.doubt}")
                lines.append(f"<span style='color:{color}'>{text}</span>" if row.doubt else text)
        self._ui.doubtLabel.text = "<br>".join(lines)
        self._ui.doubtLabel.visible = bool(lines)
        for button in (self._ui.nextDoubtButton, self._ui.nextDoubtHereButton, self._ui.doubtfulOnlyBox):
            button.enabled = bool(self._doubtful)
        self._filter()
        self._ui.checkButton.enabled = can_run and bool(self._to_check())

    def select_next(self) -> None:
        """Select the doubtful structure after the selected one, the most doubtful one first."""
        if not self._doubtful:
            return
        ids = [row.segment_id or "" for row in self._doubtful]
        chosen = [row.segment_id for row in self._selected if row.segment_id in ids]
        place = ids.index(chosen[-1] or "") + 1 if chosen else 0
        self._select(ids[place % len(ids)])

    def _filter(self) -> None:
        """Leave out of the table what is not doubtful, if the user wants that and anything is doubtful."""
        wants_few = self._ui.doubtfulOnlyBox.checked and bool(self._doubtful)
        self._show_only([row.segment_id or "" for row in self._doubtful] if wants_few else None)

    def _to_check(self) -> Sequence[ResultRow]:
        """Return the rows that the engine could look at again: those nobody has accepted or edited."""
        return [row for row in self._rows if row.segment_id and row.is_as_found]


def doubtful_of(rows: Sequence[ResultRow]) -> list[ResultRow]:
    """Return the rows that should be looked at, the most doubtful one first."""
    doubtful = [row for row in rows if row.segment_id and row.doubt]
    return sorted(doubtful, key=doubt_rank)
