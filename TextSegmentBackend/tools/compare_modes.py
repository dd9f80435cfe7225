"""Measure the accuracy lost with half precision or in the fast mode: Dice of every structure drawn.

Prints, for each scan, the patches of both ways, and a Markdown table with one row per structure: mean Dice
with float32 and with the other mode over the scans that show it, the largest loss in one scan, and the worst
agreement (Dice of the two masks).

    textsegment data prepare tools/demo_dataset.json --scans SCANS_FOLDER --model sat-demo -o SET
    python tools/compare_modes.py SET --mode bf16
    python tools/compare_modes.py SET --mode fast
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from textsegment.compare.metrics import dice
from textsegment.datasets.data_set import DataSet
from textsegment.effort import Effort
from textsegment.inference.engine import LocalSegmenter
from textsegment.segmentation import Segmentation
from textsegment.segmenter import Estimated, Event
from textsegment.volume import Volume


def main() -> None:
    """Evaluate both modes and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("set", type=Path)
    parser.add_argument("--model", default="sat-demo")
    parser.add_argument("--mode", default="bf16", choices=["bf16", "fp16", "fast"])
    arguments = parser.parse_args()
    is_fast = arguments.mode == "fast"
    other_precision = "fp32" if is_fast else arguments.mode
    engines = [
        (LocalSegmenter(arguments.model, precision="fp32"), Effort()),
        (LocalSegmenter(arguments.model, precision=other_precision), Effort(fast=is_fast)),
    ]
    rows: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    offered = engines[0][0].info().structures
    for case in DataSet(arguments.set):
        image = case.volume()
        truth = {name: case.mask(name) for name in case.structures if name in offered.get(case.modality, ())}
        if not truth:
            continue
        patches: list[int] = []
        full, other = (_segmented(engine, image, tuple(truth), effort, patches) for engine, effort in engines)
        for name, mask in truth.items():
            first, second = full.full_mask(name), other.full_mask(name)
            rows[f"{name} ({case.modality})"].append(
                (dice(first, mask), dice(second, mask), dice(first, second))
            )
        print(
            f"{case.sample_id} ({case.modality}): {len(truth)} structures, "
            f"{patches[0]} and {patches[1]} patches",
            flush=True,
        )
    print(f"\n| structure | scans | fp32 | {arguments.mode} | largest loss | least agreement |")
    print("|---|---|---|---|---|---|")
    for name, scores in sorted(rows.items(), key=lambda row: -max(a - b for a, b, _ in row[1])):
        first, second, _ = np.mean(scores, axis=0)
        loss, least = max(a - b for a, b, _ in scores), min(same for *_, same in scores)
        print(f"| {name} | {len(scores)} | {first:.3f} | {second:.3f} | {loss:.4f} | {least:.4f} |")


def _segmented(
    engine: LocalSegmenter, image: Volume, structures: tuple[str, ...], effort: Effort, patches: list[int]
) -> Segmentation:
    def on_event(event: Event) -> None:
        if isinstance(event, Estimated):
            patches.append(event.patches)

    return engine.segment(image, structures, effort=effort, on_event=on_event)


if __name__ == "__main__":
    main()
