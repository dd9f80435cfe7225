"""What the text means, as rich text: one line a term, and questions with answers to click. No Qt."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape
from typing import NamedTuple

from slicer.i18n import tr as _
from textsegment.vocabulary.language.words import clean, tokens
from textsegment.vocabulary.resolve import Resolution
from textsegment.vocabulary.tree import find_terms, load_tree

_MOST_NAMES = 4
_MOST_ANSWERS = 6
_ALL = "all"


class Colors(NamedTuple):
    """Colours that suit the theme, as HTML writes them."""

    muted: str
    problem: str


class Choice(NamedTuple):
    """What a link stands for.

    Attributes:
        index: Number of the term.
        name: What takes its place; empty to leave the term out.
    """

    index: int
    name: str


class Meaning:
    """What a text means to the model at hand.

    Args:
        resolutions: One a term.
        modality: ``CT``, ``MR`` or ``PT``.
        known: Structures that can be asked for.
    """

    def __init__(self, resolutions: Sequence[Resolution], modality: str, known: Collection[str]) -> None:
        self._resolutions = resolutions
        self._modality = modality
        self._known = known
        self._opened: set[int] = set()

    def html(self, colors: Colors) -> str:
        """Return the lines, questions first; what was named as the model names it shares one."""
        numbered = list(enumerate(self._resolutions))
        lines = [self._question(n, each, colors) for n, each in numbered if not each.runs]
        lines += [
            self._found(n, each, colors) for n, each in numbered if each.runs and not _is_said_as_is(each)
        ]
        plain = [escape(each.structures[0]) for each in self._resolutions if _is_said_as_is(each)]
        return "<br>".join([*lines, *([f"✓ {', '.join(plain)}"] if plain else [])])

    @property
    def notes(self) -> str:
        """What is worth knowing about single structures, a line each."""
        single = [each for each in self._resolutions if each.status == "resolved" and each.warnings]
        return "\n".join(f"{each.structures[0]}: {' '.join(each.warnings)}" for each in single)

    def follow(self, link: str) -> Choice | None:
        """Return the answer that a link in the lines stands for; None if it only opens a list of names."""
        number, _slash, choice = link.partition("/")
        index = int(number)
        if choice == _ALL:
            self._opened.add(index)
            return None
        return Choice(index, self._answers(self._resolutions[index])[int(choice)] if choice else "")

    def _answers(self, resolution: Resolution) -> list[str]:
        """Return what may be meant, or what comes nearest above it in the anatomy."""
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
        if len(names) > _MOST_NAMES and index not in self._opened:
            shown = escape(", ".join(names[:_MOST_NAMES]))
            shown += f", <a href='{index}/{_ALL}'>{escape(_('all…'))}</a>"
        count = escape(_("{count} structures").format(count=len(names)))
        line = f"✓ {term} → <b>{count}</b>: {shown}"
        notes = escape(" ".join(resolution.warnings))
        return f"{line} <span style='color:{colors.muted}'>{notes}</span>" if notes else line

    def _question(self, index: int, resolution: Resolution, colors: Colors) -> str:
        reason = " ".join(resolution.warnings) or _("not understood.")
        term = f"<span style='color:{colors.problem}'>✗ <b>{escape(resolution.term)}</b></span>"
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
