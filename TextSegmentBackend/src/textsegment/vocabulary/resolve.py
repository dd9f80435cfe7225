"""Resolution: from what a person typed to the exact prompts of the model, or to an honest question.

The rule above all others: nothing runs unless every word was understood and the model has exactly that.
Likeness of spelling only ever makes suggestions.
"""

from __future__ import annotations

from collections.abc import Sequence

from textsegment.errors import ModalityError
from textsegment.vocabulary.lexicon import load_concepts
from textsegment.vocabulary.parse import split_terms, split_weakly
from textsegment.vocabulary.phrase import Answer, resolve_phrase
from textsegment.vocabulary.resolution import MODALITIES, RUNNING, Resolution, questioned
from textsegment.vocabulary.sides import take_side
from textsegment.vocabulary.words import clean, tokens, word_lists

__all__ = ["MODALITIES", "RUNNING", "Resolution", "resolve"]


def resolve(text: str, modality: str) -> list[Resolution]:
    """Return what every term of a text stands for, in order.

    Args:
        text: One term or a list of them, as a person types it.
        modality: ``CT``, ``MR`` or ``PT``.

    Raises:
        ModalityError: The modality is none of these.
    """
    if modality not in MODALITIES:
        raise ModalityError(f"The modality {modality!r} is not supported.", "Use CT, MR or PT.")
    groups = split_terms(text)
    results = [each for terms in groups for each in _resolve_list(terms, modality)]
    if any(_is_heading_of_side(term) for terms in groups for term in terms):
        results = [_asked_for_side(each) for each in results]
    return results


def _is_heading_of_side(term: str) -> bool:
    """Return whether a term is a side alone, or begins with one that may hold for all: "left: kidney"."""
    return not take_side(term.partition(":")[0]).words


def _asked_for_side(found: Resolution) -> Resolution:
    if take_side(found.term).side is not None or not _has_sides(found):
        return found
    return questioned(found, "On which side? Name it beside the structure.")


def _resolve_list(terms: Sequence[str], modality: str) -> list[Resolution]:
    """Return what the terms between commas stand for; a term may ask because of its neighbour."""
    results: list[Resolution] = []
    negated = False
    for index, term in enumerate(terms):
        found = [answer.resolution for answer in _resolve_item(term, modality)]
        if negated:
            reason = "It follows something that is left out; name it by itself."
            found = [questioned(each, reason) for each in found]
        elif index + 1 < len(terms) and _is_narrowed(found, term, terms[index + 1], modality):
            reason = f'"{terms[index + 1]}" may belong to it; name them as one, or apart.'
            found = [questioned(each, reason) for each in found]
        if not negated and any(each.status == "negation" for each in found):
            negated = True
            reason = f'"{term}" may take something out of it; name it by itself.'
            results = [questioned(each, reason) for each in results]
        results.extend(found)
    return results


def _is_narrowed(found: Sequence[Resolution], term: str, following: str, modality: str) -> bool:
    """Return whether the next term says which part of this one: "corpus callosum, splenium"."""
    if len(found) != 1 or not found[0].runs or resolve_phrase(following, modality).resolution.runs:
        return False
    together = resolve_phrase(f"{term} {following}", modality).resolution
    return together.status not in ("unknown", "negation", "derived_volume")


def _resolve_item(term: str, modality: str) -> list[Answer]:
    """Return the answers to a term that may hold "and", "&", "+" or "/"."""
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


def _with_shared_words(pieces: list[str], modality: str) -> list[str]:
    """Return the pieces with the words that they share: "upper and lower lobe of left lung"."""
    first, last = pieces[0].split(), pieces[-1].split()
    full = list(pieces)
    for index, piece in enumerate(pieces):
        words = piece.split()
        if resolve_phrase(piece, modality).resolution.status != "unknown":
            continue
        for shared in ([*words, *last[len(words) :]], [*first[: len(first) - len(words)], *words]):
            if len(shared) > len(words) and resolve_phrase(" ".join(shared), modality).resolution.runs:
                full[index] = " ".join(shared)
                break
    return full


def _ask(answers: list[Answer], index: int, reason: str, status: str = "ambiguous") -> None:
    answers[index] = answers[index]._replace(resolution=questioned(answers[index].resolution, reason, status))


def _ask_about_governing_words(pieces: Sequence[str], answers: list[Answer]) -> None:
    """Ask where words that are not understood may govern the rest: "space between liver and kidney"."""
    for piece, answer in zip(pieces, list(answers), strict=True):
        if answer.resolution.status == "unknown" and len(take_side(piece).words) > 1:
            for index in range(len(answers)):
                _ask(answers, index, f'"{piece}" is not understood and may concern it; name it by itself.')


def _ask_about_reach(answers: list[Answer]) -> None:
    """Ask where a negation or a finding may concern its neighbours: "no liver and spleen"."""
    for index, answer in enumerate(answers):
        if answer.reach == "after":
            for later in range(index + 1, len(answers)):
                _ask(answers, later, answer.resolution.warnings[0], answer.resolution.status)
    if answers[-1].reach == "before":
        for earlier in range(len(answers) - 1):
            _ask(answers, earlier, "What follows may concern it too; name it by itself.")


def _ask_about_sides(pieces: Sequence[str], answers: list[Answer]) -> None:
    """Ask where a side may hold for a neighbour: "left kidney and adrenal gland"."""
    sides = [take_side(piece).side for piece in pieces]
    last_words = tokens(clean(pieces[-1]))[-1:]
    ends_with_side = bool(last_words) and last_words[0] in word_lists()["sides"]
    for index, side in enumerate(sides):
        named_before = any(sides[:index])
        named_behind = ends_with_side and index < len(pieces) - 1
        if side is None and (named_before or named_behind) and _has_sides(answers[index].resolution):
            _ask(answers, index, "On which side? The other terms name one.")


def _has_sides(found: Resolution) -> bool:
    concepts = load_concepts()
    return any(name in concepts and concepts[name].left for name in found.structures)


def _ask_about_last_word(pieces: Sequence[str], answers: list[Answer], modality: str) -> None:
    """Ask where a piece may share the last word of the list: "lung and liver tumor"."""
    head = [word for word in tokens(clean(pieces[-1]))[-1:] if not word.isdigit()]
    for index, piece in enumerate(pieces[:-1]):
        if not head or not answers[index].resolution.runs or tokens(clean(piece))[-1:] == head:
            continue
        joined = resolve_phrase(f"{piece} {head[0]}", modality).resolution
        refused = joined.status in ("unknown", "derived_volume", "negation")
        if not refused and joined.structures != answers[index].resolution.structures:
            _ask(answers, index, f'"{piece} {head[0]}" may be meant; name it by itself.')
