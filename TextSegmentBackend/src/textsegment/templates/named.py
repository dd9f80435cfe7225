"""Templates by name or file."""

from __future__ import annotations

from pathlib import Path

from textsegment.errors import UnknownStructureError
from textsegment.templates.reading import SUFFIXES, read_template
from textsegment.vocabulary.template import Template, find_template, load_templates


def template_named(name: str) -> Template:
    """Return the template that a user requested by name or file.

    Args:
        name: Identifier of a built-in template, words that name one ("prostate", "full head and neck"), or
            the path of a template file (see ``read_template``).

    Raises:
        UnknownStructureError: There is no such template.
        TextSegmentError: The file does not exist or is not a valid template.

    Example:
        >>> template = template_named("prostate")
        >>> template.id, len(template.wanted) > 5
        ('oar_pelvis_prostate', True)
    """
    if built_in := load_templates().get(name):
        return built_in
    if name.lower().endswith(SUFFIXES):
        return read_template(Path(name))
    found = find_template(name) or find_template(f"OAR {name}")
    if found is not None:
        return found
    known = tuple(load_templates())
    raise UnknownStructureError("There is no such template.", f"There are: {', '.join(known)}.", known)
