"""The text box: completion, what the text means, answers to its questions, recent requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import qt
from textsegment.vocabulary.resolve import Resolution

from TextSegmentLib.completer import TermCompleter
from TextSegmentLib.meaning import Meaning
from TextSegmentLib.request_text import structures_of, with_answer, with_structures, without_structures
from TextSegmentLib.theme import colors_of

_READ_DELAY_MS = 120

Resolve = Callable[[str, str], Sequence[Resolution]]


class PromptBox:
    """The text and what it means; asks for a run when Enter is pressed.

    Nothing runs that was not shown before: Enter pressed faster than the meaning is written shows it first,
    unless every term is a single structure.

    Args:
        edit: The ``QLineEdit``.
        label: Shows what the text means.
        resolve: Returns what a text means in a modality.
        on_read: Called with this box whenever the meaning was read anew.
        on_enter: Called when the user asks for a run.

    Attributes:
        resolutions: What the terms stand for.
    """

    def __init__(
        self,
        edit: Any,
        label: Any,
        resolve: Resolve,
        on_read: Callable[[], None],
        on_enter: Callable[[], None],
    ) -> None:
        self._edit = edit
        self._label = label
        self._resolve = resolve
        self._on_read = on_read
        self._on_enter = on_enter
        self._modality = "CT"
        self._known: frozenset[str] = frozenset()
        self._meaning = Meaning([], self._modality, self._known)
        self._is_unread = False
        self.resolutions: Sequence[Resolution] = ()
        self._completer = TermCompleter(edit)
        self._timer = qt.QTimer(edit)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_READ_DELAY_MS)
        self._timer.connect("timeout()", self.read)
        edit.connect("textChanged(QString)", self._text_changed)
        edit.connect("returnPressed()", self.enter)
        label.connect("linkActivated(QString)", self._answer)

    @property
    def text(self) -> str:
        """What is typed."""
        return self._edit.text

    @text.setter
    def text(self, text: str) -> None:
        if text != self._edit.text:
            self._edit.text = text
        self.read()

    @property
    def structures(self) -> tuple[str, ...]:
        """Prompts that the text asks for."""
        return structures_of(self.resolutions)

    @property
    def questions(self) -> list[Resolution]:
        """Terms that cannot run before they are answered."""
        return [each for each in self.resolutions if not each.runs]

    def set_model(self, modality: str, known: frozenset[str]) -> None:
        """Read the text as it is meant for another modality or model."""
        self._modality, self._known = modality, known
        self._completer.set_model(modality, known)
        self.read()

    def toggle(self, phrase: str, structures: Sequence[str], wanted: bool) -> None:
        """Add structures to the text or take them out, as the anatomy tree asks."""
        if wanted:
            self.text = with_structures(self.text, structures, self._modality, phrase.lower())
        else:
            self.text = without_structures(self.text, structures, self._modality, self._known)

    def add(self, words: str) -> None:
        """Put words behind the text."""
        self.text = "; ".join(part for part in (self.text.rstrip(" ,;"), words) if part)

    def enter(self) -> None:
        """Ask for a run, unless there is something that has to be seen first."""
        if self._completer.takes_enter():
            return
        was_unread = self._is_unread
        self.read()
        if not was_unread or all(each.status == "resolved" for each in self.resolutions):
            self._on_enter()

    def read(self) -> None:
        """Show what the text means."""
        self._timer.stop()
        self._is_unread = False
        self.resolutions = self._resolve(self.text, self._modality)
        self._meaning = Meaning(self.resolutions, self._modality, self._known)
        self._write()
        self._on_read()

    def stop(self) -> None:
        """Do nothing more: the panel goes away."""
        self._timer.stop()

    def _text_changed(self, _text: str) -> None:
        self._is_unread = True
        self._timer.start()

    def _write(self) -> None:
        html = self._meaning.html(colors_of(self._label))
        self._label.text = html
        self._label.visible = bool(html)

    def _answer(self, link: str) -> None:
        answer = self._meaning.follow(link)
        if answer is None:
            self._write()
        else:
            self.text = with_answer(self.text, answer.index, answer.name, self._modality)
            self._edit.setFocus()
