"""The resolver: the evaluation list, properties that hold for all names, and how it answers."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from textsegment.errors import ModalityError
from textsegment.vocabulary.lexicon import load_lexicon
from textsegment.vocabulary.resolve import MODALITIES, RUNNING, resolve
from textsegment.vocabulary.structures import load_structures

TOOL = Path(__file__).parents[2] / "tools/evaluate_vocabulary.py"
spec = importlib.util.spec_from_file_location("evaluate_vocabulary", TOOL)
assert spec is not None
assert spec.loader is not None
evaluation = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = evaluation
spec.loader.exec_module(evaluation)

CASES = [case for path in evaluation.LISTS.values() for case in evaluation.read_cases(path)]
STRUCTURES = load_structures()
PAIRS = [(s.name, m) for s in STRUCTURES.values() for m in s.modalities]
PHRASES = sorted(load_lexicon().raw)


def prompts(text: str, modality: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(r.status, r.structures) for r in resolve(text, modality)]


def test_the_list_is_long_enough() -> None:
    assert len(CASES) >= 400
    assert len({case.category for case in CASES}) >= 20


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.category}: {c.modality} {c.text!r}"[:80])
def test_evaluation(case: object) -> None:
    verdict, results = evaluation.judge(case)
    assert verdict == "right", results


@pytest.mark.parametrize(("name", "modality"), PAIRS)
def test_every_structure_resolves_to_itself(name: str, modality: str) -> None:
    assert prompts(name, modality) == [("resolved", (name,))]


@given(st.sampled_from(PAIRS), st.randoms(use_true_random=False))
def test_case_does_not_matter(pair: tuple[str, str], rng: random.Random) -> None:
    name, modality = pair
    assume("hip" not in name.split())  # "Hip" is a name of radiotherapy, see w5
    mixed = "".join(rng.choice((c.upper(), c.lower())) for c in name)
    assert prompts(mixed, modality) == prompts(name, modality)


@settings(max_examples=60)
@given(st.lists(st.sampled_from(PHRASES), min_size=1, max_size=5, unique=True), st.sampled_from(MODALITIES))
def test_order_of_a_list_does_not_matter(phrases: list[str], modality: str) -> None:
    one = prompts("; ".join(phrases), modality)
    other = prompts("; ".join(reversed(phrases)), modality)
    assert one == other[::-1] or sorted(map(str, one)) == sorted(map(str, other))


@settings(max_examples=150)
@given(st.sampled_from(PHRASES), st.sampled_from(MODALITIES))
def test_resolving_is_idempotent(phrase: str, modality: str) -> None:
    for result in resolve(phrase, modality):
        for name in result.structures:
            assert prompts(name, modality) == [("resolved", (name,))]


@settings(max_examples=150)
@given(st.sampled_from(PHRASES), st.sampled_from(MODALITIES))
def test_mirrored_sides_mirror(phrase: str, modality: str) -> None:
    left, right = resolve(f"left {phrase}", modality), resolve(f"right {phrase}", modality)
    mirrored = [tuple(STRUCTURES[n].opposite for n in r.structures) for r in left if r.runs]
    told_apart = [r.structures for r in right if r.runs]
    if mirrored and all(None not in names for names in mirrored) and told_apart:
        assert [set(names) for names in mirrored] == [set(names) for names in told_apart]
    for results, other in ((left, "right"), (right, "left")):
        assert not any(STRUCTURES[n].side == other for r in results for n in r.structures if r.runs)


@settings(max_examples=60)
@given(st.text(max_size=60), st.sampled_from(MODALITIES))
def test_any_text_gets_an_answer(text: str, modality: str) -> None:
    for result in resolve(text, modality):
        assert bool(result.structures) == (result.status in RUNNING)
        assert all(modality in STRUCTURES[name].modalities for name in result.structures)
        assert set(result.suggestions) <= set(STRUCTURES)


@settings(max_examples=60)
@given(st.sampled_from(PAIRS), st.integers(0, 100), st.sampled_from("abcdefghijklmnopqrstuvwxyz"))
def test_a_wrong_letter_never_runs_as_something_else(pair: tuple[str, str], place: int, letter: str) -> None:
    """A typo may turn a name into another name of the same thing, never into another thing."""
    name, modality = pair
    at = place % len(name)
    ran = {
        n
        for r in resolve(f"{name[:at]}{letter}{letter}{name[at:]}", modality)
        if r.runs
        for n in r.structures
    }
    assert ran <= {name}


def test_an_unknown_modality_is_refused() -> None:
    with pytest.raises(ModalityError):
        resolve("liver", "US")


def test_a_refusal_says_why_and_suggests() -> None:
    [typo] = resolve("kidny", "CT")
    assert (typo.status, typo.suggestions[0]) == ("unknown", "kidney")
    [elsewhere] = resolve("left cochlea", "MR")
    assert elsewhere.suggestions == ("cochlea",)
    assert "CT" in elsewhere.warnings[0]
    [wider] = resolve("portal vein", "CT")
    assert (wider.relation, wider.suggestions) == ("broader", ("portal vein and splenic vein",))
    [known] = resolve("ureter", "CT")
    assert known.status == "unsupported"
    assert "ureter" in known.warnings[0]


def test_quirks_are_said_in_the_modality_they_concern() -> None:
    [on_ct] = resolve("L4", "CT")
    [on_mr] = resolve("L4", "MR")
    assert on_ct.warnings == ()
    assert "ASR" in on_mr.warnings[0]
    assert "sacrum" in resolve("vertebrae", "CT")[0].warnings[0]


def test_a_blank_text_has_no_terms() -> None:
    assert resolve(" \n , ; ", "CT") == []


@pytest.mark.parametrize("text", ["left; kidney", "left, kidney", "left\nkidney", "Left: lens, kidney"])
def test_a_side_by_itself_makes_its_neighbours_ask(text: str) -> None:
    assert prompts(text, "CT")[-1] == ("ambiguous", ())


@pytest.mark.parametrize("text", ["liver, not tumor", "brain, no brainstem", "kidneys, without cysts"])
def test_what_is_left_out_behind_a_comma_makes_the_terms_before_ask(text: str) -> None:
    assert [status for status, _ in prompts(text, "CT")] == ["ambiguous", "negation"]


@pytest.mark.parametrize(
    "text",
    [
        "please segment the left kidney for me",
        "Segment left kidney",
        "bitte die linke Niere segmentieren",
        "请分割左肾",
        "kidney on the left side",
        "LKidney",
        "kidney\tleft",
        "肾（左）",
    ],
)
def test_what_is_written_around_a_name_is_read(text: str) -> None:
    assert prompts(text, "CT") == [("resolved", ("left kidney",))]


@pytest.mark.parametrize(
    "word", ["no", "non", "not", "without", "kein", "ohne", "pas", "sin", "senza", "sem", "geen"]
)
@pytest.mark.parametrize("name", ["L4", "rib 5", "left rib 5", "liver segment 4", "C1-C7", "left kidney"])
def test_a_negation_never_runs(word: str, name: str) -> None:
    assert [status for status, _ in prompts(f"{word} {name}", "CT")] == ["negation"]


@pytest.mark.parametrize(
    "text",
    ["left of the kidney", "à gauche du rein", "third of the rib", "from L4", "L4 and below", "liver, upper"],
)
def test_what_lies_beside_or_is_a_part_does_not_run(text: str) -> None:
    assert all(status not in RUNNING for status, _ in prompts(text, "CT"))


def test_a_list_shares_its_last_word() -> None:
    assert prompts("cervical, thoracic and lumbar spine", "CT") == [
        ("resolved", ("cervical vertebrae",)),
        ("resolved", ("thoracic vertebrae",)),
        ("resolved", ("lumbar vertebrae",)),
    ]
    [thyroid, _] = prompts("thyroid and cricoid cartilage", "CT")
    assert thyroid == ("ambiguous", ())
