"""Responsiveness of the GUI thread during a run on a scan of realistic size."""

import numpy as np
import pytest
import slicer
import slicer.util
from slicer_host.heartbeat import Heartbeat
from structures import TEXT

_LIMIT_S = 0.1
_ATTEMPTS = 3  # on a busy machine any thread may be held up at any moment


@pytest.fixture
def large_volume_node(volume_node):
    """Sample CT on a grid of 512 × 512 × 136 voxels."""
    voxels_kji = slicer.util.arrayFromVolume(volume_node)
    for axis in range(3):
        voxels_kji = np.repeat(voxels_kji, 4, axis=axis)
    large = slicer.util.addVolumeFromArray(voxels_kji, name="CT of full size")
    to_ras = slicer.vtkMRMLSliceNode().GetXYToRAS()
    volume_node.GetIJKToRASMatrix(to_ras)
    large.SetIJKToRASMatrix(to_ras)
    large.SetSpacing(*(spacing / 4 for spacing in volume_node.GetSpacing()))
    return large


def test_gui_thread_is_never_blocked_for_a_tenth_of_a_second(hands, large_volume_node):
    hands.ui.inputSelector.setCurrentNode(large_volume_node)
    for _attempt in range(_ATTEMPTS):
        with Heartbeat() as heartbeat:
            hands.segment(TEXT)
            hands.wait_for_end()
        assert hands.run.state == "done", hands.run.error
        longest = heartbeat.longest()
        print(f"{len(heartbeat.beats)} beats, blocked for {longest.blocked_s:.3f} s at most: {longest}")
        assert len(heartbeat.beats) > 50
        if longest.blocked_s < _LIMIT_S:
            return
        slicer.util.arrayFromVolume(large_volume_node)[0, 0, 0] += 1  # so the server has not seen this image
        slicer.util.arrayFromVolumeModified(large_volume_node)
    pytest.fail(f"the GUI thread was blocked in each of {_ATTEMPTS} runs; in the last: {longest}")
