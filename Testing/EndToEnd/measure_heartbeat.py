"""Measures how long the GUI thread is blocked during a run on a scan of realistic size, with the real engine.

    PYTHONPATH=Testing/SlicerHost:Testing/EndToEnd/support python Testing/EndToEnd/measure_heartbeat.py

On a busy machine any thread may be held up at any moment, so this prints figures and never fails. The goal is
less than 100 ms.
"""

import numpy as np
from hands import MODULE, Hands
from slicer_host import host
from slicer_host.heartbeat import Heartbeat
from structures import TEXT


def add_large_volume():
    """Adds the sample CT on a grid of 512 × 512 × 136 voxels."""
    import slicer
    import slicer.util
    from textsegment.files.sample import sample_scan

    volume_node = slicer.util.loadVolume(str(sample_scan()))
    voxels_kji = slicer.util.arrayFromVolume(volume_node)
    for axis in range(3):
        voxels_kji = np.repeat(voxels_kji, 4, axis=axis)
    large = slicer.util.addVolumeFromArray(voxels_kji, name="CT of full size")
    to_ras = slicer.vtkMRMLSliceNode().GetXYToRAS()
    volume_node.GetIJKToRASMatrix(to_ras)
    large.SetIJKToRASMatrix(to_ras)
    large.SetSpacing(*(spacing / 4 for spacing in volume_node.GetSpacing()))
    return large


def measure_run(hands, volume_node):
    """Runs the text on a volume, and prints the longest time between two ticks of the event loop."""
    hands.ui.inputSelector.setCurrentNode(volume_node)
    with Heartbeat() as heartbeat:
        hands.segment(TEXT)
        hands.wait_for_end()
    assert hands.run.state == "done", hands.run.error
    longest = heartbeat.longest()
    print(f"{len(heartbeat.beats)} beats, blocked for {1000 * longest.blocked_s:.0f} ms at most: {longest}")


def main():
    """Loads the module, starts the engine on this computer, and measures."""
    host.boot()
    module = host.load_module(MODULE)
    import slicer

    slicer.app.startupCompleted.emit()
    hands = Hands(host.show_panel(module))
    hands.start_engine()
    try:
        measure_run(hands, add_large_volume())
    finally:
        from TextSegmentLib.engine.server_process import local_server

        hands.leave()
        local_server().stop_now()


if __name__ == "__main__":
    main()
