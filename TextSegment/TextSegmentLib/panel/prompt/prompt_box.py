"""The text box: completion, the meaning of the text, and answers to its questions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import qt
from textsegment.errors import TextSegmentError
from textsegment.segmenter import ModelInfo
from textsegment.vocabulary.resolve import Resolution
from textsegment.vocabulary.selection import check_length

from TextSegmentLib.background import BackgroundTask, Pump
from TextSegmentLib.panel.prompt.completer import TermCompleter
from TextSegmentLib.panel.prompt.meaning import Meaning
from TextSegmentLib.panel.prompt.request_text import (
    count_terms,
    structures_of,
    with_answers,
    with_structures,
    without_structures,
)
from TextSegmentLib.panel.theme import colors_of

_READ_DELAY_MS = 120
_FEW = 4  # number of terms that are resolved without a noticeable delay
_SHORT = 200

Resolve = Callable[[str, str, ModelInfo | None], Sequence[Resolution]]


class PromptBox:
    """Shows the text and its meaning, and requests a run when Enter is pressed.

    Nothing runs before its meaning has been shown: if Enter is pressed first, the meaning is shown instead,
    unless every term stands for a single structure.

    Args:
        edit: The ``QLineEdit``.
        label: Label that shows the meaning of the text.
        resolve: Resolves a text for a modality and a model; may be called in a thread.
        on_read: Called whenever the text has been resolved again.
        on_enter: Called when the user requests a run.

    Attributes:
        resolutions: Resolutions of the terms.
        is_unread: Whether the text has changed since it was last resolved.
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
        self._problem = ""
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
        """The text as typed."""
        return self._edit.text

    @text.setter
    def text(self, text: str) -> None:
        self._edit.text = text
        self.is_unread = True
        self._read()

    @property
    def structures(self) -> tuple[str, ...]:
        """The prompts that the text asks for, each once."""
        return structures_of(self.resolutions)

    @property
    def questions(self) -> list[Resolution]:
        """Resolutions of the terms that cannot run until the user answers a question."""
        return [each for each in self.resolutions if not each.runs]

    def set_model(self, modality: str, known: frozenset[str], model: ModelInfo | None) -> None:
        """Resolve the text for another modality or model."""
        if (modality, known, model) == (self._modality, self._known, self._model):
            return
        self._modality, self._known, self._model = modality, known, model
        self._completer.set_model(modality, known)
        self.is_unread = True
        self._read()

    @property
    def problem(self) -> str:
        """Reason why the text as a whole cannot be resolved; empty if it can."""
        return self._problem

    def toggle(self, phrase: str, structures: Sequence[str], wanted: bool) -> None:
        """Add structures to the text or remove them, as checked in the anatomy tree."""
        if self.is_unread:
            self._take(lambda: self._understand(*self._asked()))
        found = self.resolutions
        if wanted:
            self.text = with_structures(self.text, found, structures, self._modality, phrase.lower())
        else:
            self.text = without_structures(found, structures, self._modality, self._known)

    def add(self, words: str) -> None:
        """Append words to the text."""
        self.text = "; ".join(part for part in (self.text.rstrip(" ,;"), words) if part)

    def enter(self) -> None:
        """Request a run, unless a completion is being chosen or the meaning has not been shown yet."""
        if self._completer.takes_enter():
            return
        if self.is_unread:
            self._is_entered = True
            self._read()
        else:
            self._on_enter()

    def stop(self) -> None:
        """Stop resolving the text, because the panel is being destroyed."""
        self._stop_reading()

    def _text_changed(self, _text: str) -> None:
        self.is_unread, self._is_entered = True, False
        self._timer.start(_READ_DELAY_MS)

    def _read(self) -> None:
        """Resolve the text; a long one in the background."""
        self._timer.stop()
        asked = self._asked()
        if len(asked[0]) <= _SHORT and count_terms(asked[0]) <= _FEW:
            self._stop_reading()
            self._take(lambda: self._understand(*asked))
        elif self._pump is None:  # otherwise the text being resolved is finished first
            job = BackgroundTask(lambda _report, _cancel: self._understand(*asked)).start()
            self._pump = Pump(lambda: self._is_being_read(job, asked))

    def _asked(self) -> tuple[str, str, ModelInfo | None]:
        return self.text, self._modality, self._model

    def _understand(self, text: str, modality: str, model: ModelInfo | None) -> Sequence[Resolution]:
        if not text.strip(" ,;"):
            return ()
        check_length(text)
        return self._resolve(text, modality, model)

    def _is_being_read(
        self, job: BackgroundTask[Sequence[Resolution]], asked: tuple[str, str, ModelInfo | None]
    ) -> bool:
        if not job.is_over:
            return True
        self._pump = None
        if asked == self._asked():
            self._take(job.result)
        else:
            self._read()
        return False

    def _stop_reading(self) -> None:
        self._timer.stop()
        if self._pump is not None:
            self._pump.stop()
        self._pump = None

    def _take(self, read: Callable[[], Sequence[Resolution]]) -> None:
        """Show the resolutions, or the reason why there are none."""
        try:
            resolutions, self._problem = read(), ""
        except TextSegmentError as error:
            resolutions, self._problem = (), str(error)
        self._show(resolutions)

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
        colors = colors_of(self._label)
        html = self._meaning.html(colors)
        if self._problem:
            html = f"<span style='color:{colors.problem}'>✗ {escape(self._problem)}</span>"
        self._label.text = html
        self._label.toolTip = self._meaning.notes
        self._label.visible = bool(html)

    def _answer(self, link: str) -> None:
        answers = self._meaning.follow(link)
        if not answers:
            self._write()
        elif not self.is_unread:  # otherwise the answers belong to an older text
            self.text = with_answers(self.resolutions, answers, self._modality)
            self._edit.setFocus()
