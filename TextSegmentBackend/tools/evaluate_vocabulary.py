"""Measure the resolver on the evaluation list, category by category.

    python tools/evaluate_vocabulary.py [--failures]

A term that must not run and does, or that runs with other structures than expected, is *wrong*. A term that
should run and does not is *missed*: an honest question, but one too many.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from textsegment.vocabulary.resolve import RUNNING, Resolution, resolve

EVALUATION = Path(__file__).parents[1] / "tests/vocabulary/data/evaluation.txt"
REGION = {"C": "cervical", "T": "thoracic", "L": "lumbar"}
COLUMN = [f"{letter}{n}" for letter, count in (("C", 7), ("T", 12), ("L", 5)) for n in range(1, count + 1)]


@dataclass(frozen=True)
class Case:
    """One line of the list."""

    category: str
    modality: str
    text: str
    expected: str


def read_cases(path: Path = EVALUATION) -> Iterator[Case]:
    """Yield the cases of the list."""
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
    """Return the structures of a shorthand such as ``<L1-L5>`` or of a plain name."""
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
    """Return the acceptable answers of a line: alternatives are whole lines or answers of a single term."""
    options = [option.strip() for option in expected.split(" OR ")]
    if len(options) > 1 and any(";" in option for option in options):
        return [[term.strip() for term in option.split(" ; ")] for option in options]
    return [[term.strip() for term in expected.split(" ; ")]]


def matches(result: Resolution, expected: str) -> bool:
    """Return whether one term came out as expected."""
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
    """Return ``right``, ``wrong`` (ran with something else than expected) or ``missed``, and the answers."""
    results = resolve(case.text, case.modality)
    for option in alternatives(case.expected):
        if len(option) == len(results) and all(map(matches, results, option)):
            return "right", results
        if len(option) == 1 and option[0].startswith("!") and not any(r.runs for r in results):
            return ("right" if matches(results[0], option[0]) else "status") if results else "right", results
    terms = [
        term.strip()
        for option in alternatives(case.expected)
        for term in re.split(" OR | ; ", " ; ".join(option))
    ]
    wanted = {
        n for t in terms if not t.startswith(("!", "T ")) for p in t.split(" + ") for n in expand(p.strip())
    }
    template = any(term.startswith("T ") for term in terms)
    ran = {name for r in results if r.runs for name in r.structures}
    if ran - wanted and not template:
        return "wrong", results
    return ("missed" if wanted or template else "status"), results


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--failures", action="store_true", help="show every case that is not right")
    show = parser.parse_args().failures
    counts: dict[str, dict[str, int]] = {}
    for case in read_cases():
        verdict, results = judge(case)
        row = counts.setdefault(case.category, dict.fromkeys(("right", "missed", "status", "wrong"), 0))
        row[verdict] += 1
        if show and verdict != "right":
            got = " ; ".join(f"{r.status} {' + '.join(r.structures)}" for r in results)
            print(f"{verdict}: [{case.category}] {case.modality} | {case.text!r} | {case.expected} | {got}")
    print("| Category | Cases | Right | Missed | Other status | Silently wrong |\n|---|---|---|---|---|---|")
    total = {key: sum(row[key] for row in counts.values()) for key in ("right", "missed", "status", "wrong")}
    for category, row in [*counts.items(), ("**all**", total)]:
        print("| " + " | ".join(str(cell) for cell in (category, sum(row.values()), *row.values())) + " |")


if __name__ == "__main__":
    main()
