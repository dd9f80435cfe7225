"""Write ``vocabulary/data/structures.json`` from tables of facts about the model's classes.

    python tools/build_structures.py FACTS_FOLDER

``FACTS_FOLDER`` holds ``sat_classes.json`` (classes, modalities, sides, parts, training scans) and
``codes.json`` (SNOMED CT codes and colors). The output is sorted and contains no dates, so the same facts
always give the same file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from structure_colors import TOLD_APART, Color, assign_colors

OUTPUT = Path(__file__).parents[1] / "src/textsegment/vocabulary/data/structures.json"
DICOM_MODALITY = {"ct": "CT", "mri": "MR", "pet": "PT"}

KIND_WORDS: list[tuple[str, str]] = [
    ("lesion", r"tumor|cancer|cyst|nodule|embolism|hemorrhage|infection|effusion|stroke|schwannoma|scar|edema"
     r"|hyperintensities|lymph node"),
    ("vessel", r"artery|vein|vena|aorta|trunk|vessel"),
    ("disc", r"intervertebral"),
    ("cartilage", r"cartilage|arytenoid"),
    ("joint", r"joint"),
    ("bone", r"vertebrae|rib|femur|humerus|clavicle|scapula|sternum|skull|mandible|^bone|sacrum|hip$|tibia"
     r"|mastoid|eustachian tube bone"),
    ("muscle", r"muscle|gluteus|iliopsoas|autochthon"),
    ("nerve", r"nerve|spinal cord|optic chiasm"),
    ("tissue", r"tissue|fat$|skin|mucosa"),
    ("cavity", r"cavity|canal|ventricle|fluid|inlet"),
    ("brain region", r"gyrus|lobe$|cortex|thalamus|putamen|pallidum|caudate nucleus|accumbens|hippocampus"
     r"|amygdala|cerebell|brainstem|substantia|cuneus|subcallosal|matter|ganglia|insula|callosum|tract"
     r"|radiation|temporal lobe|occipital lobe|lateral part|medial part"),
    ("gland", r"gland|thyroid|thymus"),
]  # fmt: skip
NOT_BRAIN = ("caudate lobe", "lung", "liver")

PARTS: dict[str, list[str]] = {
    "heart": ["heart atrium", "heart ventricle", "myocardium"],
    "left lung": ["left lung upper lobe", "left lung lower lobe"],
    "right lung": ["right lung upper lobe", "right lung middle lobe", "right lung lower lobe"],
    "liver": ["left lobe of liver", "right lobe of liver", "caudate lobe"],
    "middle ear": ["left middle ear", "right middle ear"],
    "vertebrae": ["cervical vertebrae", "thoracic vertebrae", "lumbar vertebrae", "sacrum"],
    "rib": ["left rib", "right rib"],
    "femur": ["left femur", "right femur"],
    "brain ventricle": ["lateral ventricle", "third ventricle"],
    "larynx": ["larynx supraglottis", "larynx glottis"],
    "sternum": ["manubrium of sternum"],
}
NOTES: dict[str, str] = {
    "autochthon": "Deep (autochthonous) muscles of the back; the model's own spelling.",
    "bronchie": "Bronchial tree; the model's own spelling.",
    "iliac vena": "Common iliac vein; the model's own spelling.",
    "iliac artery": "Common iliac artery.",
    "hip": "Hip bone (os coxae), not the hip joint.",
    "left auricle of heart": "Appendage of the left atrium, not the ear; there is no right one.",
    "femur bone": "MR of the knee only: the distal femur.",
    "femur cartilage": "MR of the knee only.",
    "tibia bone": "MR of the knee only: the proximal tibia.",
    "tibia cartilage": "MR of the knee only.",
    "vertebrae": "Includes the sacrum in part of the training data. In MR only T9 to L5 and the sacrum.",
    "thoracic vertebrae": "In MR only T9 to T12.",
    "intervertebral discs": "Only T9/T10 to L5/S1.",
    "lung tumor": "CT only.",
    "kidney": "Includes tumour and cyst voxels in part of the training data.",
    "liver": "Includes tumour voxels in part of the training data.",
    "pancreas": "Includes tumour voxels in part of the training data.",
    "brain": "On CT includes brainstem, chiasm and hippocampus in part of the training data.",
    "brain tumor": "Whole tumour including oedema (enhancing part, necrotic core and oedema).",
    "brain edema": "Oedema around a tumour.",
    "lymph node": "Involved nodes of the head and neck on FDG PET, not normal nodes.",
    "nasopharyngeal lymph node": "Involved nodes of nasopharyngeal cancer, not normal nodes.",
    "nasopharyngeal tumor": "Primary tumour of nasopharyngeal cancer.",
    "head and neck tumor": "Primary tumour on FDG PET.",
    "tumor": "FDG-avid lesions of the whole body on PET.",
    "intestine": "One dataset of 150 scans with duodenum, colon and rectum apart: in practice small bowel.",
    "small bowel": "Without the duodenum in most of the training data.",
    "thyroid gland": "Near-duplicate of thyroid, which has more training scans.",
    "costal cartilage": "Near-duplicate of rib cartilage, which has more training scans.",
    "portal vein and splenic vein": "One joint class; neither vein exists alone.",
    "heart ventricle": "Blood cavities; the wall of the left one is myocardium.",
    "left heart ventricle": "Blood cavity; the wall is myocardium.",
    "myocardium": "Wall of the left ventricle. In MR includes scar and oedema in part of the data.",
    "left heart atrium": "In MR includes scar in part of the training data.",
    "middle ear": "Includes cochlea, internal auditory canal, tympanic cavity and vestibule.",
    "gonad": "Ovary or testis; the sex is not told apart.",
    "uterocervix": "Cervix of the uterus.",
    "heart tissue": "What remains of the heart beside its chambers in one dataset.",
    "lung effusion": "Pleural effusion.",
    "stroke": "Infarct.",
    "inferior alveolar nerve": "Cone-beam CT of the jaw only; orientation IPL.",
    "mediastinal tissue": "Soft tissue between the organs of the mediastinum.",
    "aorta": "Whole aorta as far as it is in the image.",
    "heart ascending aorta": "Ascending aorta.",
}  # fmt: skip
SPINE_NOTE = "Sagittal spine MR is best read in the orientation ASR; in MR only T9 to L5 and the sacrum."
PARENT_CODES = {
    "basal ganglia": ["SCT", "12738006", "Brain"],
    "vestibule semicircular canal": ["SCT", "22945000", "Inner ear"],
}
ANATOMICAL = ["SCT", "123037004", "Anatomical Structure"]
SIDE_CODES = {"left": ["SCT", "7771000", "Left"], "right": ["SCT", "24028007", "Right"]}


def own_id(name: str) -> str:
    """Return the stable identifier of a structure, such as ``vertebra_l4`` or ``left_kidney``."""
    levels = re.findall(r"\(([ctls]\d+)\)", name)
    if name.startswith("intervertebral disc between"):
        return "disc_" + "_".join(levels if len(levels) == 2 else [*levels, "s1"])
    if levels:
        return f"vertebra_{levels[0]}"
    return re.sub(r"[^a-z0-9]+", "_", name).strip("_")


def kind_of(name: str, sat_kind: str) -> str:
    """Return the kind of a structure: vessel, bone, muscle, lesion, …; ``organ`` if nothing else fits."""
    if sat_kind == "lesion":
        return "lesion"
    for kind, words in KIND_WORDS:
        if kind == "brain region" and any(word in name for word in NOT_BRAIN):
            continue
        if kind != "lesion" and re.search(words, name):
            if kind == "bone" and "rib" in name and not re.search(r"\brib\b", name):
                continue
            return kind
    return "tissue" if sat_kind == "tissue" else "organ"


def natural(name: str) -> list[int | str]:
    """Return a natural sort key, which puts ``rib 2`` before ``rib 10``."""
    return [int(word) if word.isdigit() else word for word in re.split(r"(\d+)", name)]


def parts_of(entry: dict[str, Any], names: set[str]) -> list[str]:
    """Return the structures that an entry is made of, none of them a part of another."""
    name = entry["name"]
    if name in PARTS:
        return PARTS[name]
    sides = [f"left {name}", f"right {name}"]
    if name == "head of femur":
        sides = ["head of left femur", "head of right femur"]
    if all(side in names for side in sides):
        return sides
    return sorted(entry["merge"]["parts"], key=natural) if entry["merge"] else []


def note_of(entry: dict[str, Any]) -> str:
    """Return the note for users about a class; empty if there is none."""
    name = entry["name"]
    base = re.sub(r"\b(left|right) ", "", name)
    notes = [NOTES.get(name) or NOTES.get(base) or ""]
    if "mri" in entry["modalities"] and re.search(r"vertebrae|intervertebral|sacrum", name):
        notes.append(SPINE_NOTE)
    if not sum((entry["train_scans"] or {}).values()):
        notes.append("No scan of the published training lists has this class.")
    return " ".join(note for note in notes if note)


def codes_of(entry: dict[str, Any], codes: dict[str, Any]) -> dict[str, Any]:
    """Return the coded terms of an entry; a side that no code expresses becomes the type's modifier."""
    name = entry["name"]
    found = codes[name]
    fallback = PARENT_CODES.get(re.sub(r"^(left|right) ", "", name))
    side = SIDE_CODES.get(entry["side"]) if entry["side_type"] == "paired" else None
    keys = ("category", "type", "type_modifier", "region", "region_modifier")
    result = {key: [*found[key][:2], meaning_of(found[key][2])] for key in keys if found[key]}
    if not found["type"]:
        assert fallback, name
        result = {"category": ANATOMICAL, "type": fallback} | ({"type_modifier": side} if side else {})
    return result | {"exact": bool(found["type"]) and not found["lossy"]}


def meaning_of(text: str) -> str:
    """Return the meaning of a code without a remark on where it was found, beginning with a capital."""
    plain = re.sub(r" \(via .*\)$", "", text)
    return plain[:1].upper() + plain[1:] if plain != text else text


def build(facts: Path) -> list[dict[str, Any]]:
    """Return all structures, sorted by name."""
    classes = json.loads((facts / "sat_classes.json").read_text(encoding="utf-8"))["classes"]
    codes = {c["name"]: c for c in json.loads((facts / "codes.json").read_text(encoding="utf-8"))["codes"]}
    names = {entry["name"] for entry in classes}
    rows = []
    for entry in sorted(classes, key=lambda e: natural(e["name"])):
        rows.append(
            {
                "id": own_id(entry["name"]),
                "name": entry["name"],
                "modalities": [DICOM_MODALITY[m] for m in entry["modalities"]],
                "regions": [entry["region"][m] for m in entry["modalities"]],
                "kind": kind_of(entry["name"], entry["kind"]),
                "side": entry["side"],
                "opposite": entry["opposite"],
                "unsided": entry["unsided_class"],
                "parts": parts_of(entry, names),
                "codes": codes_of(entry, codes),
                "note": note_of(entry),
            }
        )
    known: dict[str, Color] = {n: tuple(c["rgb"]) for n, c in codes.items() if c["rgb"]}
    known |= {name: color for name, color in TOLD_APART.items() if name in names}
    colors = assign_colors([(r["name"], r["kind"], r["side"], r["unsided"]) for r in rows], known, seed_of)
    for row in rows:
        row["color"] = list(colors[row["name"]])
    assert len({row["id"] for row in rows}) == len(rows) == len(names)
    assert all(part in names for row in rows for part in row["parts"])
    return rows


def seed_of(text: str) -> int:
    """Return a number that depends only on the text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def main() -> None:
    """Write ``structures.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("facts", type=Path)
    rows = build(parser.parse_args().facts)
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    OUTPUT.write_text(f'{{"structures": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
