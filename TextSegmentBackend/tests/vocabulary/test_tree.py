"""The open anatomy tree: whole, without circles, browsable, searchable, honest about the model."""

from __future__ import annotations

import pytest

from textsegment.vocabulary.resolve import MODALITIES, resolve
from textsegment.vocabulary.structures import load_structures
from textsegment.vocabulary.tree import Tree, load_tree


@pytest.fixture(scope="module")
def tree() -> Tree:
    return load_tree()


def test_there_are_more_terms_than_in_the_tree_of_the_model(tree: Tree) -> None:
    assert len(tree) > 6502
    assert len({term.id for term in tree}) == len(tree)


def test_the_top_is_short_and_has_systems_and_regions(tree: Tree) -> None:
    names = [term.name for term in tree.roots()]
    assert 10 <= len(names) <= 15
    assert "Bones and joints" in names
    assert "Regions of the body" in names


def test_every_term_hangs_from_the_top_without_circles(tree: Tree) -> None:
    depth: dict[str, int] = {}

    def height(identifier: str, below: tuple[str, ...]) -> int:
        assert identifier not in below, f"{identifier} is above itself"
        if identifier not in depth:
            parents = tree[identifier].parents
            depth[identifier] = 1 + max((height(p.id, (*below, identifier)) for p in parents), default=0)
        return depth[identifier]

    assert all(height(term.id, ()) >= 1 for term in tree)
    roots = {term.id for term in tree.roots()}
    assert all(identifier.startswith("top:") for identifier in roots)


def test_children_and_parents_agree(tree: Tree) -> None:
    for term in tree:
        assert all(term in tree.children(parent.id) for parent in term.parents[:1])
        assert {parent.relation for parent in term.parents} <= {"is-a", "part-of"}


def test_every_structure_is_a_term(tree: Tree) -> None:
    held = {name for term in tree for name in term.structures}
    assert held == set(load_structures())


def test_browsing_reaches_the_left_kidney_by_system_and_by_region(tree: Tree) -> None:
    def names(identifier: str) -> dict[str, str]:
        return {child.name: child.id for child in tree.children(identifier)}

    roots = {term.name: term.id for term in tree.roots()}
    by_system = names(names(roots["Urinary organs"])["Kidneys and bladder"])
    by_region = names(names(roots["Regions of the body"])["Abdomen"])
    assert by_system["kidney"] == by_region["kidney"]
    assert "left kidney" in names(by_system["kidney"])


def test_support_says_how_the_model_has_it(tree: Tree) -> None:
    def support(name: str, modality: str) -> tuple[str, tuple[str, ...]]:
        found = tree.support(tree.named(name)[0].id, modality)
        return found.kind, found.structures

    assert support("left kidney", "CT") == ("structure", ("left kidney",))
    assert support("putamen", "MR") == ("structure", ("left putamen", "right putamen"))
    assert support("renal cortex", "CT") == ("wider", ("kidney",))
    assert support("Kidneys and bladder", "CT") == ("parts", ("kidney", "urinary bladder"))
    assert support("left kidney", "PT")[0] == "none"


@pytest.mark.parametrize(
    ("text", "first"),
    [("kidney", "kidney"), ("LEFT KIDNEY", "left kidney"), ("vein portal", "portal vein and splenic vein")],
)
def test_search_puts_the_best_first(tree: Tree, text: str, first: str) -> None:
    assert tree.search(text)[0].name == first


def test_search_finds_synonyms_and_respects_the_limit(tree: Tree) -> None:
    assert tree.search("optic chiasma")[0].name == "optic chiasm"
    assert tree.search("anterior vena cava")[0].name == "superior vena cava"
    assert len(tree.search("artery", 7)) == 7
    assert tree.search("zzzz") == ()
    assert tree.search(" ") == ()
    assert [term.name for term in tree.search("ur", 50)] != []


def test_no_name_of_a_term_runs_as_something_else(tree: Tree) -> None:
    """The preferred name of every term resolves to the term's own structures, or it does not run."""
    twins = {("femur", "MR"), ("femur bone", "CT")}
    for number, term in enumerate(tree):
        if term.id.startswith("top:") or (not term.structures and number % 20):
            continue  # all of the model's, and every twentieth of the others: the whole list takes a minute
        for modality in MODALITIES:
            support = tree.support(term.id, modality)
            results = resolve(term.name, modality)
            if len(results) > 1:
                continue  # "uterus and fallopian tubes" is a list of two
            ran = {name for result in results if result.runs for name in result.structures}
            if support.kind == "structure":
                assert ran == set(support.structures), (term.name, modality)
            elif support.kind == "parts":
                assert ran <= set(support.structures), (term.name, modality)
            elif (term.name, modality) not in twins:
                assert not ran, (term.name, modality)
