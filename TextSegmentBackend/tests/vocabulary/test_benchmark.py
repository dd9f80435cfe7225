"""The published lists of names: nothing runs silently wrong, and 97 of 100 are right (w10)."""

from __future__ import annotations

from pathlib import Path

import pytest
import words

FILES = words.lists_in([words.LISTS])


def test_there_are_lists_of_every_kind() -> None:
    names = {file.stem for file in FILES}
    assert {"marks_and_lists", "side_words", "headings_and_numbers", "radiotherapy", "languages"} <= names
    assert sum(len(list(words.read_cases(file))) for file in FILES) > 1500


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_nothing_runs_silently_wrong(file: Path) -> None:
    """w1, w2, w3, w4, w5, w6: each list holds one kind of the names that real people write."""
    score = words.judge(file.stem, list(words.read_cases(file)), words.prompts_of)
    assert score.wrong == []
    assert score.right >= 0.97 * score.cases, score.asked


def test_a_wrong_resolver_is_found_out() -> None:
    """w10: the benchmark tells a guess from a question."""
    cases = [words.Case("liver", "CT", frozenset({"liver"})), words.Case("portal vein", "CT", None)]
    guessing = words.judge("guess", cases, lambda text, modality: frozenset({"liver"}))
    asking = words.judge("ask", cases, lambda text, modality: None)
    assert (guessing.right_run, len(guessing.wrong)) == (1, 1)
    assert (asking.right_asked, len(asking.asked), asking.wrong) == (1, 1, [])
