"""The text box: completion, what the text means, answers to its questions, recent requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import qt
from textsegment.segmenter import ModelInfo
from textsegment.vocabulary.resolve import Resolution

from TextSegmentLib.background import BackgroundTask, Pump
from TextSegmentLib.panel.prompt.completer import TermCompleter
from TextSegmentLib.panel.prompt.meaning import Meaning
from TextSegmentLib.panel.prompt.request_text import (
    count_terms,
    structures_of,
    with_answer,
    with_structures,
    without_structures,
)
from TextSegmentLib.panel.theme import colors_of

_READ_DELAY_MS = 120
_FEW = 4  # terms, understood before anybody notices

Resolve = Callable[[str, str, ModelInfo | None], Sequence[Resolution]]


class PromptBox:
    """The text and what it means; asks for a run when Enter is pressed.

    Nothing runs that was not shown before: Enter pressed faster than the meaning is written shows it first,
    unless every term is a single structure.

    Args:
        edit: The ``QLineEdit``.
        label: Shows what the text means.
        resolve: Returns what a text means in a modality to a model; called in a thread too.
        on_read: Called whenever the meaning was read anew.
        on_enter: Called when the user asks for a run.

    Attributes:
        resolutions: What the terms stand for.
        is_unread: Whether the text has changed since.
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
        self.is_unread = False
        self._is_entered = False
        self._model: ModelInfo | None = None
        self._pump: Pump | None = None
        self.resolutions: Sequence[Resolution] = ()
        self._completer = TermCompleter(edit)
        self._timer = qt.QTimer(edit)
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self._read)
        edit.connect("textChanged(QString)", self._text_changed)
        edit.connect("returnPressed()", self.enter)
        label.connect("linkActivated(QString)", self._answer)

    @property
    def text(self) -> str:
        """What is typed."""
        return self._edit.text

    @text.setter
    def text(self, text: str) -> None:
        self._edit.text = text
        self.is_unread = True
        self._read()

    @property
    def structures(self) -> tuple[str, ...]:
        """Prompts that the text asks for."""
        return structures_of(self.resolutions)

    @property
    def questions(self) -> list[Resolution]:
        """Terms that cannot run before they are answered."""
        return [each for each in self.resolutions if not each.runs]

    def set_model(self, modality: str, known: frozenset[str], model: ModelInfo | None) -> None:
        """Read the text as it is meant for another modality or model."""
        if (modality, known, model) == (self._modality, self._known, self._model):
            return
        self._modality, self._known, self._model = modality, known, model
        self._completer.set_model(modality, known)
        self.is_unread = True
        self._read()

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
        if self.is_unread:
            self._is_entered = True
            self._read()
        else:
            self._on_enter()

    def stop(self) -> None:
        """Do nothing more: the panel goes away."""
        self._stop_reading()

    def _text_changed(self, _text: str) -> None:
        self.is_unread, self._is_entered = True, False
        self._timer.start(_READ_DELAY_MS)

    def _read(self) -> None:
        """Find out what the text means; a long one in the background, where it may take its time."""
        self._stop_reading()
        text, modality, model = self.text, self._modality, self._model
        if count_terms(text) <= _FEW:
            self._show(self._resolve(text, modality, model))
            return
        job = BackgroundTask(lambda _report, _cancel: self._resolve(text, modality, model)).start()

        def take() -> bool:
            if not job.is_over:
                return True
            self._show(job.result())
            return False

        self._pump = Pump(take)

    def _stop_reading(self) -> None:
        self._timer.stop()
        if self._pump is not None:
            self._pump.stop()

    def _show(self, resolutions: Sequence[Resolution]) -> None:
        self.is_unread = False
        self.resolutions = resolutions
        self._meaning = Meaning(resolutions, self._modality, self._known)
        self._write()
        self._on_read()
        is_entered, self._is_entered = self._is_entered, False
        if is_entered and all(each.status == "resolved" for each in resolutions):
            self._on_enter()

    def _write(self) -> None:
        html = self._meaning.html(colors_of(self._label))
        self._label.text = html
        self._label.toolTip = self._meaning.notes
        self._label.visible = bool(html)

    def _answer(self, link: str) -> None:
        answer = self._meaning.follow(link)
        if answer is None:
            self._write()
        else:
            self.text = with_answer(self.text, answer.index, answer.name, self._modality)
            self._edit.setFocus()
