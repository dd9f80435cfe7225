"""Which terms of the anatomy tree the current model covers. Independent of Qt."""

from __future__ import annotations

from collections.abc import Collection

from textsegment.vocabulary.search import search_terms
from textsegment.vocabulary.structures import load_structures
from textsegment.vocabulary.tree import Term, load_tree

_REGIONS = "top:regions_of_the_body"
_MOST_HITS = 200


class Coverage:
    """The part of the anatomy tree that one model covers in one modality.

    Args:
        modality: ``CT``, ``MR`` or ``PT``.
        known: Names of the structures the model can segment in this modality.
    """

    def __init__(self, modality: str, known: Collection[str]) -> None:
        self.modality = modality
        self.known = frozenset(known)
        self._covered: dict[str, tuple[str, ...]] = {}
        self._inside: dict[str, frozenset[str]] = {}

    def covered(self, term: Term) -> tuple[str, ...]:
        """Return the structures that checking a term asks for: its own, or those the model has below it."""
        if term.id not in self._covered:
            own = tuple(name for name in term.structures if name in self.known)
            below = load_tree().children(term.id)
            inside = frozenset(own).union(*(self.inside(child) for child in below))
            if not own or len(own) < len(term.structures):
                own = tuple(dict.fromkeys(name for child in below for name in self.covered(child))) or own
            self._covered[term.id] = own
            self._inside[term.id] = inside
        return self._covered[term.id]

    def inside(self, term: Term) -> frozenset[str]:
        """Return all structures the model has for a term and its descendants."""
        self.covered(term)
        return self._inside[term.id]

    def children(self, term: Term, only_covered: bool) -> list[Term]:
        """Return the children of a term, optionally only those the model covers."""
        below = load_tree().children(term.id)
        return [child for child in below if not only_covered or self.covered(child)]

    def roots(self, by_region: bool, only_covered: bool) -> list[Term]:
        """Return the root terms of the tree, by organ system or by body region."""
        tree = load_tree()
        if by_region:
            return self.children(tree[_REGIONS], only_covered)
        systems = [term for term in tree.roots() if term.id != _REGIONS]
        return [term for term in systems if not only_covered or self.covered(term)]

    def search(self, text: str) -> list[Term]:
        """Return the terms whose name or a synonym contains all words of the text, covered terms first."""
        found = search_terms(text, _MOST_HITS)
        return sorted(found, key=lambda term: not self.covered(term))

    def why_not(self, term: Term) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Explain why a term is not covered.

        Returns:
            The modalities in which the term is known, and the nearest enclosing structures the model has.
        """
        structures = load_structures()
        elsewhere = {modality for name in term.structures for modality in structures[name].modalities}
        wider = [name for name in load_tree().wider(term.id, self.modality) if name in self.known]
        return tuple(sorted(elsewhere - {self.modality})), tuple(wider)
