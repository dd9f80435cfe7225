"""Write ``vocabulary/data/templates.json``: sets of structures for a site or a purpose.

    python tools/build_templates.py FACTS_FOLDER

``FACTS_FOLDER`` holds ``oar_templates.json`` (customary organs at risk with TG-263 names, from consensus
practice; not reviewed by a radiation oncologist). The general sets are written out below.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).parents[1] / "src/textsegment/vocabulary/data/templates.json"

SITES = {
    "brain": ["brain", "cranial", "cranium", "intracranial", "gehirn", "hirn", "cerveau", "cerebro"],
    "head_neck": ["head and neck", "head neck", "h and n", "hn", "hnscc", "kopf hals", "orl", "tete et cou", "cabeza y cuello"],
    "thorax_lung": ["lung", "lungs", "thorax", "thoracic", "chest", "lunge", "poumon", "pulmon", "esophagus"],
    "breast": ["breast", "breasts", "mamma", "sein", "mama", "chest wall"],
    "upper_abdomen": ["upper abdomen", "abdomen", "abdominal", "liver", "pancreas", "stomach", "oberbauch", "leber"],
    "pelvis_prostate": ["prostate", "male pelvis", "prostata", "bladder", "pelvis male", "pelvis prostate"],
    "pelvis_gyn_rectum": [
        "rectum", "rectal", "anus", "anal", "cervix", "gyn", "gynae", "gynaecology", "gynecology", "gynecological", "uterus",
        "endometrium", "female pelvis", "pelvis female", "rektum",
    ],
    "spine_sbrt": ["spine", "spinal", "vertebra", "vertebrae", "wirbelsaule"],
}  # fmt: skip

SIDED = [
    "adrenal gland", "kidney",
]  # fmt: skip


def both(*names: str) -> list[str]:
    """Return the left and the right of every name."""
    return [f"{side} {name}" for name in names for side in ("left", "right")]


ABDOMEN = [
    "liver",
    "gallbladder",
    "spleen",
    "pancreas",
    "stomach",
    "duodenum",
    "small bowel",
    "colon",
] + both(*SIDED[::-1])
THORAX = [
    "heart", *both("lung"), "trachea", "esophagus", "thymus",
]  # fmt: skip
PELVIS = ["urinary bladder", "rectum", "prostate", "uterus"]
HEAD = [
    "brain",
    "brainstem",
    *both("eyeball", "optic nerve"),
    "pituitary gland",
    *both("parotid gland", "submandibular gland"),
    "thyroid",
    "larynx",
]
VESSELS = [
    "aorta", "inferior vena cava", "superior vena cava", "pulmonary artery", "pulmonary vein", "portal vein and splenic vein",
    "brachiocephalic trunk", *both("brachiocephalic vein", "common carotid artery", "subclavian artery", "iliac artery", "iliac vena"),
]  # fmt: skip
BONES = [
    "skull", "mandible", "sternum", "sacrum", "vertebrae", "rib", *both("clavicle", "scapula", "humerus", "hip", "femur"),
]  # fmt: skip
MUSCLES = both("gluteus maximus", "gluteus medius", "gluteus minimus", "iliopsoas", "autochthon")
HEART = [
    "left heart atrium",
    "right heart atrium",
    "left heart ventricle",
    "right heart ventricle",
    "myocardium",
]
BRAIN = [
    "frontal lobe", "parietal lobe", "temporal lobe", "occipital lobe", "insula", "cerebellum", "brainstem", "corpus callosum",
    "lateral ventricle", "third ventricle", *both("thalamus", "hippocampus", "amygdala", "putamen", "pallidum", "caudate nucleus", "nucleus accumbens"),
]  # fmt: skip

SETS: list[tuple[str, str, list[str], list[str]]] = [
    ("abdominal_organs", "Organs of the abdomen", ABDOMEN, ["abdominal organs", "all abdominal organs", "organs of the abdomen", "abdomen organs", "bauchorgane", "alle bauchorgane", "organes abdominaux", "órganos abdominales", "organi addominali", "órgãos abdominais", "buikorganen", "腹部器官", "腹部臓器"]),
    ("thoracic_organs", "Organs of the chest", THORAX, ["thoracic organs", "all thoracic organs", "chest organs", "organs of the chest", "organs of the thorax", "brustorgane", "organes thoraciques", "胸部臓器"]),
    ("pelvic_organs", "Organs of the pelvis", PELVIS, ["pelvic organs", "all pelvic organs", "organs of the pelvis", "beckenorgane", "organes pelviens", "órganos pélvicos"]),
    ("head_neck_organs", "Organs of head and neck", HEAD, ["head and neck organs", "organs of the head and neck", "all head and neck organs"]),
    ("vessels", "Large vessels", VESSELS, ["large vessels", "all large vessels", "major vessels", "große gefäße"]),
    ("bones", "Bones", BONES, ["all bones", "every bone", "each bone", "alle knochen", "tous les os", "todos los huesos", "tutte le ossa", "全ての骨"]),
    ("muscles", "Muscles of pelvis and back", MUSCLES, ["muscles of the pelvis and back", "all muscles of the model"]),
    ("heart_parts", "Heart with its parts", HEART, ["heart parts", "parts of the heart", "cardiac structures", "heart structures", "cardiac substructures"]),
    ("brain_parts", "Parts of the brain", BRAIN, ["brain structures", "brain parts", "parts of the brain", "all brain structures", "brain regions"]),
    ("whole_body", "Whole body", [*HEAD[:1], "spinal cord", "thyroid", *THORAX, *ABDOMEN, *PELVIS, *VESSELS, *BONES, *MUSCLES], ["whole body", "all organs", "everything", "all structures", "full body", "total body", "ganzkörper", "alle organe", "tous les organes", "todos los órganos", "tutti gli organi", "全身", "所有器官", "全臓器"]),
]  # fmt: skip


def oar_set(row: dict[str, Any]) -> dict[str, Any]:
    """Return an OAR template: what the model has, what it has roughly, what it lacks."""
    entries = []
    for entry in row["structures"]:
        relation = {"exact": "exact", "composite": "parts", "none": "none", "derived": "none"}.get(
            entry["relation"], "broader"
        )
        entries.append(
            {
                "output": entry["tg263"],
                "prompts": entry["classes"],
                "core": entry["tier"] == "core",
                "relation": relation,
                "note": entry["note"] or "",
            }
        )
    return {
        "id": f"oar_{row['id']}",
        "label": f"Organs at risk: {row['label']}",
        "sites": SITES[row["id"]],
        "phrases": [],
        "entries": entries,
    }


def general_set(identifier: str, label: str, names: list[str], phrases: list[str]) -> dict[str, Any]:
    """Return a general set: every structure under its own name."""
    entries = [
        {"output": n, "prompts": [n], "core": True, "relation": "exact", "note": ""}
        for n in dict.fromkeys(names)
    ]
    return {"id": identifier, "label": label, "sites": [], "phrases": phrases, "entries": entries}


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("facts", type=Path)
    rows = json.loads((parser.parse_args().facts / "oar_templates.json").read_text(encoding="utf-8"))[
        "templates"
    ]
    templates = [oar_set(row) for row in rows] + [general_set(*row) for row in SETS]
    lines = ",\n".join(json.dumps(template, ensure_ascii=False) for template in templates)
    OUTPUT.write_text(f'{{"templates": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
