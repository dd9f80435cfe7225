"""Evaluate the resolver, or another tool, on lists of names: what is right, what is asked, what is wrong.

    python benchmarks/words.py                        # the lists in benchmarks/data/words
    python benchmarks/words.py FOLDER_OR_FILE... [--failures] [--json]
    python benchmarks/words.py --resolver other_tool:prompts_of

A list is a file of JSON lines: ``{"text": …, "modality": "CT", "expected": ["liver"]}``, or ``"ASK"`` where
no prompt may run. The answer to a text is the set of prompts that run without a question; a text with an
unresolved word runs nothing. *Right* means exactly what was expected, *asked* that nothing ran though it
could have, and *wrong* that something other than expected ran without notice.

Another tool takes part as a function ``prompts_of(text, modality)`` that returns the set of prompts, or None
for a question.
"""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

LISTS = Path(__file__).parent / "data/words"
Resolver = Callable[[str, str], "frozenset[str] | set[str] | None"]


class Case(NamedTuple):
    """A text, the modality of its image, and the expected prompts; None if a question must be asked."""

    text: str
    modality: str
    expected: frozenset[str] | None


@dataclass
class Score:
    """Outcomes of the cases of one list."""

    name: str
    right_run: int = 0
    right_asked: int = 0
    asked: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def cases(self) -> int:
        """Number of cases."""
        return self.right_run + self.right_asked + len(self.asked) + len(self.wrong)

    @property
    def right(self) -> int:
        """Number of cases that came out as expected."""
        return self.right_run + self.right_asked


def read_cases(path: Path) -> Iterator[Case]:
    """Yield the cases of a list; lines without an expectation are skipped."""
    for line in path.read_text("utf-8").split("\n"):
        row = json.loads(line) if line.strip() else {}
        if "expected" in row:
            expected = row["expected"]
            yield Case(row["text"], row["modality"], None if expected == "ASK" else frozenset(expected))


def prompts_of(text: str, modality: str) -> frozenset[str] | None:
    """Return the prompts that TextSegment runs for a text without a question, or None if it asks."""
    from textsegment.vocabulary.resolve import resolve

    found = resolve(text, modality)
    if not found or not all(each.runs for each in found):
        return None
    return frozenset(name for each in found for name in each.structures)


def judge(name: str, cases: Sequence[Case], resolver: Resolver) -> Score:
    """Return the score of a resolver on a list of cases."""
    score = Score(name)
    for case in cases:
        found = resolver(case.text, case.modality)
        if found == case.expected:
            score.right_run += found is not None
            score.right_asked += found is None
        elif found is None:
            score.asked.append(f"{case.modality} {case.text!r}: should run {sorted(case.expected or ())}")
        else:
            expected = "a question" if case.expected is None else sorted(case.expected)
            score.wrong.append(f"{case.modality} {case.text!r}: ran {sorted(found)}, expected {expected}")
    return score


def lists_in(paths: Sequence[Path]) -> list[Path]:
    """Return the list files among the paths, and those in folders among them."""
    files = [file for path in paths for file in (sorted(path.glob("*.jsonl")) if path.is_dir() else [path])]
    return [file for file in files if any(read_cases(file))]


def table(scores: Sequence[Score]) -> Iterator[str]:
    """Yield the lines of a Markdown table, with the total last."""
    yield "| List | Cases | Right | of them run | Asked though runnable | Silently wrong |"
    yield "|---|---|---|---|---|---|"
    for score in scores:
        share = f"{score.right} ({100 * score.right / max(score.cases, 1):.1f} %)"
        figures = (score.cases, share, score.right_run, len(score.asked), len(score.wrong))
        yield f"| {score.name} | {' | '.join(map(str, figures))} |"


def total(scores: Sequence[Score]) -> Score:
    """Return the sum of all scores."""
    whole = Score("**all**")
    for score in scores:
        whole.right_run += score.right_run
        whole.right_asked += score.right_asked
        whole.asked += score.asked
        whole.wrong += score.wrong
    return whole


def main() -> int:
    """Print the scores; return 1 if anything ran wrong without notice."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("paths", nargs="*", type=Path, default=[LISTS])
    parser.add_argument("--failures", action="store_true", help="print every case that is not right")
    parser.add_argument("--json", action="store_true", help="print the scores as JSON")
    parser.add_argument("--resolver", default="", help="module:function of another tool")
    arguments = parser.parse_args()
    resolver: Resolver = prompts_of
    if arguments.resolver:
        module, _, function = arguments.resolver.partition(":")
        resolver = getattr(importlib.import_module(module), function)
    scores = [judge(file.stem, list(read_cases(file)), resolver) for file in lists_in(arguments.paths)]
    whole = total(scores)
    if arguments.json:
        print(json.dumps([asdict(score) for score in scores], ensure_ascii=False))
    else:
        print("\n".join(table([*scores, whole])))
    if arguments.failures:
        for score in scores:
            print(f"\n{score.name}", *(f"  WRONG {w}" for w in score.wrong), sep="\n")
            print(*(f"  asked {a}" for a in score.asked), sep="\n")
    return 1 if whole.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
