"""Evaluate the demo model through the command line: Dice of every structure of every described scan.

Each scan is segmented by ``textsegment segment`` into NIfTI files, which are compared with the labels on the
grid of the scan. Prints a Markdown table, the mean for each scan, and the mean over all structures.

    python tools/evaluate_demo.py tools/demo_dataset.json SCANS_FOLDER
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from textsegment.files.reading import read_volume
from textsegment.geometry import Geometry
from textsegment.inference.image.canonical import resample
from textsegment.training.dataset import CaseDescription, DatasetDescription, read_description
from textsegment.volume import Volume


def main() -> None:
    """Evaluate all scans and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("description", type=Path)
    parser.add_argument("scans", type=Path)
    parser.add_argument("--model", default="sat-demo")
    arguments = parser.parse_args()
    data = read_description(arguments.description, arguments.scans)
    every: dict[str, list[float]] = defaultdict(list)
    for case in data.cases:
        scores = evaluate(case, data, arguments.model)
        print(f"\n**{case.image.parent.name}/{case.image.name}** ({case.modality}), ", end="")
        print(f"mean of {len(scores)} structures: {np.mean(list(scores.values())):.3f}\n")
        print("| structure | Dice |\n|---|---|")
        for structure, score in sorted(scores.items(), key=lambda item: -item[1]):
            print(f"| {structure} | {score:.3f} |")
            every[f"{structure} ({case.modality})"].append(score)
        sys.stdout.flush()
    means = {name: float(np.mean(scores)) for name, scores in every.items()}
    print(f"\nMean Dice over {len(means)} structures: {np.mean(list(means.values())):.3f}")


def evaluate(case: CaseDescription, data: DatasetDescription, model: str) -> dict[str, float]:
    """Return the Dice of each structure of the model that the scan's labels show, unions included."""
    truth = drawn_masks(case, data, read_volume(case.image, modality=case.modality))
    with tempfile.TemporaryDirectory() as folder:
        segment(case, tuple(truth), model, Path(folder) / "masks")
        return {
            name: dice(mask, read_volume(Path(folder) / "masks" / file_name(name), modality="CT").voxels > 0)
            for name, mask in truth.items()
        }


def drawn_masks(
    case: CaseDescription, data: DatasetDescription, image: Volume
) -> dict[str, NDArray[np.bool_]]:
    """Return the masks of the model's structures that the scan's labels show, unions included."""
    labels = read_volume(case.labels, modality=case.modality)
    on_grid = labels_on_grid(labels, image.geometry)
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


def file_name(structure: str) -> str:
    """Return the name of the NIfTI file that the command line writes for a structure."""
    return structure.replace(" ", "_") + ".nii.gz"


def segment(case: CaseDescription, structures: tuple[str, ...], model: str, folder: Path) -> None:
    """Run the command line, which writes one NIfTI file per structure."""
    program = str(Path(sys.executable).with_name("textsegment"))
    command = [program, "segment", str(case.image), ", ".join(structures)]
    options = ["--modality", case.modality, "--model", model, "--quiet", "-o", f"{folder}/"]
    subprocess.run([*command, *options], check=True)


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


if __name__ == "__main__":
    main()
