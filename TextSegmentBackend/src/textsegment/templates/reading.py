"""Reading of template files: TOML with all that a site decides, or JSON with names only.

The format is described in ``docs/templates.md``.
"""

from __future__ import annotations

import json
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from textsegment.derive.expression import parse_definition
from textsegment.derive.structures import name_key
from textsegment.errors import (
    DependencyMissingError,
    InputNotFoundError,
    InputUnreadableError,
    TemplateError,
    TextSegmentError,
)
from textsegment.templates.fields import FINISHING, STRUCTURE, Fields, Lines
from textsegment.templates.meaning import relation_of, structures_named
from textsegment.vocabulary.template import Finishing, RegionStyle, Template, TemplateEntry

SUFFIXES = (".toml", ".json")
"""Suffixes of template files."""
_MOST_BYTES = 2**20
_JSON_HINT = 'Write {"label": "My set", "structures": {"Kidney_L": "left kidney"}}.'


def read_template(path: Path | str) -> Template:
    r"""Read a template file.

    Args:
        path: TOML file in the format of ``docs/templates.md``, or a JSON file such as ``{"label": "My set",
            "structures": {"Kidney_L": "left kidney", "Ring": ["liver"]}}``, with exact names of structures.

    Raises:
        InputNotFoundError: The file does not exist.
        TemplateError: The file is not a template; the error names line and field.
        UnknownStructureError: It names a structure that is not in the vocabulary.

    Example:
        >>> file = Path("prostate.toml")
        >>> _ = file.write_text('[[structure]]\nname = "Bladder"\ntext = "urinary bladder"\n')
        >>> [(entry.output, entry.prompts) for entry in read_template(file).entries]
        [('Bladder', ('urinary bladder',))]
    """
    path = Path(path)
    text = _text_of(path)
    if path.suffix.lower() == ".json":
        return _from_json(path.stem, text)
    return template_from_toml(path.stem, text)


def template_from_toml(identifier: str, text: str) -> Template:
    """Return the template that a text in TOML describes; see ``read_template``.

    Args:
        identifier: Identifier of the template.
        text: Content of the file.
    """
    content = _parsed(text)
    fields = Fields(content, Lines(text))
    fields.allow("label", "all", "structure")
    label = fields.text("label", default=identifier)
    common = fields.table("all")
    common.allow(*FINISHING)
    rows = fields.tables("structure")
    if not rows:
        raise fields.error("structure", "there is no [[structure]]")
    entries = tuple(_entry(row, common) for row in rows)
    _require_distinct(entries, rows)
    return Template(identifier, label, entries)


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise TemplateError("The template file is too large.", "It holds a megabyte at most.")
        return path.read_text("utf-8")
    except FileNotFoundError as error:
        raise InputNotFoundError("There is no such template file.", "Check the path.") from error
    except OSError as error:
        raise InputUnreadableError("The template file may not be read.", "Check its permissions.") from error
    except UnicodeDecodeError as error:
        raise TemplateError("The template file is not text in UTF-8.", "Save it so.") from error


def _parsed(text: str) -> dict[str, Any]:
    try:
        toml = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    except ModuleNotFoundError as error:
        raise DependencyMissingError(
            "The package tomli is not installed.", "Run `pip install tomli`, or use Python 3.11 or newer."
        ) from error
    try:
        content: dict[str, Any] = toml.loads(text)
    except RecursionError as error:
        raise TemplateError("The template is not TOML: it is nested too deeply.") from error
    except toml.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = int(found[1]) if found else len(text.splitlines())  # "at end of document"
        raise TemplateError(
            f"The template is not TOML, line {line}: {error}.", "Mend this line.", line
        ) from error
    return content


def _entry(row: Fields, common: Fields) -> TemplateEntry:
    row.allow(*STRUCTURE)
    output = row.text("name")
    text, recipe = row.text("text", default=""), row.text("derive", default="")
    if bool(text) == bool(recipe):
        raise row.error("text", "a structure has either text or derive")
    prompts: tuple[str, ...] = ()
    relation = "derived"
    if recipe:
        try:
            parse_definition(f'"{output}" = {recipe}')
        except TextSegmentError as error:
            raise row.error("derive", error.message) from error
    else:
        prompts = structures_named(text, row)
        relation = relation_of(prompts)
    return TemplateEntry(
        output,
        prompts,
        core=not row.flag("optional", default=False),
        relation=relation,
        note=row.text("note", default=""),
        text=text,
        recipe=recipe,
        required=row.flag("required", default=False),
        finishing=_finishing(row, common),
        style=RegionStyle(
            row.roi_type("type"),
            row.color("color"),
            row.number("smallest_contour_mm2", 0.0, 1e5, common),
            int(row.whole("most_points", 3, 100_000, common)),
        ),
    )


def _finishing(row: Fields, common: Fields) -> Finishing:
    return Finishing(
        row.flag("keep_largest", default=common.flag("keep_largest", default=False)),
        row.number("smallest_part_ml", 0.0, 1000.0, common),
        row.flag("fill_holes", default=common.flag("fill_holes", default=False)),
        row.number("smooth_mm", 0.0, 20.0, common),
    )


def _require_distinct(entries: tuple[TemplateEntry, ...], rows: list[Fields]) -> None:
    seen: set[str] = set()
    for entry, row in zip(entries, rows, strict=True):
        if name_key(entry.output) in seen:
            raise row.error("name", "another structure has this name already")
        seen.add(name_key(entry.output))


def _from_json(identifier: str, text: str) -> Template:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TemplateError("The template file is not JSON.", _JSON_HINT) from error
    structures = data.get("structures") if isinstance(data, dict) else None
    if not isinstance(structures, dict) or not structures or not isinstance(data.get("label", ""), str):
        raise TemplateError("The template file has no structures.", _JSON_HINT)
    lines = Lines("")
    entries = []
    for output, named in structures.items():
        names = [named] if isinstance(named, str) else named
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise TemplateError(f"The template line {output!r} names no structure.", _JSON_HINT, 0, output)
        row = Fields({"name": output}, lines, output)
        found = dict.fromkeys(prompt for name in names for prompt in structures_named(name, row))
        entries.append(TemplateEntry(output, tuple(found), relation=relation_of(tuple(found))))
    return Template(identifier, data.get("label") or identifier, tuple(entries))
