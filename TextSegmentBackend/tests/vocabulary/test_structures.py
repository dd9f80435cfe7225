"""The structures: names, sides, parts, codes, colours."""

from __future__ import annotations

import itertools

import pytest

from textsegment.vocabulary.structures import find_structure, load_structures, nearest_structures

STRUCTURES = load_structures()


def test_there_are_498_pairs_of_modality_and_prompt() -> None:
    pairs = [(m, s.name) for s in STRUCTURES.values() for m in s.modalities]
    assert len(STRUCTURES) == 451
    assert len(pairs) == len(set(pairs)) == 498
    assert {m for m, _ in pairs} == {"CT", "MR", "PT"}


def test_identifiers_and_colours_are_unique() -> None:
    assert len({s.id for s in STRUCTURES.values()}) == len(STRUCTURES)
    assert len({s.color for s in STRUCTURES.values()}) == len(STRUCTURES)
    assert all(0 <= channel <= 255 for s in STRUCTURES.values() for channel in s.color)


def test_opposites_mirror_each_other() -> None:
    sided = [s for s in STRUCTURES.values() if s.opposite]
    assert len(sided) > 200
    for structure in sided:
        other = STRUCTURES[structure.opposite or ""]
        assert other.opposite == structure.name
        assert {structure.side, other.side} == {"left", "right"}
        assert other.modalities == structure.modalities
        assert other.kind == structure.kind


def test_parts_and_unsided_parents_exist_and_do_not_go_in_circles() -> None:
    def below(name: str, above: tuple[str, ...]) -> None:
        assert name not in above
        for part in STRUCTURES[name].parts:
            below(part, (*above, name))

    for structure in STRUCTURES.values():
        below(structure.name, ())
        if structure.unsided:
            assert STRUCTURES[structure.unsided].side is None


def test_terminology_is_what_slicer_reads() -> None:
    assert STRUCTURES["liver"].terminology == (
        "TextSegment structures~SCT^123037004^Anatomical Structure"
        "~SCT^10200004^Liver~^^~TextSegment regions~^^~^^|"
    )
    assert "~SCT^64033007^Kidney~SCT^7771000^Left~" in STRUCTURES["left kidney"].terminology
    assert "~SCT^108369006^Neoplasm~^^~" in STRUCTURES["liver tumor"].terminology
    for structure in STRUCTURES.values():
        entry = structure.terminology
        assert entry.count("~") == 6
        assert entry.endswith("|")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("left kidney", "organ"),
        ("aorta", "vessel"),
        ("left rib 7", "bone"),
        ("costal cartilage", "cartilage"),
        ("left gluteus maximus", "muscle"),
        ("lung nodule", "lesion"),
        ("left putamen", "brain region"),
        ("caudate lobe", "organ"),
        ("thyroid", "gland"),
        ("fat", "tissue"),
    ],
)
def test_kinds(name: str, kind: str) -> None:
    assert STRUCTURES[name].kind == kind


def test_a_structure_is_found_whatever_the_case_and_spacing() -> None:
    found = find_structure("  Left   KIDNEY ")
    assert found is STRUCTURES["left kidney"]
    assert find_structure("kidny") is None


def test_near_names_are_suggested_for_the_modality_only() -> None:
    assert nearest_structures("kidny")[0] == "kidney"
    assert "cerebellum" in nearest_structures("cerebelum", "MR")
    assert "cerebellum" not in nearest_structures("cerebelum", "CT")
    assert nearest_structures("qqqqqq") == ()


NEIGHBOURS = [
    "heart",
    "aorta",
    "inferior vena cava",
    "esophagus",
    "trachea",
    "left lung",
    "right lung",
    "liver",
    "gallbladder",
    "stomach",
    "spleen",
    "pancreas",
    "duodenum",
    "small bowel",
    "colon",
    "left kidney",
    "right kidney",
    "vertebrae",
    "urinary bladder",
    "prostate",
    "rectum",
]


def test_organs_side_by_side_are_told_apart_by_their_colours() -> None:
    """sl7: heart and liver had nearly the same; 100 is the distance of black from a grey of 33."""

    def distance(a: str, b: str) -> float:
        differences = [x - y for x, y in zip(STRUCTURES[a].color, STRUCTURES[b].color, strict=True)]
        return sum(w * d * d for w, d in zip((2.5, 4, 2.5), differences, strict=True)) ** 0.5

    pairs = itertools.combinations(NEIGHBOURS, 2)
    near = {(a, b): round(distance(a, b)) for a, b in pairs if distance(a, b) < 60}
    assert near == {}
    assert distance("heart", "liver") > 150
