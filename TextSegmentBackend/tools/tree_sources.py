"""Sources of the open anatomy tree, UBERON and DICOM, pruned to adult human anatomy."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

UBERON_FILE = "UBERON-ontology-v2026-04-01.json.zst"  # in cellxgene_ontology_guide 1.11.1
DICOM_CONTEXT_GROUPS = {
    *(4, 3010, 4028, 4029, 4030, 4031, 4042, 6202, 6204, 7140, 7151, 7152, 7153, 7192, 7600, 7710, 8134, 9514)
}
CITED = "WP|CUMBO|ZFA|MP|GO|MA|AAO|VSAO|EHDAA2|FB|BTO|TAO|VHOG|NPX|Wikipedia"
WORDS = json.loads((Path(__file__).parent / "tree/words.json").read_text(encoding="utf-8"))
OWN_NUMBERS = re.compile(r"UBERON:00[0-3]\d{4}$")  # other ranges come from ontologies of other species
DEVELOPING = {
    "embryo",
    "embryonic structure",
    "presumptive structure",
    "developing anatomical structure",
    "life cycle stage",
}
# Names in which "of" does not mean part-of: an artery of the hand may begin outside the hand.
NO_PARTS = re.compile(
    r"arter|vein|venous|nerve|vessel|lymph|plexus|ligament|muscle|tendon|duct|fascia|joint|gangli"
)
# Names too vague to prove an edge; below, wholes that mean something else in the model (the hip bone).
VAGUE = re.compile(
    r"\band\b|\bor\b|(?:accessory|cranial|caudal) lobe|segment of (?:cervical|thoracic|lumbar|sacral)"
    r"|outflow tract|gland|collateral|connective tissue|sphincter|mater|carina of sternum|mesentery of heart"
    r"|appendage of head|clivus of fovea|epithelium of (?:knee|hand|foot|elbow|shoulder)"
)
OTHER_WHOLES = {"hip", "axis", "atlas", "bone", "muscle", "fat", "tumor", "lymph node"}


@dataclass
class SourceTerm:
    """Term from a source: its name, synonyms, definition, and the terms directly above it."""

    id: str
    name: str
    synonyms: list[str] = field(default_factory=list)
    definition: str = ""
    parents: list[str] = field(default_factory=list)


def tidy(definition: str) -> str:
    """Shorten a definition to about 160 characters, without citations."""
    definition = definition.replace("[Automatically generated definition]", "")
    text = re.sub(rf"\s*[\[(](?:{CITED})[^\])]*[\])]", "", definition)
    text = " ".join(text.split())
    if len(text) <= 160:
        return text
    sentence = text[:200].rsplit(". ", 1)[0]
    return f"{sentence}." if 20 < len(sentence) <= 160 else text[:157].rsplit(" ", 1)[0] + "…"


def vocabulary_of(texts: list[str]) -> set[str]:
    """Return the words of human anatomy: those in the texts, and a hand-made list."""
    words = set(WORDS["words"].split())
    for text in texts:
        words |= set(re.findall(r"[a-z]+", text.lower()))
    return words


def _known(label: str, words: set[str]) -> bool:
    found = re.findall(r"[a-z]+", label.lower())
    return all(word in words or word.removesuffix("s") in words or len(word) < 3 for word in found)


def read_uberon(folder: Path, words: set[str]) -> tuple[dict[str, SourceTerm], dict[str, set[str]]]:
    """Return the terms that may be adult human anatomy, and all ancestors of each."""
    import zstandard

    with (folder / UBERON_FILE).open("rb") as file:
        raw: dict[str, Any] = json.loads(zstandard.ZstdDecompressor().stream_reader(file).read())
    raw = {key: value for key, value in raw.items() if not value["deprecated"]}
    labels = {value["label"]: key for key, value in raw.items()}
    developing = {labels[name] for name in DEVELOPING if name in labels}
    drop = re.compile(f"{WORDS['not_human']}|{WORDS['granular']}", re.IGNORECASE)
    species = re.compile(WORDS["species"], re.IGNORECASE)
    kept = {}
    for key, value in raw.items():
        label, definition = value["label"], value.get("description", "")
        if not OWN_NUMBERS.match(key) or drop.search(label) or developing & set(value["ancestors"]):
            continue
        if not _known(label, words) or species.search(definition) or species.search(label):
            continue
        synonyms = [s for s in value.get("synonyms", []) if not drop.search(s) and 2 < len(s) < 60]
        synonyms = [s for s in synonyms if not species.search(s) and _known(s, words)]
        kept[key] = SourceTerm(key, label, synonyms, tidy(definition))
    return kept, {key: set(raw[key]["ancestors"]) for key in kept}


def relation(name: str, parent: str) -> str:
    """Return ``part-of`` if a name states that relation ("mucosa of stomach"), else an empty string."""
    if VAGUE.search(name) or NO_PARTS.search(name) or parent.lower() in OTHER_WHOLES:
        return ""
    ends = re.search(rf" of (?:the |a |an )?{re.escape(parent.lower())}$", name.lower())
    return "part-of" if ends else ""


def read_dicom() -> list[SourceTerm]:
    """Return the anatomical SNOMED CT codes that DICOM uses, each with its meaning as its name."""
    from pydicom.sr._concepts_dict import concepts

    found: dict[str, SourceTerm] = {}
    for entry in concepts["SCT"].values():
        for code, (meaning, groups) in entry.items():
            if not DICOM_CONTEXT_GROUPS & set(groups) or re.search(r"\(|structure$|,|/", meaning):
                continue
            if re.search(WORDS["species"], meaning, re.IGNORECASE):
                continue
            name = " ".join(word if word.isupper() else word.lower() for word in meaning.split())
            term = found.setdefault(code, SourceTerm(f"SCT:{code}", name))
            if name != term.name:
                term.synonyms.append(name)
    return sorted(found.values(), key=lambda term: term.id)
