"""Measure what tidying does to the masks of a model: Dice before and after, over labelled scans.

    python tools/evaluate_tidy.py SCANS_FOLDER [--model sat-demo] [--description DATASET.json ...]

The scans are those of the descriptions (by default the demo model's, trained on and held out) that are in the
folder; what is missing is named. Prints Markdown: one line for each structure, then all pairs of image and
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
from numpy.typing import NDArray

from textsegment.derive.tidy import tidy
from textsegment.derive.tidy_segment import segment_tidily
from textsegment.files.reading import read_volume
from textsegment.geometry import Geometry
from textsegment.inference.engine import LocalSegmenter
from textsegment.inference.image.canonical import resample
from textsegment.training.dataset import CaseDescription, DatasetDescription, read_description
from textsegment.volume import Volume

DESCRIPTIONS = [Path(__file__).with_name(name) for name in ("demo_held_out.json", "demo_dataset.json")]
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
    parser.add_argument("scans", type=Path)
    parser.add_argument("--description", type=Path, action="append")
    parser.add_argument("--model", default="sat-demo")
    arguments = parser.parse_args()
    segmenter = LocalSegmenter(arguments.model)
    pairs: list[Pair] = []
    for path in arguments.description or DESCRIPTIONS:
        data = read_description(path, arguments.scans)
        for case in data.cases:
            if case.image.exists() and case.labels.exists():
                pairs += evaluate(case, data, segmenter)
            else:
                print(f"Not there: {case.image.relative_to(arguments.scans)} with its labels.")
    print_tables(pairs)


def evaluate(case: CaseDescription, data: DatasetDescription, segmenter: LocalSegmenter) -> Iterator[Pair]:
    """Yield the pairs of one image, for structures of which its labels show something."""
    volume = read_volume(case.image, modality=case.modality)
    truth = drawn_masks(case, data, volume)
    raw, _ = segment_tidily(segmenter, volume, segmenter.info().structures[case.modality])
    begun = time.perf_counter()
    tidied = tidy(raw, modality=case.modality, voxels=volume.voxels)
    seconds = time.perf_counter() - begun
    print(f"{case.image.parent.name}: {len(raw)} masks of {volume.geometry.spatial_shape}, {seconds:.2f} s")
    for name, drawn in truth.items():
        before, after = raw.full_mask(name), tidied.full_mask(name)
        said = "; ".join(tidied[name].warnings) if tidied[name].origin.tidied else ""
        structure = f"{name} ({case.modality})"
        yield Pair(case.image.parent.name, structure, dice(drawn, before), dice(drawn, after), said)


def drawn_masks(
    case: CaseDescription, data: DatasetDescription, image: Volume
) -> dict[str, NDArray[np.bool_]]:
    """Return the masks of the model's structures that the scan's labels show, unions included."""
    on_grid = labels_on_grid(read_volume(case.labels, modality=case.modality), image.geometry)
    truth = {
        name: np.isin(on_grid, [number for number, drawn in case.names.items() if drawn == name])
        for name in dict.fromkeys(case.names.values())
    }
    for group, parts in data.groups.items():
        drawn = [part for part in parts if part in truth]
        if len(drawn) > 1:
            truth[group] = np.any([truth[part] for part in drawn], axis=0)
    offered = {name for name, modality in set(data.prompts) - data.hidden if modality == case.modality}
    return {name: mask for name, mask in truth.items() if mask.any() and name in offered}


def labels_on_grid(labels: Volume, geometry: Geometry) -> NDArray[np.int32]:
    """Resample a label map to another grid (nearest neighbor); unchanged if the grids are the same."""
    numbers = labels.voxels.astype(np.int32)
    if numbers.shape == geometry.spatial_shape and np.allclose(
        labels.geometry.affine, geometry.affine, atol=1e-3
    ):
        return numbers
    matrix = np.linalg.inv(labels.geometry.affine) @ geometry.affine
    return resample(numbers, matrix, geometry.spatial_shape, order=0, dtype=np.int32, outside="zero")


def dice(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return the Dice coefficient of two masks of the same shape."""
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


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
