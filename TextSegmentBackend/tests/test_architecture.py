"""The walks and owners of ``docs/architecture.md`` lead to code that exists."""

import re
from pathlib import Path

import pytest

BACKEND = Path(__file__).parents[1]
ROOTS = (BACKEND / "src" / "textsegment", BACKEND, BACKEND.parent / "TextSegment" / "TextSegmentLib")
TEXT = (BACKEND / "docs" / "architecture.md").read_text("utf-8")
HOPS = sorted(set(re.findall(r"`([\w/]+\.py)(?::([\w.]+))?`", TEXT)))


@pytest.mark.parametrize(("file", "name"), HOPS)
def test_each_hop_exists(file, name):
    (found,) = [root / file for root in ROOTS if (root / file).is_file()][:1]
    *_, last = name.split(".")
    assert not last or re.search(
        rf"^\s*(async )?(def|class) {last}\b", found.read_text("utf-8"), re.MULTILINE
    )
