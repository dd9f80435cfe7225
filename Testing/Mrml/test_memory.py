"""Memory use of results and runs: sizes are counted, so the tests are exact."""

import gc
import weakref

import numpy as np
import pytest
from cases import LABELMAP, to_the_end, volume_node
from textsegment.effort import WHOLE_IMAGE
from textsegment.geometry import Box, Geometry
from textsegment.segmentation import MaskStatistics, Segmentation, StructureMask
from textsegment.segmenter import MaskReady, ModelInfo, ignore_events
from textsegment.testing import FakeSegmenter, phantom
from textsegment.vocabulary.structures import known_in
from textsegment.volume import Volume
from TextSegmentLib.logic import TextSegmentLogic


class OrganSized:
    """Segmenter that gives each structure a block of 80 × 70 × 60 voxels."""

    def info(self):
        return ModelInfo("blocks", "0" * 64, "cpu", {"CT": known_in("CT")})

    def segment(self, volume, prompts, *, effort=WHOLE_IMAGE, on_event=ignore_events, cancel=None):
        for number, prompt in enumerate(prompts):
            start = (number * 3, 400 - number * 2, number * 5)
            box = Box(start, (start[0] + 80, start[1] + 70, start[2] + 60))
            mask = np.ones(box.shape, dtype=bool)
            statistics = MaskStatistics(mask.size, 1.0, 0.0, 0.9, False)
            on_event(MaskReady(StructureMask(prompt, box, mask, statistics)))
        return Segmentation(volume.geometry, ())


def bytes_of_labelmaps(node):
    segmentation = node.GetSegmentation()
    images = {
        segmentation.GetNthSegment(n).GetRepresentation(LABELMAP)
        for n in range(segmentation.GetNumberOfSegments())
    }
    return sum(image.GetPointData().GetScalars().GetDataSize() for image in images)


@pytest.mark.slow
def test_a_hundred_structures_in_a_large_scan_cost_a_fifth_of_the_scan():
    shape = (512, 512, 600)
    voxels = np.zeros(shape, dtype=np.int8)
    voxels[0, 0, 0] = 1
    node = volume_node(Volume(voxels, Geometry(shape, np.eye(4)), "CT"))
    del voxels
    run = TextSegmentLogic().start(node, known_in("CT")[:100], modality="CT", segmenter=OrganSized())
    to_the_end(run)
    assert run.error is None
    result = run.segmentation_node
    assert result.GetSegmentation().GetNumberOfSegments() == 100
    assert bytes_of_labelmaps(result) == 100 * 80 * 70 * 60
    assert bytes_of_labelmaps(result) < np.prod(shape) / 4


def test_a_run_that_is_over_holds_no_voxels():
    node = volume_node(phantom((60, 50, 40)))
    voxels = weakref.WeakSet()

    class Watching(FakeSegmenter):
        def segment(self, volume, *arguments, **keywords):
            voxels.add(volume)
            return super().segment(volume, *arguments, **keywords)

    run = TextSegmentLogic().start(node, ["liver"], modality="CT", segmenter=Watching())
    source = weakref.ref(run._source)
    to_the_end(run)
    gc.collect()
    assert run.state == "done"
    assert source() is None
    assert not voxels
