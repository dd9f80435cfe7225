"""Measure the accuracy lost with half precision: Dice of every structure of every described scan.

Prints a Markdown table with one row per structure: mean Dice with float32 and with the other precision over
the scans that show it, the largest loss in one scan, and the worst agreement (Dice of the two masks).

    python tools/compare_precisions.py tools/demo_dataset.json SCANS_FOLDER --precision bf16
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from evaluate_demo import dice, drawn_masks

from textsegment.files.reading import read_volume
from textsegment.inference.engine import LocalSegmenter
from textsegment.training.dataset import read_description


def main() -> None:
    """Evaluate both precisions and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("description", type=Path)
    parser.add_argument("scans", type=Path)
    parser.add_argument("--model", default="sat-demo")
    parser.add_argument("--precision", default="bf16")
    arguments = parser.parse_args()
    data = read_description(arguments.description, arguments.scans)
    engines = [
        LocalSegmenter(arguments.model, precision=precision) for precision in ("fp32", arguments.precision)
    ]
    rows: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for case in data.cases:
        if not (case.image.exists() and case.labels.exists()):
            print(f"{case.image.parent.name}/{case.image.name}: not there, left out", flush=True)
            continue
        image = read_volume(case.image, modality=case.modality)
        truth = drawn_masks(case, data, image)
        full, half = (engine.segment(image, tuple(truth)) for engine in engines)
        for name, mask in truth.items():
            first, second = full.full_mask(name), half.full_mask(name)
            same = dice(first, second) if first.any() or second.any() else 1.0
            rows[f"{name} ({case.modality})"].append((dice(mask, first), dice(mask, second), same))
        print(
            f"{case.image.parent.name}/{case.image.name} ({case.modality}): {len(truth)} structures",
            flush=True,
        )
    print(f"\n| structure | scans | fp32 | {arguments.precision} | largest loss | least agreement |")
    print("|---|---|---|---|---|---|")
    for name, scores in sorted(rows.items(), key=lambda row: -max(a - b for a, b, _ in row[1])):
        first, second, _ = np.mean(scores, axis=0)
        loss, least = max(a - b for a, b, _ in scores), min(same for *_, same in scores)
        print(f"| {name} | {len(scores)} | {first:.3f} | {second:.3f} | {loss:.4f} | {least:.4f} |")


if __name__ == "__main__":
    main()
