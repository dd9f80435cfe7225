"""What a job takes is said beforehand, and remembered for the next process."""

import torch
from tiny_engine import NAMES, phantom, tiny_model

from textsegment.effort import Effort
from textsegment.geometry import Box
from textsegment.inference.device import CPU
from textsegment.inference.engine import LocalSegmenter
from textsegment.inference.timings import PatchTimings
from textsegment.segmenter import Estimated


def estimates(engine, volume, **options):
    events = []
    engine.segment(volume, NAMES, on_event=events.append, **options)
    return [event for event in events if isinstance(event, Estimated)]


def test_a_job_says_what_it_takes_before_the_network_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXTSEGMENT_HOME", str(tmp_path))
    engine, volume = LocalSegmenter(tiny_model(), device="cpu"), phantom()
    (first,) = estimates(engine, volume)
    assert first.patches == engine.network.encoded > 1
    assert first.seconds is None  # a network as small as this is not tried beforehand
    assert first.memory_bytes > sum(p.nbytes for p in engine.network.parameters())
    (again,) = estimates(engine, volume)
    assert (again.patches, again.seconds) == (0, 0.0)
    (corner,) = estimates(
        LocalSegmenter(tiny_model(), device="cpu"), volume, effort=Effort(Box((4, 4, 4), (9, 9, 9)))
    )
    assert 0 < corner.patches < first.patches
    assert corner.seconds > 0  # known from the other engine


def test_figures_belong_to_a_model_a_device_and_a_precision(tmp_path):
    model, path = tiny_model(), tmp_path / "seconds.json"
    timings = PatchTimings(model.network, model.digest, CPU, path)
    timings.note(torch.float32, 3.0)
    timings.note(torch.float32, 5.0)
    timings.note(torch.float32, 4.0)
    timings.keep()
    assert PatchTimings(model.network, model.digest, CPU, path).seconds(torch.float32) == 4.0
    assert PatchTimings(model.network, model.digest, CPU, path).seconds(torch.bfloat16) is None
    assert PatchTimings(model.network, "1" * 64, CPU, path).seconds(torch.float32) is None


def test_a_file_that_is_damaged_or_cannot_be_written_costs_nothing_but_the_figure(tmp_path):
    model = tiny_model()
    (tmp_path / "seconds.json").write_text("[oops")
    timings = PatchTimings(model.network, model.digest, CPU, tmp_path / "seconds.json")
    assert timings.seconds(torch.float32) is None
    (tmp_path / "file").write_text("")
    elsewhere = PatchTimings(model.network, model.digest, CPU, tmp_path / "file" / "seconds.json")
    elsewhere.note(torch.float32, 1.0)
    elsewhere.keep()
    assert elsewhere.seconds(torch.float32) == 1.0
