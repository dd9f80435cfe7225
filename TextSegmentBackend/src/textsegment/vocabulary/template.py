"""Templates: sets of structures for a body site or purpose, with names for the results."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from textsegment.errors import InputNotFoundError, InputUnreadableError, UnknownStructureError
from textsegment.vocabulary.availability import missing_from
from textsegment.vocabulary.language.words import bag_key, clean, raw_key, read_data, tokens
from textsegment.vocabulary.structures import find_structure, load_structures, nearest_structures

OAR_WORDS = {"oar", "oars", "risikoorgane", "risikoorgan"}
OAR_PHRASES = (
    "organs at risk",
    "organ at risk",
    "organes a risque",
    "organos de riesgo",
    "organi a rischio",
    "organos en riesgo",
)
LITTLE_WORDS = {
    "for",
    "of",
    "in",
    "the",
    "set",
    "template",
    "sbrt",
    "radiotherapy",
    "rt",
    "fur",
    "pour",
    "para",
    "per",
    "cancer",
    "ca",
}
NO_PHRASE = re.compile(r"[:_]|oars?-", re.IGNORECASE)  # "OAR_bladder" is the bladder, not the set for it
FULL_WORDS = {"full", "all", "complete", "extended", "optional", "alle"}


@dataclass(frozen=True)
class TemplateEntry:
    """One line of a template.

    Attributes:
        output: Name of the result; in OAR sets a TG-263 name such as ``Parotid_L``.
        prompts: Structures of the model that make up the result; empty if the model has none.
        core: Whether the line belongs to the core of the set rather than being optional.
        relation: ``exact``, ``parts`` (all prompts together), ``broader`` (approximate, so not run) or
            ``none``.
        note: Sentences for the user; may be empty.
    """

    output: str
    prompts: tuple[str, ...]
    core: bool = True
    relation: str = "exact"
    note: str = ""


@dataclass(frozen=True)
class Template:
    """A named set of structures.

    Attributes:
        id: Stable identifier, such as ``oar_head_neck``.
        label: Human-readable name.
        entries: Lines of the template, in order.
        full: Whether optional lines are included.
    """

    id: str
    label: str
    entries: tuple[TemplateEntry, ...]
    full: bool = False

    def with_optional(self) -> Template:
        """Return a copy of the template that includes its optional lines."""
        return replace(self, full=True)

    @property
    def wanted(self) -> tuple[TemplateEntry, ...]:
        """Requested lines, whether or not they can run."""
        return tuple(entry for entry in self.entries if entry.core or self.full)

    def chosen(self, modality: str, available: Collection[str] | None = None) -> tuple[TemplateEntry, ...]:
        """Return the lines that run in a modality: requested, exact, and with all prompts supported in it.

        Args:
            modality: ``CT``, ``MR`` or ``PT``.
            available: Structures that the model in use supports in the modality; None for those of the
                published models.
        """
        return tuple(entry for entry in self.wanted if not _lack(entry, modality, available))

    def structures(self, modality: str, available: Collection[str] | None = None) -> tuple[str, ...]:
        """Return the prompts that run in a modality, each once; see ``chosen``."""
        chosen = self.chosen(modality, available)
        return tuple(dict.fromkeys(prompt for entry in chosen for prompt in entry.prompts))

    def missing(
        self, modality: str, available: Collection[str] | None = None
    ) -> Mapping[str, tuple[str, ...]]:
        """Return the output names of the lines that do not run, keyed by reason; see ``chosen``."""
        lacks: dict[str, tuple[str, ...]] = {}
        for entry in self.wanted:
            if reason := _lack(entry, modality, available):
                lacks[reason] = (*lacks.get(reason, ()), entry.output)
        return lacks

    def warnings(self, modality: str, available: Collection[str] | None = None) -> tuple[str, ...]:
        """Return warnings about the lines that do not run, one sentence for each reason; see ``chosen``."""
        lacks = self.missing(modality, available)
        return tuple(f"{reason}: {', '.join(names)}." for reason, names in lacks.items())


def _lack(entry: TemplateEntry, modality: str, available: Collection[str] | None) -> str:
    """Return why a line does not run; empty if it does."""
    structures = load_structures()
    if entry.relation == "none" or not entry.prompts:
        return "Not in the model"
    if entry.relation not in ("exact", "parts"):
        return "Only roughly in the model, so left out"
    if any(modality not in structures[prompt].modalities for prompt in entry.prompts):
        return f"Not in the model for {modality}"
    if missing_from(entry.prompts, available):
        return "Not in this model"
    return ""


def _template(row: Mapping[str, Any]) -> Template:
    entries = tuple(
        TemplateEntry(e["output"], tuple(e["prompts"]), e["core"], e["relation"], e["note"])
        for e in row["entries"]
    )
    return Template(row["id"], row["label"], entries)


@lru_cache(maxsize=1)
def _rows() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(read_data("templates.json"))["templates"]
    return rows


@lru_cache(maxsize=1)
def load_templates() -> Mapping[str, Template]:
    """Return all built-in templates keyed by identifier; the data is read once per process."""
    return MappingProxyType({row["id"]: _template(row) for row in _rows()})


@lru_cache(maxsize=1)
def _index() -> tuple[dict[str, str], dict[tuple[str, ...], str]]:
    """Return template identifiers keyed by phrase, and those of OAR sets keyed by the words of the site."""
    phrases = {raw_key(phrase): row["id"] for row in _rows() for phrase in row["phrases"]}
    sites = {bag_key(tokens(raw_key(site))): row["id"] for row in _rows() for site in row["sites"]}
    return phrases, sites


def find_template(text: str) -> Template | None:
    """Return the template that a text names ("OAR prostate", "all abdominal organs"), or None.

    "full", "all" or "complete" before the name of an OAR set includes its optional lines.
    """
    phrases, sites = _index()
    raw = raw_key(text)
    if identifier := phrases.get(raw):
        return load_templates()[identifier]
    line = f" {' '.join(tokens(clean(text)))} "
    for phrase in OAR_PHRASES:
        line = line.replace(f" {phrase} ", " oar ")
    words = line.split()
    if not OAR_WORDS & set(words) or NO_PHRASE.search(text):
        return None
    site = [word for word in words if word not in OAR_WORDS | LITTLE_WORDS | FULL_WORDS]
    found = sites.get(bag_key(site)) if site else None
    if found is None:
        return None
    template = load_templates()[found]
    return template.with_optional() if FULL_WORDS & set(words) else template


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
    if name.lower().endswith(".json"):
        return read_template(Path(name))
    found = find_template(name) or find_template(f"OAR {name}")
    if found is not None:
        return found
    known = tuple(load_templates())
    raise UnknownStructureError("There is no such template.", f"There are: {', '.join(known)}.", known)


def read_template(path: Path) -> Template:
    """Read a user-written template from a file.

    The file is JSON: ``{"label": "My set", "structures": {"Kidney_L": "left kidney", "Ring": ["liver"]}}``,
    with the exact names of structures on the right.

    Raises:
        InputNotFoundError: The file does not exist.
        InputUnreadableError: The file is not a template.
        UnknownStructureError: The template names a structure that is not in the vocabulary.
    """
    try:
        data = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise InputNotFoundError("There is no such template file.", "Check the path.") from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputUnreadableError("The template file is not JSON.", TEMPLATE_HINT) from error
    structures = data.get("structures") if isinstance(data, dict) else None
    if not isinstance(structures, dict) or not structures or not isinstance(data.get("label", ""), str):
        raise InputUnreadableError("The template file has no structures.", TEMPLATE_HINT)
    entries = tuple(_user_entry(output, named) for output, named in structures.items())
    return Template(path.stem, data.get("label") or path.stem, entries)


def _user_entry(output: str, named: object) -> TemplateEntry:
    names = [named] if isinstance(named, str) else named
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise InputUnreadableError(f"The template line {output!r} names no structure.", TEMPLATE_HINT)
    prompts = []
    for name in names:
        structure = find_structure(name)
        if structure is None:
            near = nearest_structures(name)
            raise UnknownStructureError(
                f"The template line {output!r} names a structure that the model does not have.",
                "Use the exact name; textsegment terms search finds it.",
                near,
            )
        prompts.append(structure.name)
    return TemplateEntry(output, tuple(prompts), relation="exact" if len(prompts) == 1 else "parts")


TEMPLATE_HINT = 'Write {"label": "My set", "structures": {"Kidney_L": "left kidney"}}.'
