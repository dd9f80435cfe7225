"""Sets of structures: those of the vocabulary, and the user's own in a folder. No Qt."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from slicer.i18n import tr as _
from textsegment.errors import OutputError, TextSegmentError
from textsegment.vocabulary.resolve import resolve
from textsegment.vocabulary.template import Template, find_template, read_template


def words_for(template: Template, modality: str) -> str:
    """Return the shortest words that the vocabulary reads as this set; else the names of its structures."""
    site = template.id.removeprefix("oar_").replace("_", " ")
    lead = "full OAR" if template.full else "OAR"
    is_oar = site != template.id.replace("_", " ")
    words = [*(f"{lead} {word}" for word in site.split()), f"{lead} {site}"] if is_oar else []
    for phrase in (*words, template.id.replace("_", " "), template.label):
        named = find_template(phrase)
        is_meant = named is not None and (named.id, named.full) == (template.id, template.full)
        if is_meant and len(resolve(phrase, modality)) == 1:
            return phrase
    return ", ".join(template.structures(modality))


def read_own_sets(folder: Path) -> tuple[list[Template], list[str]]:
    """Return the sets in a folder, and a sentence for each file that is none."""
    sets: list[Template] = []
    problems: list[str] = []
    for path in sorted(folder.glob("*.json")):
        try:
            sets.append(read_template(path))
        except TextSegmentError as error:
            problems.append(f"{path.name}: {error}")
    return sets, problems


def save_own_set(folder: Path, label: str, structures: Sequence[str]) -> Path:
    """Write a set of structures into the folder; a set of the same name is replaced.

    Raises:
        OutputError: The name is empty, or the folder cannot be written.
    """
    stem = re.sub(r"[^\w-]+", "_", label.strip()).strip("_")
    if not stem:
        raise OutputError(_("The set has no name."), _("Type a name of letters or digits."))
    path = folder / f"{stem}.json"
    content = {"label": label.strip(), "structures": {name: name for name in structures}}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        raise OutputError(_("The set cannot be saved."), _("Look at the folder's permissions.")) from error
    return path
