"""Write ``vocabulary/data/templates.json``: sets of structures for a body site or a purpose.

    python tools/build_templates.py FACTS_FOLDER

``FACTS_FOLDER`` holds ``oar_templates.json`` (customary organs at risk with TG-263 names, from consensus
practice; not reviewed by a radiation oncologist). The general sets, and the terms for the sites, are in
``template_sets.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
OUTPUT = HERE.parent / "src/textsegment/vocabulary/data/templates.json"
RELATIONS = {"exact": "exact", "composite": "parts", "none": "none", "derived": "none"}


def oar_set(row: dict[str, Any], sites: list[str]) -> dict[str, Any]:
    """Return an OAR template: structures that the model has, has approximately, and lacks."""
    entries = [
        {
            "output": entry["tg263"],
            "prompts": entry["classes"],
            "core": entry["tier"] == "core",
            "relation": RELATIONS.get(entry["relation"], "broader"),
            "note": entry["note"] or "",
        }
        for entry in row["structures"]
    ]
    label = f"Organs at risk: {row['label']}"
    return {"id": f"oar_{row['id']}", "label": label, "sites": sites, "phrases": [], "entries": entries}


def general_set(row: dict[str, Any]) -> dict[str, Any]:
    """Return a general set, with every structure under its own name."""
    entries = [
        {"output": name, "prompts": [name], "core": True, "relation": "exact", "note": ""}
        for name in row["structures"]
    ]
    return {
        "id": row["id"],
        "label": row["label"],
        "sites": [],
        "phrases": row["phrases"],
        "entries": entries,
    }


def main() -> None:
    """Write ``templates.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("facts", type=Path)
    facts = json.loads((parser.parse_args().facts / "oar_templates.json").read_text(encoding="utf-8"))
    ours = json.loads((HERE / "template_sets.json").read_text(encoding="utf-8"))
    templates = [oar_set(row, ours["sites"][row["id"]]) for row in facts["templates"]]
    templates += [general_set(row) for row in ours["sets"]]
    lines = ",\n".join(json.dumps(template, ensure_ascii=False) for template in templates)
    OUTPUT.write_text(f'{{"templates": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
