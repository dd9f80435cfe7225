"""Measures how long the correction of a segment in a large scan keeps the GUI thread.

    PYTHONPATH=Testing/SlicerHost:Testing/Mrml/support:TextSegment python Testing/Mrml/measure_correction.py

A scan of 512 × 512 × 300 voxels; segments of the size of a liver, and of a box as large as that of a colon,
each in a label map of its own, and then with all label maps merged into one, as Slicer does when a scene is
saved. Three slices are drawn anew, the edits applied, shown, taken and undone. Prints the processor time of
this thread beside the wall time: the difference is spent waiting for the worker or for other programs. Each
step should take less than 100 ms.
"""

import sys
import time

import numpy as np
from measure_large_scan import GOAL_MS, add_volume, run_to_the_end, show, timed
from slicer_host import scene

SHAPE_KJI = (300, 512, 512)
# The longest step so far in milliseconds of processor time, and what it was.
longest = (0.0, "")


def step(what, function):
    """Calls a function of the GUI thread, prints how long it took, and remembers the longest."""
    global longest
    cpu = time.thread_time()
    result = timed(what, function)
    longest = max(longest, (1000 * (time.thread_time() - cpu), what))
    return result


def steps_of(what, run):
    """Runs to the end, and remembers the longest step."""
    global longest
    cpu, wall, count = run_to_the_end(run)
    show(f"{what}, longest of {count} steps", wall, cpu)
    longest = max(longest, (1000 * cpu, what))


def looks(results):
    """Lets the results look for edits until they know."""
    global longest
    while True:
        cpu = time.thread_time()
        more = results.look()
        longest = max(longest, (1000 * (time.thread_time() - cpu), "look for edits"))
        if not more:
            return
        time.sleep(0.02)


def draw(run, segment_id, slices):
    """Erases a rim of some slices, in the label map itself, as a brush does."""
    from cases import LABELMAP
    from vtk.util import numpy_support

    segment = run.segmentation_node.GetSegmentation().GetSegment(segment_id)
    image = segment.GetRepresentation(LABELMAP)
    i, j, k = image.GetDimensions()
    voxels_kji = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(k, j, i)
    own = voxels_kji == segment.GetLabelValue()
    there = np.flatnonzero(own.any(axis=(1, 2)))
    for share in slices:
        at = there[int(share * (len(there) - 1))]
        first = np.flatnonzero(own[at].any(axis=0))[0]
        taken_away = own[at].copy()
        taken_away[:, first + 6 :] = False
        voxels_kji[at][taken_away] = 0
    image.Modified()
    segment.Modified()


def measure(run, segment_id):
    """Measures one correction, from the click to the undo."""
    from textsegment.testing import FakeSegmenter
    from TextSegmentLib.correction.correcting import CorrectionOrder
    from TextSegmentLib.correction.correction_run import CorrectionRun
    from TextSegmentLib.correction.edited_segment import EditedSegment
    from TextSegmentLib.correction.preview import Preview
    from TextSegmentLib.correction.taking import take_over
    from TextSegmentLib.scene.volume_node import read_volume_node

    results, volume_node, node = run.results, run.volume_node, run.segmentation_node
    draw(run, segment_id, (0.3, 0.5, 0.7))
    looks(results)
    step("rows", lambda: results.rows)
    edited = step("apply: capture the segment", lambda: EditedSegment.take(node, volume_node, segment_id))
    source = step("apply: capture the image", lambda: read_volume_node(volume_node))
    order = CorrectionOrder(edited, "CT")
    correction = step("apply: start", lambda: CorrectionRun(source, results, order, FakeSegmenter()))
    steps_of("wait for the engine", correction)
    if correction.error is not None:
        raise correction.error
    preview = step("show the preview", lambda: Preview(node, volume_node, correction.outcome))
    step("blink", lambda: preview.show(False))
    step("close the preview", preview.close)
    step(
        "take it",
        lambda: take_over(results.history, volume_node, edited, correction.outcome, correction.model, "CT"),
    )
    looks(results)
    undone = results.history.undo()
    while step("undo", lambda: next(undone, None)) is not None:
        pass
    looks(results)


def main():
    """Measures corrections of small and large segments, apart and merged."""
    scene.boot()
    from cases import Blocks
    from TextSegmentLib.logic import TextSegmentLogic

    node = add_volume(SHAPE_KJI)
    for name, size in (("liver", (220, 190, 130)), ("colon", (300, 260, 200))):
        for merged in (False, True):
            run = TextSegmentLogic().start(node, [name, "aorta"], modality="CT", segmenter=Blocks(size))
            run_to_the_end(run)
            looks(run.results)
            segmentation = run.segmentation_node.GetSegmentation()
            if merged:
                segmentation.CollapseBinaryLabelmaps(True)
            print(f"\n{name}, {'merged' if merged else 'apart'}: {segmentation.GetNumberOfLayers()} layer(s)")
            measure(run, segmentation.GetSegmentIdBySegmentName(name))
    milliseconds, what = longest
    print(f"\nlongest step: {what}, {milliseconds:.0f} ms of processor time; goal {GOAL_MS} ms")
    return int(milliseconds > GOAL_MS)


if __name__ == "__main__":
    sys.exit(main())
