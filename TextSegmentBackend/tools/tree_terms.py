"""Our own tables of terms (``tree/*.tsv``), and plain-language definitions of the model's structures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tree_systematic import ORDINALS, Row

HERE = Path(__file__).parent / "tree"
TABLES = ("bones", "muscles", "vessels", "nerves", "organs", "regions", "general", "model")


def lines_of(path: Path) -> list[str]:
    """Return the lines of a text file."""
    return path.read_text("utf-8").splitlines()


def read_definitions() -> dict[str, str]:
    """Return the definitions in ``definitions.tsv``, by structure without its side."""
    lines = (line for line in lines_of(HERE / "definitions.tsv") if not line.startswith("#"))
    return dict(line.split("\t") for line in lines)


def tables() -> Iterator[Row]:
    """Yield the rows of our own tables."""
    for table in TABLES:
        for line in lines_of(HERE / f"{table}.tsv"):
            if line.startswith("#"):
                continue
            above, kind, paired, names = line.split("\t")
            for entry in names.split("; "):
                name, *synonyms = entry.split("=")
                if paired == "p":
                    yield from paired_rows(above, kind, name, synonyms)
                else:
                    yield Row(above, kind, False, name, tuple(synonyms))


def paired_rows(above: str, kind: str, name: str, synonyms: list[str]) -> Iterator[Row]:
    """Yield a paired term and its sides; a side belongs to the same side of its parent, if that has sides."""
    yield Row(above, kind, True, name, tuple(synonyms))
    for side in ("left", "right"):
        yield Row(name, "is-a", False, f"{side} {name}", tuple(f"{side} {s}" for s in synonyms))
        yield Row(f"{side} {above}?", kind, False, f"{side} {name}")


def numbered_definition(name: str) -> str:
    """Return the definition of a vertebra, an intervertebral disc or a rib."""
    if found := re.fullmatch(r"(cervical|thoracic|lumbar|sacral) vertebrae (\d+) \((.\d+)\)", name):
        rest = " Few people have it." if found[3] == "l6" else ""
        return f"The {ORDINALS[int(found[2]) - 1]} {found[1]} vertebra, {found[3].upper()}.{rest}"
    if found := re.fullmatch(r"rib (\d+)", name):
        return f"The {ORDINALS[int(found[1]) - 1]} rib from above."
    if name.startswith("intervertebral disc between"):
        ends = [end.upper() for end in re.findall(r"\((.\d+)\)", name)]
        return f"Disc between {ends[0]} and {ends[1] if len(ends) > 1 else 'the sacrum'}."
    return ""
