"""Measure how long connected parts and tidying take on masks of a large scan (512 × 512 × 300).

    python benchmarks/tidy.py

Prints the seconds for each shape, beside SciPy's ``ndimage.label`` with the same neighbourhood.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from scipy import ndimage

from textsegment.derive.components import connected_parts
from textsegment.derive.tidy import tidy
from textsegment.geometry import Geometry
from textsegment.segmentation import Segmentation, StructureMask

SHAPE = (512, 512, 300)


def main() -> None:
    """Measure and print."""
    x, y, z = np.ogrid[:512, :512, :300]
    organ = (x - 256) ** 2 + (y - 256) ** 2 + ((z - 150) * 1.2) ** 2 < 130**2
    random = np.random.default_rng(0)
    noise = ndimage.gaussian_filter(random.normal(size=SHAPE).astype(np.float32), 4)
    shapes = {
        "an organ": organ,
        "an organ and 130,000 specks": organ | (random.random(SHAPE) < 0.002),
        "5,000 blobs": noise > 0.04,
        "a network of half the image": noise > 0,
    }
    print("| mask | ml | parts, s | SciPy, s | tidied, s |\n|---|---|---|---|---|")
    for name, whole in shapes.items():
        grid = Geometry(SHAPE, np.diag([-0.8, -0.8, 1.0, 1.0]))
        mask = StructureMask.measured("left lung", whole, grid)
        raw = Segmentation(grid, (mask,), {"midline_mm": -200.0})
        seconds = (
            timed(lambda cut=mask.mask: connected_parts(cut)),
            timed(lambda cut=mask.mask: ndimage.label(cut, np.ones((3, 3, 3)))),
            timed(lambda given=raw: tidy(given)),
        )
        figures = " | ".join(f"{each:.2f}" for each in seconds)
        print(f"| {name} | {mask.statistics.volume_ml:,.0f} | {figures} |")


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
