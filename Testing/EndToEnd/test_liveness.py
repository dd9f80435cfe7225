"""The windows live while the engine on this computer is asked; see ``measure_heartbeat.py`` for figures."""

from slicer_host.liveness import Gate
from structures import STRUCTURES, TEXT
from textsegment.client.remote import RemoteSegmenter


def test_nothing_of_a_run_is_computed_on_the_gui_thread(hands, volume_node, monkeypatch):
    from TextSegmentLib.scene.run import finding
    from TextSegmentLib.scene.volume_node import VolumeSource

    hands.ui.inputSelector.setCurrentNode(volume_node)
    with Gate() as gate:
        gate.hold(monkeypatch, VolumeSource, "to_volume")
        gate.hold(monkeypatch, RemoteSegmenter, "info", "segment")
        gate.hold(monkeypatch, finding, "labelmap_of")
        hands.segment(TEXT)
        hands.wait_for_end()
    assert hands.run.state == "done", hands.run.error
    assert set(gate.passed) == {"info", "to_volume", "segment", "labelmap_of"}
    assert gate.passed.count("labelmap_of") >= len(STRUCTURES)
