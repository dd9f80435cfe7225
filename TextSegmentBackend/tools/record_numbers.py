"""Write ``model/data/sat-demo-numbers.json``: what the self-test expects of the packaged weights.

    python tools/record_numbers.py

To be run whenever the weights of the demonstration model change.
"""

from __future__ import annotations

import json
from pathlib import Path

from textsegment.inference.engine import LocalSegmenter
from textsegment.inference.selftest.numbers import known_numbers, plain_logits
from textsegment.inference.selftest.sample import EXPECTED

OUTPUT = Path(__file__).parents[1] / "src/textsegment/model/data/sat-demo-numbers.json"


def main() -> None:
    """Compute and write the numbers."""
    segmenter = LocalSegmenter("sat-demo", device="cpu", precision="fp32")
    queries = segmenter.model.text_encoder.encode([one.structure for one in EXPECTED], "CT").float()
    content = {
        "weights_sha256": segmenter.model.digest,
        "structures": [one.structure for one in EXPECTED],
        "logits": known_numbers(plain_logits(segmenter, queries)),
    }
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content.items())
    OUTPUT.write_text(f"{{{lines}}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
