"""Tables of TOML files, checked against a schema; whatever is wrong becomes one typed error."""

from __future__ import annotations

import re
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError

from textsegment.errors import InputNotFoundError, RulesError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class Table(BaseModel):
    """A table of a file; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


AnyTable = TypeVar("AnyTable", bound=Table)


def _ae_title(text: str) -> str:
    if not re.fullmatch(r"[ -\[\]-~]{1,16}", text) or not text.strip():
        raise ValueError("an AE title has 1 to 16 ASCII characters and no backslash")
    return text.strip()


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}", text):
        raise ValueError("a name has 1 to 64 letters, digits, spaces and . _ -")
    return text


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


AeTitle = Annotated[str, AfterValidator(_ae_title)]
"""Title of a DICOM application entity."""
ItemName = Annotated[str, AfterValidator(_name)]
"""Name of a rule, source or destination, which may appear in logs and metrics."""
Texts = Annotated[tuple[str, ...], BeforeValidator(_several)]
"""One text or a list of them."""


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        InputNotFoundError: The file does not exist.
        RulesError: The file cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise InputNotFoundError(f"There is no file {path.name}.", "Check the path.") from error
    except tomllib.TOMLDecodeError as error:
        raise RulesError(f"{path.name} is not TOML: {error}.", "Mend the line.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise RulesError(f"{path.name} cannot be read.", "Check its permissions; it is UTF-8.") from error


def check_table(kind: type[AnyTable], content: dict[str, Any], file: str) -> AnyTable:
    """Return the content of a file as a table.

    Args:
        kind: Schema.
        content: Content of the file.
        file: Name of the file, for the message.

    Raises:
        RulesError: The content does not match the schema; the message says where and why, for each fault.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        faults = [_fault(kind, fault) for fault in error.errors(include_url=False, include_input=False)]
        raise RulesError(f"{file} is not valid.\n  " + "\n  ".join(faults), "See docs/node.md.") from error


def _fault(kind: type[Table], fault: Any) -> str:
    place = ".".join(str(part + 1) if isinstance(part, int) else str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        near = get_close_matches(str(fault["loc"][-1]), sorted(_keys(kind)), n=1)
        return f"{place}: there is no such key." + (f" Did you mean {near[0]}?" if near else "")
    message = str(fault["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"{place or 'file'}: {message}."


def _keys(kind: Any, seen: frozenset[Any] = frozenset()) -> set[str]:
    """Return the names of all keys in a schema, including those of tables within it."""
    if kind in seen:
        return set()
    if isinstance(kind, type) and issubclass(kind, Table):
        seen = seen | {kind}
        return {
            key for name, field in kind.model_fields.items() for key in (name, *_keys(field.annotation, seen))
        }
    return {key for part in getattr(kind, "__args__", ()) for key in _keys(part, seen)}
