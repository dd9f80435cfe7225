"""Write ``vocabulary/data/tg263.json``: TG-263 names and the matching structures of the model.

    python tools/build_tg263.py FACTS_FOLDER

``FACTS_FOLDER`` holds ``tg263_map.json``: the names in the PyPI package ``tg263`` 0.2.0, mapped by hand.
Relations: ``exact``, ``composite`` (the union of the structures), ``broader``, ``narrower``, ``overlaps``
(the model has something else: ask), ``derived`` (a volume made from others), ``none``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

OUTPUT = Path(__file__).parents[1] / "src/textsegment/vocabulary/data/tg263.json"
DERIVED = {"PTV", "CTV", "GTV", "ITV", "Boost", "IDL", "Eval", "TumorBed", "Postop", "Preop"}
ASK = {"context": "overlaps", "broader_or_overlaps": "overlaps"}


def main() -> None:
    """Write ``tg263.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("facts", type=Path)
    rows = json.loads((parser.parse_args().facts / "tg263_map.json").read_text(encoding="utf-8"))["map"]
    names = {}
    for row in sorted(rows, key=lambda r: r["tg263"]):
        relation = ASK.get(row["relation"], row["relation"])
        if row["tg263"] in DERIVED:
            relation = "derived"
        description = row["description"].strip() if isinstance(row["description"], str) else ""
        names[row["tg263"]] = [relation, row["classes"]]
        if relation == "none" and len(description.split()) < 5 and description not in ("", "nan"):
            names.setdefault(description, ["none", []])
    lines = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in names.items())
    OUTPUT.write_text(f'{{"names": {{\n{lines}\n}}}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
