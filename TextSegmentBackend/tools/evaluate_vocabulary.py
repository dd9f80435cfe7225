"""Evaluate the resolver on the evaluation lists, by category.

    python tools/evaluate_vocabulary.py [--failures]

A term is *wrong* if it runs although it must not, or runs with other structures than expected. It is *missed*
if it should run but does not: the user is asked needlessly.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from textsegment.vocabulary.resolve import RUNNING, Resolution, resolve

DATA = Path(__file__).parents[1] / "tests/vocabulary/data"
LISTS = {"evaluation": DATA / "evaluation.txt", "independent": DATA / "independent.txt"}
VERDICTS = ("right", "missed", "status", "wrong")
REGION = {"C": "cervical", "T": "thoracic", "L": "lumbar"}
COLUMN = [f"{letter}{n}" for letter, count in (("C", 7), ("T", 12), ("L", 5)) for n in range(1, count + 1)]


@dataclass(frozen=True)
class Case:
    """One line of an evaluation list."""

    category: str
    modality: str
    text: str
    expected: str


def read_cases(path: Path) -> Iterator[Case]:
    """Yield the cases of a list."""
    category = ""
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("## "):
            category = line[3:]
        elif re.match(r"(CT|MR|PT) \|", line):
            modality, text, expected = line.split(" | ", 2)
            yield Case(category, modality.strip(), text.strip(" ").replace("\\n", "\n"), expected.strip())


def vertebra(level: str) -> str:
    """Return the structure of a level such as ``L4``."""
    return f"{REGION[level[0]]} vertebrae {level[1:]} ({level.lower()})"


def disc(level: str) -> str:
    """Return the structure of the disc below a level."""
    if level == "L5":
        return f"intervertebral disc between {vertebra(level)} and sacrum"
    return f"intervertebral disc between {vertebra(level)} and {vertebra(COLUMN[COLUMN.index(level) + 1])}"


def expand(name: str) -> list[str]:
    """Return the structures that a shorthand such as ``<L1-L5>``, or a plain name, stands for."""
    if not name.startswith("<"):
        return [name]
    inner = name[1:-1]
    if inner == "discs":
        return [disc(level) for level in COLUMN[COLUMN.index("T9") :]]
    if inner == "ribs":
        return [f"{side} rib {n}" for side in ("left", "right") for n in range(1, 13)]
    if found := re.fullmatch(r"(left |right |)rib (\d+)-(\d+)", inner):
        return [f"{found[1]}rib {n}" for n in range(int(found[2]), int(found[3]) + 1)]
    if inner.startswith("disc "):
        return [disc(inner[5:])]
    if inner == "L6":
        return ["lumbar vertebrae 6 (l6)"]
    first, _, last = inner.partition("-")
    levels = COLUMN[COLUMN.index(first) : COLUMN.index(last or first) + 1]
    return [vertebra(level) for level in levels]


def alternatives(expected: str) -> list[list[str]]:
    """Return the acceptable answers to a line; alternatives are whole lines or answers to single terms."""
    options = [option.strip() for option in expected.split(" OR ")]
    if len(options) > 1 and any(";" in option for option in options):
        return [[term.strip() for term in option.split(" ; ")] for option in options]
    return [[term.strip() for term in expected.split(" ; ")]]


def matches(result: Resolution, expected: str) -> bool:
    """Return whether the result for one term is as expected."""
    for option in expected.split(" OR "):
        option = option.strip()
        if option.startswith("!"):
            allowed = [status for status in option[1:].split("/") if status]
            if result.status not in RUNNING and (not allowed or result.status in allowed):
                return True
        elif option.startswith("T "):
            names = set(option[2:].split(" + "))
            if result.status == "template" and names <= set(result.structures):
                return True
        else:
            names = {name for part in option.split(" + ") for name in expand(part.strip())}
            if result.status in RUNNING and set(result.structures) == names:
                return True
    return False


def judge(case: Case) -> tuple[str, list[Resolution]]:
    """Return the verdict on a case, and its answers.

    ``wrong`` means that it ran with other structures than expected, ``missed`` that it should have run but
    did not, ``status`` that it rightly did not run, but for another reason than expected.
    """
    results = resolve(case.text, case.modality)
    options = alternatives(case.expected)
    for option in options:
        if len(option) == len(results) and all(map(matches, results, option)):
            return "right", results
        if len(option) == 1 and option[0].startswith("!") and not any(r.runs for r in results):
            return ("right" if not results or matches(results[0], option[0]) else "status"), results
    if not any(map(_as_wanted, [results] * len(options), options)):
        return "wrong", results
    runnable = any(
        not part.strip().startswith("!") for o in options for term in o for part in term.split(" OR ")
    )
    return ("missed" if runnable else "status"), results


def _as_wanted(results: list[Resolution], option: list[str]) -> bool:
    """Return whether exactly the structures that the terms asked for would run."""
    if len(results) == len(option):
        return all(
            not result.runs or matches(result, term) for result, term in zip(results, option, strict=True)
        )
    return all(not result.runs or any(matches(result, term) for term in option) for result in results)


def main() -> None:
    """Print a table for each list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--failures", action="store_true", help="show every case that is not right")
    show = parser.parse_args().failures
    for name, path in LISTS.items():
        print(f"\n{name}\n")
        _print_table(list(read_cases(path)), show)


def _print_table(cases: list[Case], show: bool) -> None:
    counts: dict[str, dict[str, int]] = {}
    for case in cases:
        verdict, results = judge(case)
        row = counts.setdefault(case.category, dict.fromkeys(VERDICTS, 0))
        row[verdict] += 1
        if show and verdict != "right":
            got = " ; ".join(f"{r.status} {' + '.join(r.structures)}" for r in results)
            print(f"{verdict}: [{case.category}] {case.modality} | {case.text!r} | {case.expected} | {got}")
    print("| Category | Cases | Right | Missed | Other status | Silently wrong |\n|---|---|---|---|---|---|")
    total = {key: sum(row[key] for row in counts.values()) for key in VERDICTS}
    for category, row in [*counts.items(), ("**all**", total)]:
        print("| " + " | ".join(str(cell) for cell in (category, sum(row.values()), *row.values())) + " |")


if __name__ == "__main__":
    main()
