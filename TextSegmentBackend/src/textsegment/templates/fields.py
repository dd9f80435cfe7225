"""Fields of a template file, and where they stand in it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from textsegment.derive.expression import LONGEST_NAME
from textsegment.errors import TemplateError

FINISHING = (
    "keep_largest",
    "smallest_part_ml",
    "fill_holes",
    "smooth_mm",
    "smallest_contour_mm2",
    "most_points",
)
"""Fields that may stand under ``[all]``, too."""
STRUCTURE = ("name", "text", "derive", "type", "color", "optional", "required", "note", *FINISHING)
"""Fields of a structure."""
# RT ROI interpreted types (DICOM PS3.3 C.8.8.8.1) of what can be outlined.
ROI_TYPES = (
    "ORGAN", "AVOIDANCE", "EXTERNAL", "GTV", "CTV", "PTV", "CAVITY", "CONTROL", "BOLUS", "SUPPORT",
    "FIXATION", "DOSE_REGION", "TREATED_VOLUME", "IRRAD_VOLUME", "CONTRAST_AGENT", "MARKER", "NONE",
)  # fmt: skip
_HEADER = re.compile(r"\s*\[(?P<twice>\[)?\s*(?P<name>[\w-]+)\s*\]")
_KEY = re.compile(r"\s*(?P<name>[\w-]+)\s*=")
_COLOR = re.compile(r"#[0-9a-f]{6}", re.IGNORECASE)
_LONGEST_TEXT = 1000
_MISSING = object()


class Lines:
    """Line numbers of the fields of a TOML text, as far as they are written in the usual way.

    Args:
        text: The text.
    """

    def __init__(self, text: str) -> None:
        self._lines: dict[tuple[str, str], int] = {}
        table, count = "", 0
        for number, line in enumerate(text.splitlines(), start=1):
            if header := _HEADER.match(line):
                count += bool(header["twice"])
                table = f"structure {count}" if header["twice"] else header["name"]
                self._lines.setdefault((table, ""), number)
            elif key := _KEY.match(line):
                self._lines.setdefault((table, key["name"]), number)

    def of(self, table: str, name: str) -> int:
        """Return the line of a field, or that of its table; 0 if neither is known."""
        return self._lines.get((table, name)) or self._lines.get((table, ""), 0)


class Fields:
    """The fields of one table, checked as they are read.

    Args:
        content: The table.
        lines: Where its fields stand.
        table: Name of the table; empty for the file itself.
    """

    def __init__(self, content: Mapping[str, Any], lines: Lines, table: str = "") -> None:
        self._content = content
        self._lines = lines
        self._table = table

    def place(self, name: str) -> str:
        """Return words for the place of a field: its line, structure and name."""
        line = self._lines.of(self._table, name)
        called = self._content.get("name")
        structure = f"{self._table} ({called})" if isinstance(called, str) and called else self._table
        words = [f"line {line}" if line else "", structure, name]
        return f"Template, {', '.join(word for word in words if word)}"

    def error(
        self, name: str, what: str, hint: str = "Mend this field; docs/templates.md lists all."
    ) -> TemplateError:
        """Return the error about a field."""
        return TemplateError(
            f"{self.place(name)}: {what.rstrip('.')}.", hint, self._lines.of(self._table, name), name
        )

    def allow(self, *names: str) -> None:
        """Refuse fields with other names.

        Raises:
            TemplateError: There is one.
        """
        for name in self._content:
            if name not in names:
                raise self.error(name, "there is no such field", f"Fields here: {', '.join(names)}.")

    def text(self, name: str, *, default: str | None = None) -> str:
        """Return a line of text; without a default it must be there."""
        value = self._content.get(name, default)
        if value is None:
            raise self.error(name, "it is missing")
        if not isinstance(value, str) or len(value) > _LONGEST_TEXT or not value.isprintable():
            raise self.error(name, f"it is one line of text, of at most {_LONGEST_TEXT} characters")
        value = " ".join(value.split())
        if default is None and not value:
            raise self.error(name, "it is empty")
        if name == "name" and (len(value) > LONGEST_NAME or '"' in value):
            raise self.error(name, f"a name has at most {LONGEST_NAME} characters, no quotes among them")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self._content.get(name, default)
        if not isinstance(value, bool):
            raise self.error(name, "it is true or false")
        return value

    def number(self, name: str, least: float, most: float, common: Fields) -> float:
        """Return a number, by default that of the common fields, or else 0."""
        holder = self if name in self._content else common
        value = holder._content.get(name, 0.0)
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not is_number or not least <= value <= most:
            raise holder.error(name, f"it is a number from {least:g} to {most:g}")
        return float(value)

    def whole(self, name: str, least: int, most: int, common: Fields) -> int:
        """Return a whole number, by default that of the common fields; 0 if there is none."""
        holder = self if name in self._content else common
        value = holder._content.get(name, _MISSING)
        if value is _MISSING:
            return 0
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise holder.error(name, f"it is a whole number from {least} to {most}")
        return value

    def roi_type(self, name: str) -> str | None:
        """Return an RT ROI interpreted type; None if the field is not there."""
        value = self._content.get(name)
        if value is not None and value not in ROI_TYPES:
            raise self.error(name, "there is no such type", f"Types: {', '.join(ROI_TYPES)}.")
        return value

    def color(self, name: str) -> tuple[int, int, int] | None:
        """Return a color, from ``"#ffd700"`` or ``[255, 215, 0]``; None if the field is not there."""
        value = self._content.get(name)
        if value is None:
            return None
        if isinstance(value, str) and _COLOR.fullmatch(value):
            value = list(bytes.fromhex(value[1:]))
        is_triple = isinstance(value, list) and len(value) == 3
        if not is_triple or not all(type(part) is int and 0 <= part <= 255 for part in value):
            raise self.error(name, 'it is written "#ffd700" or [255, 215, 0]')
        red, green, blue = value
        return red, green, blue

    def table(self, name: str) -> Fields:
        """Return a table; empty if it is not there."""
        value = self._content.get(name, {})
        if not isinstance(value, dict):
            raise self.error(name, f"it is a table: [{name}]")
        return Fields(value, self._lines, name)

    def tables(self, name: str) -> list[Fields]:
        """Return the tables of a list."""
        value = self._content.get(name, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise self.error(name, f"it is a list of tables: [[{name}]]")
        return [Fields(one, self._lines, f"{name} {count}") for count, one in enumerate(value, start=1)]
