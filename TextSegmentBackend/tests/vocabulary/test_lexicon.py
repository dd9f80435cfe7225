"""The lexicon's data: every target exists, no phrase means two things, group members are real."""

from __future__ import annotations

import json

from textsegment.vocabulary.language.words import (
    CJK,
    bag_key,
    clean,
    raw_key,
    read_data,
    read_table,
    tokens,
    word_lists,
)
from textsegment.vocabulary.lexicon import RELATIONS, load_concepts, load_lexicon
from textsegment.vocabulary.structures import load_structures

LANGUAGES = {"en", "la", "de", "fr", "es", "it", "pt", "nl", "zh", "ja"}


def test_every_row_names_a_known_target_relation_and_language() -> None:
    for target, relation, language, phrases in read_table("lexicon.tsv"):
        assert target in load_concepts() or target in load_structures(), target
        assert relation in RELATIONS
        assert language in LANGUAGES
        assert all(phrases.split("; "))


def test_no_phrase_means_two_structures() -> None:
    seen: dict[str, set[str]] = {}
    for target, relation, _, phrases in read_table("lexicon.tsv"):
        if relation == "exact":
            for phrase in phrases.split("; "):
                seen.setdefault(raw_key(phrase), set()).add(target)
    assert {phrase: targets for phrase, targets in seen.items() if len(targets) > 1} == {}


def test_no_words_in_any_order_mean_two_structures() -> None:
    seen: dict[tuple[str, ...], set[str]] = {}
    rows = [(t, p) for t, r, _, ps in read_table("lexicon.tsv") if r == "exact" for p in ps.split("; ")]
    for target, phrase in [*rows, *((name, name) for name in load_concepts())]:
        if not CJK.search(phrase):
            seen.setdefault(bag_key(tokens(raw_key(phrase))), set()).add(target)
    twins = {"femur", "femur bone"}
    assert {bag: found for bag, found in seen.items() if len(found) > 1 and found != twins} == {}


def test_phrases_hold_no_side() -> None:
    sides = word_lists()["sides"]
    for target, relation, language, phrases in read_table("lexicon.tsv"):
        if (
            target in load_concepts()
            and load_concepts()[target].left
            and language == "en"
            and relation == "exact"
        ):
            for phrase in phrases.split("; "):
                assert not [word for word in tokens(clean(phrase)) if word in sides], phrase


def test_candidates_and_members_exist() -> None:
    known = {*load_concepts(), *load_structures()}
    for found in load_lexicon().ambiguous.values():
        assert set(found.candidates) <= known
    for group in load_lexicon().groups.values():
        assert set(group.members) <= set(load_structures())


def test_all_tg263_names_are_there() -> None:
    names = json.loads(read_data("tg263.json"))["names"]
    assert len(names) > 700
    assert names["Parotid_L"] == ["exact", ["left parotid gland"]]
    assert all(name in load_structures() for _, found in names.values() for name in found)


def test_spelling_accents_and_number_do_not_matter() -> None:
    assert clean("RIÑÓN  Izquierdo’s") == "rinon izquierdo"
    assert bag_key(["oesophageal", "tumours"]) == bag_key(["tumor", "esophageal"])
    assert bag_key(["renal", "cysts"]) == bag_key(["cyst", "of", "the", "kidney"])
    assert bag_key(["renal"]) != bag_key(["kidney"])
    assert bag_key(["rib", "7"]) != bag_key(["7", "ribs"])
