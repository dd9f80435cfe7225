"""What the model at hand has for each term of the anatomy tree. No Qt."""

from __future__ import annotations

from collections.abc import Collection

from textsegment.vocabulary.search import search_terms
from textsegment.vocabulary.structures import load_structures
from textsegment.vocabulary.tree import Term, load_tree

_REGIONS = "top:regions_of_the_body"
_MOST_HITS = 200


class Coverage:
    """The tree as one model sees it in one modality.

    Args:
        modality: ``CT``, ``MR`` or ``PT``.
        known: Structures that can be asked for.
    """

    def __init__(self, modality: str, known: Collection[str]) -> None:
        self.modality = modality
        self.known = frozenset(known)
        self._covered: dict[str, tuple[str, ...]] = {}
        self._inside: dict[str, frozenset[str]] = {}

    def covered(self, term: Term) -> tuple[str, ...]:
        """Return what checking a term asks for: the term itself, or else what the model has below it."""
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
        """Return everything that the model has for a term and below it."""
        self.covered(term)
        return self._inside[term.id]

    def children(self, term: Term, only_covered: bool) -> list[Term]:
        """Return what lies directly below a term."""
        below = load_tree().children(term.id)
        return [child for child in below if not only_covered or self.covered(child)]

    def roots(self, by_region: bool, only_covered: bool) -> list[Term]:
        """Return the top of the tree, by organ system or by region of the body."""
        tree = load_tree()
        if by_region:
            return self.children(tree[_REGIONS], only_covered)
        systems = [term for term in tree.roots() if term.id != _REGIONS]
        return [term for term in systems if not only_covered or self.covered(term)]

    def search(self, text: str) -> list[Term]:
        """Return terms with a name or synonym that holds all words of the text: what the model has first."""
        found = search_terms(text, _MOST_HITS)
        return sorted(found, key=lambda term: not self.covered(term))

    def why_not(self, term: Term) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return why a term is not covered.

        Returns:
            Modalities in which it is known, and the nearest wider structures that the model has.
        """
        structures = load_structures()
        elsewhere = {modality for name in term.structures for modality in structures[name].modalities}
        wider = [name for name in load_tree().wider(term.id, self.modality) if name in self.known]
        return tuple(sorted(elsewhere - {self.modality})), tuple(wider)
