"""Resolve typed text to the exact prompts of the model, or to a question for the user.

The overriding rule: nothing runs unless every word was understood and the model has exactly that structure.
Similar spelling only ever produces suggestions.
"""

from __future__ import annotations

from collections.abc import Sequence

from textsegment.caution import Caution
from textsegment.errors import ModalityError
from textsegment.vocabulary.language.headings import has_heading
from textsegment.vocabulary.language.marks import read_marks
from textsegment.vocabulary.language.parse import split_terms, split_weakly
from textsegment.vocabulary.language.phrase import PhraseMeaning, resolve_phrase
from textsegment.vocabulary.language.sides import take_side
from textsegment.vocabulary.language.words import clean, stem, tokens, word_lists
from textsegment.vocabulary.lexicon import load_concepts
from textsegment.vocabulary.resolution import MODALITIES, RUNNING, Resolution, questioned
from textsegment.vocabulary.structures import find_structure, load_structures

LONG_LIST = 8  # this many prompts of the model in a row were pasted, so neighbours leave nothing open
INCOMPLETE = ("unknown", "unsupported", "ambiguous")

__all__ = ["MODALITIES", "RUNNING", "Resolution", "resolve"]


def resolve(text: str, modality: str) -> list[Resolution]:
    """Resolve every term of a text, in order.

    Args:
        text: One term or a list of terms, as typed.
        modality: ``CT``, ``MR`` or ``PT``.

    Returns:
        One resolution for each term; those that do not run carry a question or a refusal.

    Raises:
        ModalityError: The modality is not one of these.

    Example:
        >>> kidney, lungs = resolve("lt kidney, lungs", "CT")
        >>> kidney.status, kidney.structures
        ('resolved', ('left kidney',))
        >>> lungs.runs
        True
    """
    if modality not in MODALITIES:
        raise ModalityError(f"The modality {modality!r} is not supported.", "Use CT, MR or PT.")
    marked = read_marks(text)
    groups = split_terms(marked.text)
    results = [each for terms in groups for each in _resolve_list(terms, modality)]
    if marked.question:
        return [questioned(each, marked.question) for each in results]
    if any(_is_heading_of_side(term) for terms in groups for term in terms):
        results = [_asked_for_side(each) for each in results]
    return results


def _is_heading_of_side(term: str) -> bool:
    """Return whether a term is, or begins with, a side that may apply to the whole list: "left: kidney"."""
    return not take_side(term.partition(":")[0]).words


def _asked_for_side(found: Resolution) -> Resolution:
    if take_side(found.term).side is not None or not _has_sides(found):
        return found
    return questioned(found, Caution("term_side_unsaid"))


def _resolve_list(terms: Sequence[str], modality: str) -> list[Resolution]:
    """Resolve the terms of one list; a neighbouring term may turn a resolution into a question."""
    if len(terms) >= LONG_LIST and all(find_structure(term) for term in terms):
        return [resolve_phrase(term, modality).resolution for term in terms]
    terms = _with_words_of_list(terms, modality)
    found = [[answer.resolution for answer in _resolve_item(term, modality)] for term in terms]
    sides = [take_side(term).side for term in terms]
    for index, term in enumerate(terms):
        before = range(index)
        if any(sides[other] and _last_word(terms[other]) == _last_word(term) for other in before):
            found[index] = [_asked_for_side(each) for each in found[index]]
        if ":" not in term and any(map(has_heading, terms[:index])):
            reason = Caution("term_below_heading")
            found[index] = [questioned(each, reason) for each in found[index]]
        if index and _is_narrowed(found[index - 1], terms[index - 1], term, modality):
            reason = Caution("term_may_belong", term=term)
            found[index - 1] = [questioned(each, reason) for each in found[index - 1]]
            found[index] = [_asked_for_side(each) for each in found[index]]
    return _ask_about_negation(terms, found)


def _ask_about_negation(terms: Sequence[str], found: Sequence[list[Resolution]]) -> list[Resolution]:
    """Turn every term of a list into a question if one of them is a negation: "liver, not tumor"."""
    for term, answers in zip(terms, found, strict=True):
        if any(each.status == "negation" for each in answers):
            reason = Caution("term_may_concern", term=term)
            return [questioned(each, reason) for those in found for each in those]
    return [each for those in found for each in those]


def _last_word(term: str) -> str:
    return "".join(map(stem, take_side(term).words[-1:]))


def _is_narrowed(found: Sequence[Resolution], term: str, following: str, modality: str) -> bool:
    """Return whether the next term narrows this one to a part of it: "corpus callosum, splenium"."""
    if len(found) != 1 or not found[0].runs:
        return False
    behind = resolve_phrase(following, modality).resolution
    together = resolve_phrase(f"{term} {following}", modality).resolution
    if behind.runs:
        named = {*found[0].structures, *behind.structures}
        return together.runs and set(together.structures) != named
    if all(word in word_lists()["directions"] for word in tokens(clean(following))):
        return True
    return together.status not in ("unknown", "negation", "derived_volume")


def _resolve_item(term: str, modality: str) -> list[PhraseMeaning]:
    """Resolve a term that may contain "and", "&", "+" or "/"."""
    whole = resolve_phrase(term, modality)
    pieces = split_weakly(term)
    made_of_all = whole.resolution.status == "derived_volume" and whole.reach != "itself"
    if whole.firm or made_of_all or len(pieces) == 1:
        return [whole]
    pieces = _with_shared_words(pieces, modality)
    answers = [resolve_phrase(piece, modality) for piece in pieces]
    unknown = [a.resolution.status == "unknown" for a in answers]
    if all(unknown) or (any(unknown) and whole.resolution.status != "unknown"):
        return [whole]
    if "+" in term and any(answer.resolution.status == "derived_volume" for answer in answers):
        return [whole]
    _ask_about_governing_words(pieces, answers)
    _ask_about_reach(answers)
    _ask_about_sides(pieces, answers)
    _ask_about_last_word(pieces, answers, modality)
    return answers


def _with_words_of_list(terms: Sequence[str], modality: str) -> Sequence[str]:
    """Complete each term with the words that the list shares: "cervical, thoracic and lumbar spine"."""
    if len(terms) < 2:
        return terms
    *before, last = terms
    pieces = split_weakly(last)
    full = _with_shared_words([*before, *pieces], modality)
    behind = full[len(before) :]
    return [*full[: len(before)], last if behind == pieces else " and ".join(behind)]


def _with_shared_words(pieces: list[str], modality: str) -> list[str]:
    """Complete each piece with the words that all share: "upper and lower lobe of left lung"."""
    first, last = pieces[0].split(), pieces[-1].split()
    full = list(pieces)
    for index, piece in enumerate(pieces):
        words = piece.split()
        if resolve_phrase(piece, modality).resolution.status not in INCOMPLETE:
            continue
        endings = [[*words, *last[at:]] for at in range(1, len(last))]
        for shared in (*endings, [*first[: len(first) - len(words)], *words]):
            if len(shared) > len(words) and resolve_phrase(" ".join(shared), modality).resolution.runs:
                full[index] = " ".join(shared)
                break
    return full


def _ask(answers: list[PhraseMeaning], index: int, reason: str, status: str = "ambiguous") -> None:
    answers[index] = answers[index]._replace(resolution=questioned(answers[index].resolution, reason, status))


def _ask_about_governing_words(pieces: Sequence[str], answers: list[PhraseMeaning]) -> None:
    """Ask where words that were not understood may govern the rest: "space between liver and kidney"."""
    for piece, answer in zip(pieces, list(answers), strict=True):
        words = take_side(piece).words
        may_govern = len(words) > 1 or any(word in word_lists()["directions"] for word in words)
        if answer.resolution.status == "unknown" and may_govern:
            for index in range(len(answers)):
                _ask(answers, index, Caution("term_not_understood", term=piece))


def _ask_about_reach(answers: list[PhraseMeaning]) -> None:
    """Ask where a negation or a finding may extend to its neighbours: "no liver and spleen"."""
    for index, answer in enumerate(answers):
        if answer.reach == "after":
            for later in range(index + 1, len(answers)):
                _ask(answers, later, answer.resolution.warnings[0], answer.resolution.status)
    if answers[-1].reach == "before":
        for earlier in range(len(answers) - 1):
            _ask(answers, earlier, Caution("term_followed"))


def _ask_about_sides(pieces: Sequence[str], answers: list[PhraseMeaning]) -> None:
    """Ask where a side may also apply to a neighbour: "left kidney and adrenal gland"."""
    sides = [take_side(piece).side for piece in pieces]
    last_words = tokens(clean(pieces[-1]))[-1:]
    ends_with_side = bool(last_words) and last_words[0] in word_lists()["sides"]
    alone = any(not take_side(piece).words for piece in pieces)
    for index, side in enumerate(sides):
        named_before = any(sides[:index])
        named_behind = ends_with_side and index < len(pieces) - 1
        if ((side is None and (named_before or named_behind)) or alone) and _has_sides(
            answers[index].resolution
        ):
            _ask(answers, index, Caution("term_side_of_others"))


def _has_sides(found: Resolution) -> bool:
    concepts, structures = load_concepts(), load_structures()
    return any(structures[n].side or (n in concepts and concepts[n].left) for n in found.structures)


def _ask_about_last_word(pieces: Sequence[str], answers: list[PhraseMeaning], modality: str) -> None:
    """Ask where a piece may share the last word of the list: "lung and liver tumor"."""
    head = [word for word in tokens(clean(pieces[-1]))[-1:] if not word.isdigit()]
    for index, piece in enumerate(pieces[:-1]):
        if not head or not answers[index].resolution.runs or tokens(clean(piece))[-1:] == head:
            continue
        joined = resolve_phrase(f"{piece} {head[0]}", modality).resolution
        refused = joined.status in ("unknown", "derived_volume", "negation")
        same = (answers[index].resolution.structures, answers[-1].resolution.structures)
        if not refused and not (joined.runs and joined.structures in same):
            _ask(answers, index, Caution("term_may_be_meant", term=f"{piece} {head[0]}"))
