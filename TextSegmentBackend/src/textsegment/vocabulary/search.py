"""Search for terms by their name in the tree, by common names in any language, and by similar spelling."""

from __future__ import annotations

from collections.abc import Iterator

from textsegment.errors import UnknownStructureError
from textsegment.vocabulary.language.sides import take_side
from textsegment.vocabulary.lexicon import Ambiguity, load_lexicon
from textsegment.vocabulary.resolution import MODALITIES
from textsegment.vocabulary.suggest import prompts_of, prompts_of_candidates, suggest
from textsegment.vocabulary.tree import Term, load_tree


def search_terms(text: str, limit: int = 20) -> tuple[Term, ...]:
    """Return terms of the anatomy tree that a text may mean, best match first.

    Terms that the whole text names in any language come first, then terms whose name contains its words,
    then terms with a similar spelling.

    Args:
        text: Words of a name, in any language of the lexicon.
        limit: Maximum number of terms to return.

    Example:
        >>> [search_terms(text)[0].name for text in ("Niere links", "foie", "kidny", "sternocleidomastoid")]
        ['left kidney', 'liver', 'kidney', 'sternocleidomastoid muscle']
    """
    tree = load_tree()
    found = [*_named(text), *tree.search(text, limit)]
    if not found:
        found = [term for modality in MODALITIES for term in _terms(suggest(text, modality))]
    return tuple({term.id: term for term in found}.values())[:limit]


def term_named(text: str) -> Term:
    """Return the term of the anatomy tree with this identifier or name.

    Args:
        text: Identifier such as ``UBERON:0002107``, or a name or synonym.

    Raises:
        UnknownStructureError: There is no such term; the error suggests some.

    Example:
        >>> term_named("liver").id
        'structure:liver'
    """
    tree = load_tree()
    if text in tree:
        return tree[text]
    if found := tree.named(text):
        return found[0]
    near = tuple(term.name for term in search_terms(text, 5))
    hint = f"Perhaps: {', '.join(near)}." if near else "textsegment terms search finds names."
    raise UnknownStructureError("The anatomy tree has no term of this name.", hint, near)


def _named(text: str) -> Iterator[Term]:
    """Yield the terms for the structures that the text as a whole names."""
    words, side = take_side(text)
    found = load_lexicon().find(words) if words else None
    if isinstance(found, Ambiguity):
        yield from _terms(prompts_of_candidates(found, side))
    elif found and found.relation in ("exact", "sided"):
        yield from _terms(prompts_of(found.target, side))


def _terms(structures: Iterator[str] | list[str] | tuple[str, ...]) -> Iterator[Term]:
    for name in structures:
        yield from load_tree().named(name)[:1]
