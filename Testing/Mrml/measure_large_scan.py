"""Measures how long a large scan blocks the GUI thread, and how much memory results take.

    PYTHONPATH=Testing/SlicerHost:Testing/Mrml/support:TextSegment python Testing/Mrml/measure_large_scan.py

Prints the processor time of this thread beside the wall time: the difference is spent waiting for the worker
or for other programs. The second part uses a hundred segments whose label maps Slicer has merged into one, as
it does when a scene is saved; each step should take less than 100 ms there.
"""

import time

import numpy as np
from slicer_host import scene

SHAPE_KJI = (600, 512, 512)
STRUCTURES = 12
LAID_TOGETHER_KJI = (300, 512, 512)
SEGMENTS = 100
GOAL_MS = 100


def timed(what, function):
    """Calls a function and prints how long it took."""
    wall, cpu = time.perf_counter(), time.thread_time()
    result = function()
    show(what, time.perf_counter() - wall, time.thread_time() - cpu)
    return result


def show(what, wall_s, cpu_s):
    """Prints one line of the report."""
    print(f"{what:40s} {1000 * wall_s:7.1f} ms, of which this thread computed {1000 * cpu_s:6.1f} ms")


def run_to_the_end(run):
    """Returns the processor and wall time of the longest step in seconds, and the number of steps."""
    steps = []
    while run.is_active:
        wall, cpu = time.perf_counter(), time.thread_time()
        run.process_events()
        steps.append((time.thread_time() - cpu, time.perf_counter() - wall))
        time.sleep(0.02)
    return (*max(steps), len(steps))


def add_volume(shape_kji):
    """Adds a volume of noise to the scene."""
    import slicer.util

    voxels_kji = np.random.default_rng(0).integers(-1000, 2000, shape_kji, dtype=np.int16)
    return slicer.util.addVolumeFromArray(voxels_kji, name="CT")


def measure_run():
    """Measures a run on noise, with a segmenter that finds balls as large as organs."""
    from cases import LABELMAP
    from textsegment.testing import FakeSegmenter
    from textsegment.vocabulary.structures import known_in
    from TextSegmentLib.logic import TextSegmentLogic

    node = add_volume(SHAPE_KJI)
    logic = TextSegmentLogic()
    timed("guess the modality", lambda: logic.guess_modality(node))
    structures = [name for name in known_in("CT") if name != "spleen"][:STRUCTURES]
    run = timed("start", lambda: logic.start(node, structures, modality="CT", segmenter=FakeSegmenter()))
    cpu, wall, count = run_to_the_end(run)
    show(f"longest of {count} steps", wall, cpu)
    segmentation = run.segmentation_node.GetSegmentation()
    images = [segmentation.GetNthSegment(n).GetRepresentation(LABELMAP) for n in range(STRUCTURES)]
    sizes = [image.GetPointData().GetScalars().GetDataSize() for image in images]
    whole = np.prod(SHAPE_KJI)
    print(f"{STRUCTURES} label maps: {sum(sizes) / 1e6:.0f} MB; uncut {STRUCTURES * whole / 1e6:.0f} MB")
    print(f"ratio {sum(sizes) / (STRUCTURES * whole):.3f}; the scan itself has {2 * whole / 1e6:.0f} MB")
    timed("undo", run.undo)


def measure_laid_together():
    """Measures the panel's work on a hundred segments that share one image; returns the longest step."""
    import slicer
    from cases import Blocks
    from textsegment.vocabulary.structures import known_in
    from TextSegmentLib.logic import TextSegmentLogic
    from TextSegmentLib.scene.results.results import Results

    longest_ms = 0.0

    def step(what, function):
        nonlocal longest_ms
        wall = time.perf_counter()
        result = timed(what, function)
        longest_ms = max(longest_ms, 1000 * (time.perf_counter() - wall))
        return result

    def look(results):
        longest, began, count = 0.0, time.perf_counter(), 0
        while True:
            wall = time.perf_counter()
            more = results.look()
            longest, count = max(longest, time.perf_counter() - wall), count + 1
            if not more:
                break
            time.sleep(0.02)
        seconds = time.perf_counter() - began
        print(f"  edits were known after {seconds:.2f} s; longest of {count} looks {1000 * longest:.1f} ms")
        nonlocal longest_ms
        longest_ms = max(longest_ms, 1000 * longest)

    node = add_volume(LAID_TOGETHER_KJI)
    structures = known_in("CT")[:SEGMENTS]
    run = TextSegmentLogic().start(node, structures, modality="CT", segmenter=Blocks((60, 60, 60)))
    run_to_the_end(run)
    segmentation_node = run.segmentation_node
    segmentation_node.GetSegmentation().CollapseBinaryLabelmaps(False)
    layers = segmentation_node.GetSegmentation().GetNumberOfLayers()
    print(f"\n{SEGMENTS} segments in {LAID_TOGETHER_KJI[::-1]} voxels, {layers} image(s)")
    results = step("choose the segmentation", lambda: Results(node, segmentation_node))
    step("its rows", lambda: results.rows)
    look(results)
    step("enter the module: rows", lambda: results.rows)
    step("enter the module: look", results.look)
    segmentation_node.GetSegmentation().GetNthSegment(0).GetRepresentation("Binary labelmap").Modified()
    look(results)
    step("accept one", lambda: results.accept(results.rows[0]))
    step("delete one", lambda: results.delete(results.rows[1]))
    look(results)
    steps = results.undo_in_steps()
    count = 0
    while step(f"undo all but one, step {count + 1}", lambda: next(steps, "over")) is None:
        count += 1
    left = segmentation_node.GetSegmentation().GetNumberOfSegments()
    print(f"{left} segment(s) left; longest step {longest_ms:.0f} ms, goal {GOAL_MS} ms")
    slicer.mrmlScene.Clear(False)
    return longest_ms


def main():
    """Runs both measurements."""
    scene.boot()
    measure_run()
    measure_laid_together()


if __name__ == "__main__":
    main()
