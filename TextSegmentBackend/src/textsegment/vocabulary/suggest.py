"""Suggestions for what nobody understood: names of similar spelling. They are shown, never run."""

from __future__ import annotations

from difflib import SequenceMatcher
from functools import lru_cache

from textsegment.vocabulary.language.sides import take_side
from textsegment.vocabulary.language.words import CJK
from textsegment.vocabulary.lexicon import load_concepts, load_lexicon
from textsegment.vocabulary.structures import LEAST_LIKENESS, load_structures

LEAST_SHARED = 0.25  # of the pairs of letters, before the likeness is worked out


@lru_cache(maxsize=1)
def _phrases() -> tuple[tuple[str, frozenset[str], str], ...]:
    """Return (phrase, its pairs of letters, target) of all that can be meant and is written in letters."""
    entries = load_lexicon().raw.items()
    return tuple((raw, _pairs(raw), entry.target) for raw, entry in entries if not CJK.search(raw))


def _pairs(text: str) -> frozenset[str]:
    return frozenset(text[at : at + 2] for at in range(len(text) - 1))


@lru_cache(maxsize=2048)
def suggest(text: str, modality: str, limit: int = 5) -> tuple[str, ...]:
    """Return prompts whose name or synonym looks like the text, nearest first.

    Args:
        text: What was typed; a side in it is kept.
        modality: Prompts of this modality come first; others are left out.
        limit: Most prompts to return.
    """
    words, side = take_side(text)
    typed = " ".join(words)
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(typed)
    best: dict[str, float] = {}
    pairs = _pairs(typed)
    for phrase, its_pairs, target in _phrases():
        if 2 * len(pairs & its_pairs) < LEAST_SHARED * (len(pairs) + len(its_pairs)):
            continue
        matcher.set_seq1(phrase)
        if matcher.real_quick_ratio() < LEAST_LIKENESS or matcher.quick_ratio() < LEAST_LIKENESS:
            continue
        likeness = matcher.ratio()
        if likeness >= LEAST_LIKENESS:
            for name in _prompts(target, side):
                if modality in load_structures()[name].modalities:
                    best[name] = max(best.get(name, 0.0), likeness)
    return tuple(sorted(best, key=lambda name: (-best[name], name))[:limit])


def _prompts(target: str, side: str | None) -> list[str]:
    concept = load_concepts().get(target)
    if concept is None:
        return [target]
    one = concept.on(side)
    options = [one] if one else [concept.unsided, concept.left, concept.right]
    return [structure.name for structure in options if structure]
