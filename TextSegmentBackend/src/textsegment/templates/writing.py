"""Templates as TOML."""

from __future__ import annotations

import json

from textsegment.templates.fields import FINISHING
from textsegment.vocabulary.template import Finishing, RegionStyle, Template, TemplateEntry


def template_text(template: Template) -> str:
    """Return a template as TOML, as ``read_template`` reads it; what the model lacks becomes a comment.

    Args:
        template: Any template, a built-in one included: a start for one's own.

    Example:
        >>> from textsegment.vocabulary.template import load_templates
        >>> template_text(load_templates()["thoracic_organs"]).splitlines()[2:5]
        ['[[structure]]', 'name = "heart"', 'text = "heart"']
    """
    parts = [f"label = {_quoted(template.label)}\n"]
    parts += [_block(entry) for entry in template.entries]
    return "\n".join(parts)


def _block(entry: TemplateEntry) -> str:
    if not entry.recipe and (not entry.prompts or entry.relation not in ("exact", "parts")):
        return f"# {entry.output}: the model does not have it. {entry.note}".rstrip() + "\n"
    lines = ["[[structure]]", f"name = {_quoted(entry.output)}"]
    if entry.recipe:
        lines.append(f"derive = {_quoted(entry.recipe)}")
    else:
        lines.append(f"text = {_quoted(entry.text or ', '.join(entry.prompts))}")
    fields = {
        "type": entry.style.roi_type,
        "color": None if entry.style.color is None else "#{:02x}{:02x}{:02x}".format(*entry.style.color),
        "optional": not entry.core or None,
        "required": entry.required or None,
        "note": entry.note or None,
        **_finishing(entry.finishing, entry.style),
    }
    lines += [f"{name} = {_value(value)}" for name, value in fields.items() if value is not None]
    return "\n".join(lines) + "\n"


def _finishing(finishing: Finishing, style: RegionStyle) -> dict[str, object]:
    owners = (finishing if hasattr(finishing, name) else style for name in FINISHING)
    values = (getattr(owner, name) for owner, name in zip(owners, FINISHING, strict=True))
    return {name: value or None for name, value in zip(FINISHING, values, strict=True)}


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return (
        _quoted(value) if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)
    )


def _quoted(text: str) -> str:
    # A basic string of TOML is written as a string of JSON, but for the character DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
