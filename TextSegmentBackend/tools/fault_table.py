"""Write the last column of the tables in docs/faults.md: the tests whose docstrings cite each fault.

python tools/fault_table.py
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

BACKEND = Path(__file__).resolve().parents[1]
TABLE = BACKEND / "docs" / "faults.md"
FOLDERS = {"": BACKEND / "tests", "Testing/": BACKEND.parent / "Testing"}
"""Folders with tests, by the prefix of their paths in the table."""
NOBODY = "–"

_NUMBERED = re.compile(r"\bFaults? (\d+(?:(?:, | and | to )\d+)*)")
_LETTERED = re.compile(r"\b(?:io|w|sl|sv|rt|tr)\d+\b")
_ROW = re.compile(r"^\| (\w+) \|.*\|$")


def named_faults(docstring: str) -> list[str]:
    """Return the faults that a docstring cites: "Fault 3", "Faults 8, 9 and 18", "Faults 9 to 12", "io1".

    >>> named_faults("Faults 1 and 9 to 11, and io1: nothing is lost.")
    ['1', '9', '10', '11', 'io1']
    """
    found: list[str] = []
    for numbers in _NUMBERED.findall(docstring):
        for span in re.split(", | and ", numbers):
            first, _, last = span.partition(" to ")
            found += [str(number) for number in range(int(first), int(last or first) + 1)]
    return found + _LETTERED.findall(docstring)


def tests_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and docstring of each test in a file; the file's own docstring has an empty name."""
    module = ast.parse(path.read_text())
    yield "", ast.get_docstring(module) or ""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name, ast.get_docstring(node) or ""


def citations() -> dict[str, dict[str, list[str]]]:
    """Return the names of the tests that cite a fault, by fault and by file as in the table."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for begin, folder in FOLDERS.items():
        for path in sorted(folder.rglob("test_*.py")):
            for name, docstring in tests_of(path):
                for fault in named_faults(docstring):
                    found[fault][begin + path.relative_to(folder).as_posix()].append(name)
    return found


def cell(files: dict[str, list[str]]) -> str:
    """Return the text of a row's last cell."""
    parts = [
        f"`{file}`" + ": " * any(names) + ", ".join(filter(None, names)) for file, names in files.items()
    ]
    return "; ".join(parts) or NOBODY


def rows(text: str) -> dict[str, str]:
    """Return the last cell of each row of a page, by fault."""
    cells = {
        match[1]: match[0].rstrip("| ").rpartition("| ")[2]
        for match in map(_ROW.match, text.splitlines())
        if match
    }
    return {fault: last for fault, last in cells.items() if named_faults(f"Fault {fault}")}


def written(text: str) -> str:
    """Return the page with the last cells of its rows regenerated."""
    found = citations()
    lines = text.splitlines()
    for place, line in enumerate(lines):
        match = _ROW.match(line)
        if match and named_faults(f"Fault {match[1]}"):
            before = line.rstrip("| ").rpartition("| ")[0]
            lines[place] = f"{before}| {cell(found[match[1]])} |"
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page, and print the faults that no test cites."""
    TABLE.write_text(written(TABLE.read_text()))
    unshown = [fault for fault, last in rows(TABLE.read_text()).items() if last == NOBODY]
    print("no test names:", ", ".join(unshown) or "none", file=sys.stderr)


if __name__ == "__main__":
    main()
