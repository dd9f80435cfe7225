"""Sets of structures: those of the vocabulary, and the user's own, kept in a folder. Independent of Qt."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from slicer.i18n import tr as _
from textsegment.errors import OutputError, TextSegmentError
from textsegment.templates import read_template, template_text
from textsegment.vocabulary.resolve import resolve
from textsegment.vocabulary.template import Template, TemplateEntry, find_template


def words_for(template: Template, modality: str) -> str:
    """Return the shortest text that the vocabulary resolves to this set, or else its structure names."""
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
    """Return the sets in a folder, and a message for each file that cannot be read as a set."""
    sets: list[Template] = []
    problems: list[str] = []
    for path in sorted((*folder.glob("*.toml"), *folder.glob("*.json"))):
        try:
            sets.append(read_template(path))
        except TextSegmentError as error:
            problems.append(f"{path.name}: {error}")
    return sets, problems


def save_own_set(folder: Path, label: str, structures: Sequence[str]) -> Path:
    """Write a set of structures to a folder, replacing a set of the same name.

    Lines of the earlier set for the same structures, and its derived structures, stay as they are: with their
    names, colors, and whatever else a site has decided about them.

    Args:
        folder: Folder of the user's sets; created if it does not exist.
        label: Name of the set.
        structures: Names of its structures.

    Returns:
        Path of the file, in the format of all templates.

    Raises:
        OutputError: If the name is empty, the folder is not writable, or the earlier set cannot be read.
    """
    stem = re.sub(r"[^\w-]+", "_", label.strip()).strip("_")
    if not stem:
        raise OutputError(_("The set has no name."), _("Type a name of letters or digits."))
    path = folder / f"{stem}.toml"
    kept = [entry for entry in _lines_of(path) if entry.recipe or set(entry.prompts) <= set(structures)]
    covered = {prompt for entry in kept for prompt in entry.prompts}
    new = [TemplateEntry(name, (name,)) for name in structures if name not in covered]
    template = Template(stem, label.strip(), (*kept, *new))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(template_text(template), "utf-8")
    except OSError as error:
        raise OutputError(_("The set cannot be saved."), _("Look at the folder's permissions.")) from error
    return path


def _lines_of(path: Path) -> tuple[TemplateEntry, ...]:
    """Return the lines of a set that is about to be replaced; none if there is no file."""
    if not path.exists():
        return ()
    try:
        return read_template(path).entries
    except TextSegmentError as error:
        raise OutputError(
            _("There is a set of this name, which cannot be read."), _("Mend it, or choose another name.")
        ) from error
