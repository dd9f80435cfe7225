"""The open anatomy tree: whole, without circles, browsable, searchable, honest about the model."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from textsegment.vocabulary.resolve import MODALITIES, resolve
from textsegment.vocabulary.structures import load_structures
from textsegment.vocabulary.tree import Tree, load_tree

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture(scope="module")
def tree() -> Tree:
    return load_tree()


def test_there_are_more_terms_than_in_the_tree_of_the_model(tree: Tree) -> None:
    assert len(tree) > 6502
    assert len({term.id for term in tree}) == len(tree)


def test_every_term_has_a_source(tree: Tree) -> None:
    """w8: sources are few and known."""
    assert {term.source for term in tree} == {"TextSegment", "SAT", "UBERON", "DICOM"}


def test_every_structure_of_the_model_is_defined_in_our_words(tree: Tree) -> None:
    """w8: in plain words, one sentence or two, sides said."""
    ours = dict(
        line.split("\t") for line in (TOOLS / "tree/definitions.tsv").read_text("utf-8").splitlines()[1:]
    )
    for term in tree:
        if term.structures:
            assert term.definition.endswith("."), term.name
            plain = term.definition.removesuffix(" On the left.").removesuffix(" On the right.")
            assert plain in ours.values() or re.match(r"The \w+ (?:\w+ vertebra|rib)|Disc between", plain), (
                term.name
            )


def test_only_the_anatomy_of_adult_man(tree: Tree) -> None:
    """w8: terms that came from ontologies of fish, frogs and mice are gone, and those of embryos."""
    assert not [t.id for t in tree if t.id.startswith("UBERON:") and not re.match(r"UBERON:00[0-3]", t.id)]
    gone = ("2001656", "0010240", "0013174", "4200222", "0018268", "2001647", "2001691", "2001988", "2000517")
    assert not [number for number in gone if f"UBERON:{number}" in tree]
    animal = re.compile(r"\b(?:fins?|gills?|tail|beak|feather|embryo\w*|larva\w*|fetlock|pastern|stifle)\b")
    assert not [term.name for term in tree if animal.search(term.name) and "tail of" not in term.name]


FALSE_EDGES = [
    ("patella", "femur"),
    ("fibula", "femur"),
    ("right fibula", "femur"),
    ("tibia bone", "femur"),
    ("radius", "humerus"),
    ("ulna", "humerus"),
    ("seminal vesicle", "prostate"),
    ("thecal sac", "vertebrae"),
    ("portal confluence", "liver"),
    ("ovary", "uterus"),
    ("ureter", "kidney"),
    ("plantar fascia", "ankle"),
    ("renal papilla", "renal pelvis"),
    ("dura mater of brain", "brain"),
    ("left anterior descending artery", "heart"),
    ("skin of thigh", "femur"),
]


@pytest.mark.parametrize(("name", "above"), FALSE_EDGES)
def test_neighbours_are_no_parts(tree: Tree, name: str, above: str) -> None:
    """w8: what only lies beside a thing, or supplies it, is not part of it; nor is it by a detour."""
    front, seen = [tree.named(name)[0].id], set()
    while front:
        term = tree[front.pop()]
        assert term.name != above
        fresh = [parent.id for parent in term.parents if parent.id not in seen]
        seen.update(fresh)
        front += fresh


def test_sides_hang_from_their_own_side(tree: Tree) -> None:
    """w8: a left part belongs to a left whole, never to a right one."""
    for term in tree:
        side = term.name.split()[0]
        other = {"left": "right", "right": "left"}.get(side)
        if other and not term.name.startswith(("left lobe", "right lobe")):
            assert not [p for p in term.parents if tree[p.id].name.startswith(f"{other} ")], term.name


def test_regions_of_the_body_are_few(tree: Tree) -> None:
    """w8: at most fifteen branches."""
    assert len(tree.children("top:regions_of_the_body")) <= 15


def test_no_term_repeats_a_structure_of_the_model(tree: Tree) -> None:
    """w8: names that mean exactly a structure are that structure's node."""
    for name in ("cuneus cortex", "clavicle bone", "lumbar spine", "bladder", "left suprarenal gland"):
        found = [r for r in resolve(name, "MR" if "cuneus" in name else "CT") if r.runs]
        terms = tree.named(name)
        assert found or all(term.structures for term in terms), name


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
