"""The table of faults says the truth: tests that it names exist, and every fault has some."""

import re
from functools import lru_cache

import fault_table
import pytest

ROWS = fault_table.rows(fault_table.TABLE.read_text())
NUMBERED = [str(number) for number in range(1, 73)]


@lru_cache
def names_in(path):
    """Return the names of the tests of a file, and one that is empty for itself."""
    return {name for name, _ in fault_table.tests_of(path)}


def test_every_test_in_the_table_exists():
    for file, names in re.findall(r"`([\w/]+\.py)`(?:: ([\w, ]+))?", "; ".join(ROWS.values())):
        begin = "Testing/" if file.startswith("Testing/") else ""
        path = fault_table.FOLDERS[begin] / file.removeprefix(begin)
        assert path.is_file(), f"{file}: tools/fault_table.py writes the table anew"
        there = names_in(path)
        missing = [name for name in names.split(", ") if name not in there]
        assert not missing, f"{missing} in {file}: tools/fault_table.py writes the table anew"


def test_every_fault_has_a_test():
    assert [fault for fault in ROWS if fault.isdigit()] == NUMBERED
    assert [fault for fault in NUMBERED if ROWS[fault] == fault_table.NOBODY] == []


def test_every_fault_that_a_test_names_is_in_the_table():
    assert sorted(set(fault_table.citations()) - set(ROWS)) == []


def test_files_with_tests_that_pages_name_exist():
    top, tests = fault_table.BACKEND.parent, fault_table.FOLDERS[""]
    for page in (top / "SECURITY.md", *fault_table.TABLE.parent.rglob("*.md")):
        named = re.findall(r"`([\w/]+/test_\w+\.py)`", page.read_text())
        gone = [file for file in named if not any((f / file).is_file() for f in (tests, tests.parent, top))]
        assert not gone, page.name


@pytest.mark.parametrize(
    ("docstring", "faults"),
    [
        ("Fault 3.", ["3"]),
        ("Faults 8, 9, 10 and 18: typed.", ["8", "9", "10", "18"]),
        ("Faults 9 to 12, as files.", ["9", "10", "11", "12"]),
        ("io1, variant: rt12 too.", ["io1", "rt12"]),
        ("Row 3 of the grid.", []),
    ],
)
def test_faults_in_a_docstring(docstring, faults):
    assert fault_table.named_faults(docstring) == faults
