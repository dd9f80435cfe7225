"""Measures what a large scan costs the thread of the windows, and how much memory results take.

    PYTHONPATH=Testing/SlicerHost:Testing/Mrml/support:TextSegment python Testing/Mrml/measure_large_scan.py

The processor time of this thread is printed beside the time on the wall: the rest is waiting, for the worker
or for other programs.
"""

import time

import numpy as np
from slicer_host import scene

SHAPE_KJI = (600, 512, 512)
STRUCTURES = 12


def timed(what, function):
    """Calls a function and prints how long it took."""
    wall, cpu = time.perf_counter(), time.thread_time()
    result = function()
    show(what, time.perf_counter() - wall, time.thread_time() - cpu)
    return result


def show(what, wall_s, cpu_s):
    """Prints one line."""
    print(f"{what:34s} {1000 * wall_s:7.1f} ms, of which this thread computed {1000 * cpu_s:6.1f} ms")


def main():
    """Measures one run on noise: the segmenter finds balls of an organ's size."""
    scene.boot()
    import slicer.util
    from cases import LABELMAP
    from textsegment.testing import FakeSegmenter
    from textsegment.vocabulary.structures import known_in
    from TextSegmentLib.logic import TextSegmentLogic

    voxels_kji = np.random.default_rng(0).integers(-1000, 2000, SHAPE_KJI, dtype=np.int16)
    node = slicer.util.addVolumeFromArray(voxels_kji, name="CT")
    scan_bytes = voxels_kji.nbytes
    del voxels_kji
    logic = TextSegmentLogic()
    timed("guess the modality", lambda: logic.guess_modality(node))
    structures = [name for name in known_in("CT") if name != "spleen"][:STRUCTURES]
    run = timed("start", lambda: logic.start(node, structures, modality="CT", segmenter=FakeSegmenter()))
    steps = []
    while run.is_active:
        wall, cpu = time.perf_counter(), time.thread_time()
        run.process_events()
        steps.append((time.thread_time() - cpu, time.perf_counter() - wall))
        time.sleep(0.02)
    longest_cpu, its_wall = max(steps)
    show(f"longest of {len(steps)} steps", its_wall, longest_cpu)
    segmentation = run.segmentation_node.GetSegmentation()
    images = [segmentation.GetNthSegment(n).GetRepresentation(LABELMAP) for n in range(STRUCTURES)]
    sizes = [image.GetPointData().GetScalars().GetDataSize() for image in images]
    whole = np.prod(SHAPE_KJI)
    print(f"{STRUCTURES} label maps: {sum(sizes) / 1e6:.0f} MB; uncut {STRUCTURES * whole / 1e6:.0f} MB")
    print(f"ratio {sum(sizes) / (STRUCTURES * whole):.3f}; the scan itself has {scan_bytes / 1e6:.0f} MB")
    timed("undo", run.undo)


if __name__ == "__main__":
    main()
