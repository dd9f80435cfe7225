"""Time of a correction beside a warm engine, on a scan of 512×512×300 voxels.

    python benchmarks/correct_speed.py
    python benchmarks/correct_speed.py --runs 20 --structure "left lung"

The scan is 3D Slicer's CTChest sample, interpolated to that grid, with noise of 20 HU. ``sat-demo`` segments
the structure once; then in each run another axial slice of it counts as drawn, with a bulge of 5 mm, and is
carried to the rest of the image. Printed are wall and processor time of ``correct`` (median and
95th percentile, after a first correction, which imports scikit-learn) and a digest of the masks. On a busy
machine the processor time is the one to look at.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import time
from importlib.resources import files
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_dilation, zoom

from textsegment.correction import Edit
from textsegment.files.reading import read_volume
from textsegment.geometry import Geometry
from textsegment.inference.engine import LocalSegmenter
from textsegment.volume import Volume

SHAPE = (512, 512, 300)
SPACING = (0.75, 0.75, 1.0)
AXIAL = 2


def large_scan() -> Volume:
    """Return the sample scan on a grid of 512×512×300 voxels."""
    sample = read_volume(Path(str(files("slicerio") / "data" / "CTChest4.nrrd")), modality="CT")
    factors = [n / m for n, m in zip(SHAPE, sample.voxels.shape, strict=True)]
    voxels = zoom(sample.voxels.astype(np.float32), factors, order=1, mode="nearest", grid_mode=True)
    voxels += np.random.default_rng(0).normal(0, 20, SHAPE).astype(np.float32)
    affine = np.diag([*SPACING, 1.0])
    affine[:3, 3] = sample.geometry.affine[:3, 3]
    whole = np.asfortranarray(np.clip(np.rint(voxels), -1024, 3000).astype(np.int16))
    return Volume(whole, Geometry(SHAPE, affine), "CT")


def main() -> None:
    """Run the corrections, and print their times."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="sat-demo")
    parser.add_argument("--structure", default="liver")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--runs", type=int, default=12)
    arguments = parser.parse_args()
    volume = large_scan()
    segmenter = LocalSegmenter(arguments.model, device="cpu", threads=arguments.threads)
    base = segmenter.segment(volume, [arguments.structure])[arguments.structure]
    whole = base.full(SHAPE)
    places = np.linspace(base.box.start[AXIAL] + 1, base.box.stop[AXIAL] - 2, arguments.runs).astype(int)
    walls, processors, digest = [], [], hashlib.sha256()
    for number, place in enumerate([int(places[0]), *places.tolist()]):
        drawn = whole.copy()
        drawn[:, :, place] = binary_dilation(whole[:, :, place], iterations=7)
        edit = Edit.slice_of(drawn, AXIAL, place)
        wall, processor = time.perf_counter(), time.process_time()
        found = segmenter.correct(volume, edits=[edit], base=base, prompt=arguments.structure)
        if number == 0:
            continue
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
        digest.update(np.ascontiguousarray(found.mask))
    print(f"{arguments.model}, {arguments.structure}, {'×'.join(map(str, SHAPE))} voxels, ", end="")
    print(f"{arguments.threads} threads, {arguments.runs} runs, load {os.getloadavg()[0]:.1f}\n")
    print("| seconds | median | 95th percentile |\n|---|---|---|")
    for name, seconds in (("wall", walls), ("processor", processors)):
        print(f"| {name} | {np.median(seconds):.2f} | {np.percentile(seconds, 95):.2f} |")
    print(f"\nmasks {digest.hexdigest()[:12]}")


if __name__ == "__main__":
    main()
