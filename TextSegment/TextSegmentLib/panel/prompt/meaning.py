"""The meaning of the text as rich text: one line per term, and questions with clickable answers. No Qt."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape
from typing import NamedTuple

from slicer.i18n import tr as _
from textsegment.vocabulary.answers import suggested_answers
from textsegment.vocabulary.language.words import clean, tokens
from textsegment.vocabulary.resolve import Resolution
from textsegment.vocabulary.tree import find_terms, load_tree

_MOST_NAMES = 4
_MOST_PLAIN_NAMES = 8
_MOST_ANSWERS = 6
_MOST_QUESTIONS = 4
_MOST_LINES = 5
_MOST_NOTES = 20
_LONGEST_TERM = 60
_ALL = "all"
_SUGGESTED, _NONE, _REST, _PLAIN = "suggested", "none", "rest", "plain"


class Colors(NamedTuple):
    """Colors that suit the theme, in HTML notation.

    Attributes:
        muted: Color of secondary text.
        problem: Color of errors and questions.
    """

    muted: str
    problem: str


class Meaning:
    """The meaning of a text for the current model.

    However long the text, only a few lines are shown: further questions appear once the first are answered,
    and further names on request.

    Args:
        resolutions: One resolution per term.
        modality: ``CT``, ``MR`` or ``PT``.
        known: Names of the structures that can be requested.
    """

    def __init__(self, resolutions: Sequence[Resolution], modality: str, known: Collection[str]) -> None:
        self._resolutions = resolutions
        self._modality = modality
        self._known = known
        self._opened: set[str] = set()

    def html(self, colors: Colors) -> str:
        """Return the lines as HTML, questions first; terms that are exact names share one line."""
        numbered = list(enumerate(self._resolutions))
        questions = [(n, each) for n, each in numbered if not each.runs]
        lines = [self._question(n, each, colors) for n, each in questions[:_MOST_QUESTIONS]]
        lines += self._for_all(len(questions))
        mapped = [(n, each) for n, each in numbered if each.runs and not _is_said_as_is(each)]
        shown = mapped if _REST in self._opened else mapped[:_MOST_LINES]
        lines += [self._found(n, each, colors) for n, each in shown]
        if len(mapped) > len(shown):
            more = _("{count} more…").format(count=len(mapped) - len(shown))
            lines.append(f"<a href='{_REST}'>{escape(more)}</a>")
        plain = [each.structures[0] for each in self._resolutions if _is_said_as_is(each)]
        return "<br>".join([*lines, *self._plain_line(list(dict.fromkeys(plain)))])

    def _for_all(self, count: int) -> list[str]:
        """Return the line with the links that answer all questions at once."""
        if count < 2:
            return []
        links = [f"<a href='{_NONE}'>{escape(_('Leave all out'))}</a>"]
        if len(self._suggested()) > 1:
            links.insert(0, f"<a href='{_SUGGESTED}'>{escape(_('Take all suggestions'))}</a>")
        hidden = count - _MOST_QUESTIONS
        lead = escape(_("{count} more questions.").format(count=hidden)) + " " if hidden > 0 else ""
        return [lead + ", ".join(links)]

    def _plain_line(self, names: Sequence[str]) -> list[str]:
        if len(names) <= _MOST_PLAIN_NAMES or _PLAIN in self._opened:
            return [f"✓ {escape(', '.join(names))}"] if names else []
        count = escape(_("{count} structures").format(count=len(names)))
        first = escape(", ".join(names[:2]))
        return [f"✓ <b>{count}</b>: {first}, <a href='{_PLAIN}'>{escape(_('all…'))}</a>"]

    @property
    def notes(self) -> str:
        """Remarks about individual structures, one per line."""
        single = [each for each in self._resolutions if each.status == "resolved" and each.warnings]
        lines = dict.fromkeys(f"{each.structures[0]}: {' '.join(each.warnings)}" for each in single)
        shown = list(lines)[:_MOST_NOTES]
        return "\n".join([*shown, *(["…"] if len(lines) > len(shown) else [])])

    def follow(self, link: str) -> dict[int, str]:
        """Return the answers that a clicked link stands for.

        Returns:
            The replacement of each term by its index, empty to leave the term out; no entries if the link
            only expands a list of names.
        """
        if link == _SUGGESTED:
            return self._suggested()
        if link == _NONE:
            return {n: "" for n, each in enumerate(self._resolutions) if not each.runs}
        number, _slash, choice = link.partition("/")
        if choice == _ALL or not number.isdecimal():
            self._opened.add(number)
            return {}
        index = int(number)
        return {index: self._answers(self._resolutions[index])[int(choice)] if choice else ""}

    def _suggested(self) -> dict[int, str]:
        """Return the best suggestion for each term that has one; ambiguous terms stay open."""
        answers = suggested_answers(self._resolutions, self._known)
        return {number: "; ".join(names) for number, names in answers.items()}

    def _answers(self, resolution: Resolution) -> list[str]:
        """Return the structures that may be meant, or else the nearest enclosing ones in the anatomy tree."""
        names = list(resolution.suggestions)
        if not names:
            named = find_terms(tokens(clean(resolution.term)))
            names = [name for term in named for name in load_tree().wider(term.id, self._modality)]
        return [name for name in dict.fromkeys(names) if name in self._known][:_MOST_ANSWERS]

    def _found(self, index: int, resolution: Resolution, colors: Colors) -> str:
        names, term = resolution.structures, escape(resolution.term)
        if len(names) == 1 and resolution.status == "resolved":
            return f"✓ {term} → <b>{escape(names[0])}</b>"
        shown = escape(", ".join(names))
        if len(names) > _MOST_NAMES and str(index) not in self._opened:
            shown = escape(", ".join(names[:_MOST_NAMES]))
            shown += f", <a href='{index}/{_ALL}'>{escape(_('all…'))}</a>"
        count = escape(_("{count} structures").format(count=len(names)))
        line = f"✓ {term} → <b>{count}</b>: {shown}"
        notes = escape(" ".join(resolution.warnings))
        return f"{line} <span style='color:{colors.muted}'>{notes}</span>" if notes else line

    def _question(self, index: int, resolution: Resolution, colors: Colors) -> str:
        reason = " ".join(resolution.warnings) or _("not understood.")
        written = resolution.term[:_LONGEST_TERM] + ("…" if len(resolution.term) > _LONGEST_TERM else "")
        term = f"<span style='color:{colors.problem}'>✗ <b>{escape(written)}</b></span>"
        line = f"{term}: {escape(reason)}"
        names = self._answers(resolution)
        if names:
            links = ", ".join(f"<a href='{index}/{n}'>{escape(name)}</a>" for n, name in enumerate(names))
            line += " " + _lead(resolution).format(names=links)
        return f"{line} <a href='{index}'>{escape(_('Leave it out'))}</a>"


def _is_said_as_is(resolution: Resolution) -> bool:
    return resolution.structures == (clean(resolution.term),)


def _lead(resolution: Resolution) -> str:
    if resolution.status == "unknown":
        return _("Did you mean {names}?")
    return _("Take {names}?") if resolution.suggestions else _("The nearest is {names}.")
