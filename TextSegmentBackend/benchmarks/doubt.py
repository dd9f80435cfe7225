"""Measure how well doubt finds wrong masks, on labelled scans of a folder.

Every image is segmented with every prompt that the model offers and that is known to be in the image or not
to be there. Results are kept in a file for each image, so that the command goes on where it was stopped.

    python benchmarks/doubt.py measure SCANS -o RESULTS [--model sat-demo] [--check]
    python benchmarks/doubt.py table RESULTS [--trained tools/demo_dataset.json]
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from doubt_scans import LabelledImage, people, read_set
from doubt_table import print_tables, read_rows

from textsegment.effort import Effort
from textsegment.inference.engine import LocalSegmenter
from textsegment.segmentation import StructureMask

SET = Path(__file__).parent / "data" / "doubt_scans.json"


def main() -> None:
    """Run one of the two commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser("measure")
    measuring.add_argument("scans", type=Path)
    measuring.add_argument("-o", "--results", type=Path, required=True)
    measuring.add_argument("--set", type=Path, default=SET)
    measuring.add_argument("--model", default="sat-demo")
    measuring.add_argument("--check", action="store_true", help="also compute the shifted image")
    measuring.add_argument("--only", default="", help="images whose name contains this")
    table = commands.add_parser("table")
    table.add_argument("results", type=Path)
    table.add_argument("--set", type=Path, default=SET)
    table.add_argument("--trained", type=Path, help="description of what the model was trained on")
    arguments = parser.parse_args()
    if arguments.command == "measure":
        measure(arguments)
        return
    print_tables(read_rows(arguments.results), trained_people(arguments.trained, arguments.set))


def measure(arguments: argparse.Namespace) -> None:
    """Segment all images, and write what was measured."""
    arguments.results.mkdir(parents=True, exist_ok=True)
    segmenter = LocalSegmenter(arguments.model, device="cpu")
    for name, read in read_set(arguments.set, arguments.scans):
        target = arguments.results / (name.replace("/", "_").replace(" ", "_") + ".json")
        if target.exists() or arguments.only not in name:
            continue
        begin = time.perf_counter()
        rows = measure_image(segmenter, read(), Effort(check=arguments.check))
        target.write_text(json.dumps(rows))
        print(f"{name}: {len(rows)} masks, {time.perf_counter() - begin:.1f} s", flush=True)


def measure_image(segmenter: LocalSegmenter, image: LabelledImage, effort: Effort) -> list[dict[str, Any]]:
    """Segment one image, and return a row for each structure of which something is known."""
    offered = segmenter.info().structures[image.volume.modality]
    asked = [name for name in offered if name in image.truth or name in image.absent]
    if not asked:
        return []
    result = segmenter.segment(image.volume, asked, effort=effort)
    about = {
        "image": image.name,
        "person": image.person,
        "is_changed": image.is_changed,
        "modality": image.volume.modality,
        "codes": [getattr(warning, "code", "said") for warning in result.warnings],
        "weights": result.provenance["weights_sha256"],
    }
    return [about | row_of(mask, image) for mask in result]


def row_of(mask: StructureMask, image: LabelledImage) -> dict[str, Any]:
    """Return the statistics of a mask, and its Dice; 0 for what is not in the image."""
    truth = image.truth.get(mask.structure)
    row: dict[str, Any] = {"structure": mask.structure, **asdict(mask.statistics)}
    row["is_absent"] = truth is None
    row["dice"] = 0.0
    if truth is not None:
        common = np.count_nonzero(truth[mask.box.slices] & mask.mask)
        row["dice"] = float(2 * common / (np.count_nonzero(truth) + mask.statistics.voxel_count))
    return row


def trained_people(description: Path | None, images: Path) -> frozenset[str]:
    """Return the people whose scans are in the description of a training."""
    if description is None:
        return frozenset()
    person = people(images)
    cases = json.loads(description.read_text(encoding="utf-8"))["cases"]
    return frozenset(person[case["image"]] for case in cases if case["image"] in person)


if __name__ == "__main__":
    main()
