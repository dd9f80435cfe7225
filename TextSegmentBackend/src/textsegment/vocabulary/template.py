"""Templates: sets of structures for a body site or purpose, with names for the results."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from textsegment.caution import Caution
from textsegment.vocabulary.availability import missing_from
from textsegment.vocabulary.language.words import bag_key, clean, raw_key, read_data, tokens
from textsegment.vocabulary.structures import load_structures

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
class Finishing:
    """What is done to a mask after the model, in the order of the attributes. The default changes nothing.

    Attributes:
        keep_largest: Whether only the largest connected part is kept.
        smallest_part_ml: Connected parts smaller than this are removed, in millilitres.
        fill_holes: Whether holes are filled in each slice along the third axis of the image.
        smooth_mm: Standard deviation of the smoothing of the surface, in millimetres; 0 for none.
    """

    keep_largest: bool = False
    smallest_part_ml: float = 0.0
    fill_holes: bool = False
    smooth_mm: float = 0.0


@dataclass(frozen=True)
class RegionStyle:
    """How a structure is written, beyond its name.

    Attributes:
        roi_type: RT ROI interpreted type in a structure set, such as ``ORGAN`` or ``AVOIDANCE``; None for the
            usual one.
        color: Red, green and blue, each 0 to 255; None for the usual color.
        smallest_contour_mm2: Contours of a smaller area are left out of a structure set.
        most_points: Largest number of points of a contour in a structure set; 0 for any number.
    """

    roi_type: str | None = None
    color: tuple[int, int, int] | None = None
    smallest_contour_mm2: float = 0.0
    most_points: int = 0


NO_FINISHING = Finishing()
USUAL_STYLE = RegionStyle()


@dataclass(frozen=True)
class TemplateEntry:
    """One line of a template.

    Attributes:
        output: Name of the result; in OAR sets a TG-263 name such as ``Parotid_L``.
        prompts: Structures of the model that make up the result; empty if the model has none.
        core: Whether the line belongs to the core of the set rather than being optional.
        relation: ``exact``, ``parts`` (all prompts together), ``broader`` (approximate, so not run),
            ``derived`` or ``none``.
        note: Sentences for the user; may be empty.
        text: Words by which the structures were named; empty for the names of the model.
        recipe: Expression that derives the result from others, such as ``SpinalCord margin 5``; empty if it
            is not derived.
        required: Whether the whole template is worthless without this line.
        finishing: What is done to the mask.
        style: How it is written.
    """

    output: str
    prompts: tuple[str, ...]
    core: bool = True
    relation: str = "exact"
    note: str = ""
    text: str = ""
    recipe: str = ""
    required: bool = False
    finishing: Finishing = NO_FINISHING
    style: RegionStyle = USUAL_STYLE


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

        Whether a derived line can be carried out is known only to the plan.

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
        return tuple(
            Caution("template_lines_left_out", reason=reason, names=", ".join(names))
            for reason, names in lacks.items()
        )


def _lack(entry: TemplateEntry, modality: str, available: Collection[str] | None) -> str:
    """Return why a line does not run; empty if it does."""
    structures = load_structures()
    if entry.recipe:
        return ""
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

    Example:
        >>> find_template("full OAR prostate").id, find_template("prostate") is None
        ('oar_pelvis_prostate', True)
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
