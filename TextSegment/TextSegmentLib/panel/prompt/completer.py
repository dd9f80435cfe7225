"""Completion of the term under the cursor in a list of terms."""

from __future__ import annotations

from typing import Any

import qt
from textsegment.vocabulary.lexicon import load_lexicon

from TextSegmentLib.panel.prompt.completion import complete, fragment_at, with_completion

_NAME_ROLE = qt.Qt.UserRole + 1


class TermCompleter:
    """Offers completions below a ``QLineEdit`` for the term being typed, and inserts the chosen one.

    Args:
        edit: The ``QLineEdit``.
    """

    def __init__(self, edit: Any) -> None:
        self._edit = edit
        self._modality = "CT"
        self._known: frozenset[str] = frozenset()
        self._model = qt.QStandardItemModel(edit)
        self._completer = qt.QCompleter(self._model, edit)
        self._completer.setWidget(edit)  # not edit.setCompleter, which would complete the whole text
        self._completer.setCompletionRole(_NAME_ROLE)
        self._completer.connect("activated(QString)", self._take)
        edit.connect("textEdited(QString)", self._offer)
        load_lexicon()  # takes a tenth of a second, so not at the first keystroke

    def set_model(self, modality: str, known: frozenset[str]) -> None:
        """Set the modality and the structures that are offered."""
        self._modality, self._known = modality, known

    def takes_enter(self) -> bool:
        """Return whether Enter would choose a completion from the open list."""
        popup = self._completer.popup()
        return bool(popup.visible and popup.currentIndex().isValid())

    def _offer(self, text: str) -> None:
        start, end = fragment_at(text, self._edit.cursorPosition)
        found = complete(text[start:end], self._modality, self._known)
        self._model.clear()
        for name, synonym in found:
            item = qt.QStandardItem(f"{synonym} → {name}" if synonym else name)
            item.setData(name, _NAME_ROLE)
            self._model.appendRow(item)
        if found:
            self._completer.complete()
        else:
            self._completer.popup().hide()

    def _take(self, name: str) -> None:
        text, cursor = with_completion(self._edit.text, self._edit.cursorPosition, name)
        self._edit.text = text
        self._edit.cursorPosition = cursor
