"""Suggestions for what nobody understood: names of similar spelling. They are shown, never run."""

from __future__ import annotations

from difflib import SequenceMatcher
from functools import lru_cache

from textsegment.vocabulary.lexicon import load_concepts, load_lexicon
from textsegment.vocabulary.sides import take_side
from textsegment.vocabulary.structures import LEAST_LIKENESS, load_structures
from textsegment.vocabulary.words import CJK


@lru_cache(maxsize=1)
def _phrases() -> tuple[tuple[str, str], ...]:
    """Return (phrase, target) of all that can be meant, without the languages that do not use letters."""
    return tuple((raw, entry.target) for raw, entry in load_lexicon().raw.items() if not CJK.search(raw))


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
    for phrase, target in _phrases():
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
