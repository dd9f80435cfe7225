"""Measure what tidying does to the masks of a model: Dice before and after, over labelled scans.

    textsegment data prepare tools/demo_held_out.json --scans SCANS_FOLDER --model sat-demo -o SET
    python tools/evaluate_tidy.py SET... [--model sat-demo]

Prints Markdown: one line for each structure, then all pairs of image and
structure that changed, then the sums. A pair counts as better or worse from a difference of 0.005 on.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from textsegment.compare.metrics import dice
from textsegment.datasets.case import LabelledCase
from textsegment.datasets.data_set import DataSet
from textsegment.derive.tidy import tidy
from textsegment.derive.tidy_segment import segment_tidily
from textsegment.inference.engine import LocalSegmenter

NOTABLE = 0.005


class Pair(NamedTuple):
    """Dice coefficients of a structure in an image."""

    image: str
    structure: str
    raw: float
    tidy: float
    said: str

    @property
    def gain(self) -> float:
        """Difference that tidying made."""
        return self.tidy - self.raw


def main() -> None:
    """Evaluate all scans and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sets", type=Path, nargs="+")
    parser.add_argument("--model", default="sat-demo")
    arguments = parser.parse_args()
    segmenter = LocalSegmenter(arguments.model)
    pairs = [pair for path in arguments.sets for case in DataSet(path) for pair in evaluate(case, segmenter)]
    print_tables(pairs)


def evaluate(case: LabelledCase, segmenter: LocalSegmenter) -> Iterator[Pair]:
    """Yield the pairs of one image, for structures of which its labels show something."""
    volume = case.volume()
    offered = segmenter.info().structures[case.modality]
    raw, _ = segment_tidily(segmenter, volume, offered)
    begun = time.perf_counter()
    tidied = tidy(raw, modality=case.modality, voxels=volume.voxels)
    seconds = time.perf_counter() - begun
    print(f"{case.sample_id}: {len(raw)} masks of {volume.geometry.spatial_shape}, {seconds:.2f} s")
    for name in (each for each in case.structures if each in offered):
        known = case.known(name, volume.geometry)
        drawn = case.mask(name) & known
        before, after = raw.full_mask(name) & known, tidied.full_mask(name) & known
        said = "; ".join(tidied[name].warnings) if tidied[name].origin.tidied else ""
        structure = f"{name} ({case.modality})"
        yield Pair(case.sample_id, structure, dice(drawn, before), dice(drawn, after), said)


def print_tables(pairs: list[Pair]) -> None:
    """Print the means by structure, the pairs that changed, and the sums."""
    print("\n| structure | images | raw | tidy | better | worse |\n|---|---|---|---|---|---|")
    by_structure: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_structure[pair.structure].append(pair)
    for structure, own in sorted(by_structure.items(), key=lambda item: -_mean_gain(item[1])):
        print(f"| {structure} | {len(own)} | {_row(own)} |")
    print(f"| **all pairs** | {len(pairs)} | {_row(pairs)} |")
    print("\n| image | structure | raw | tidy | |\n|---|---|---|---|---|")
    for pair in sorted(pairs, key=lambda pair: -pair.gain):
        if abs(pair.gain) >= NOTABLE:
            print(f"| {pair.image} | {pair.structure} | {pair.raw:.3f} | {pair.tidy:.3f} | {pair.said} |")
    print(f"\nMean gain {_mean_gain(pairs):+.4f} over {len(pairs)} pairs.")


def _row(pairs: list[Pair]) -> str:
    better = sum(pair.gain >= NOTABLE for pair in pairs)
    worse = sum(pair.gain <= -NOTABLE for pair in pairs)
    before, after = np.mean([pair.raw for pair in pairs]), np.mean([pair.tidy for pair in pairs])
    return f"{before:.3f} | {after:.3f} | {better} | {worse}"


def _mean_gain(pairs: list[Pair]) -> float:
    return float(np.mean([pair.gain for pair in pairs]))


if __name__ == "__main__":
    main()
