"""Logic for scripts: the meaning of a text for a model, and the default engine."""

import socket
import threading
import time

import pytest
import slicer
from cases import names, to_the_end, volume_node
from textsegment.client.address import Address
from textsegment.client.remote import RemoteSegmenter
from textsegment.errors import BusyError, ModalityError, SettingsError, UnknownStructureError
from textsegment.segmenter import ModelInfo
from textsegment.testing import FakeSegmenter
from textsegment.vocabulary.structures import known_in
from TextSegmentLib import settings
from TextSegmentLib.engine import default as default_engine
from TextSegmentLib.engine.server_process import LocalServer
from TextSegmentLib.logic import TextSegmentLogic


class Store(dict):
    """Stand-in for ``QSettings``."""

    value = dict.get
    setValue = dict.__setitem__


@pytest.fixture
def store(monkeypatch):
    made = Store()
    monkeypatch.setattr(settings, "_store", lambda: made)
    return made


def model(*structures):
    return ModelInfo("small", "0" * 64, "cpu", {"CT": structures, "MR": ()})


def test_a_text_is_resolved_term_by_term():
    found = TextSegmentLogic().resolve("liver, lt kidney, livr", "CT")
    assert [(each.term, each.status, each.structures) for each in found] == [
        ("liver", "resolved", ("liver",)),
        ("lt kidney", "resolved", ("left kidney",)),
        ("livr", "unknown", ()),
    ]
    assert "liver" in found[2].suggestions


def test_what_the_model_lacks_does_not_run():
    liver, aorta = TextSegmentLogic().resolve("liver, aorta", "CT", model("liver"))
    assert liver.runs
    assert not aorta.runs
    assert aorta.status == "unsupported"
    assert aorta.structures == ()
    assert "This model" in aorta.warnings[0]


def test_of_a_set_those_run_that_the_model_has():
    (found,) = TextSegmentLogic().resolve("left ribs", "CT", model("liver", "left rib 3"))
    assert found.runs
    assert found.structures == ("left rib 3",)
    assert "1 of 12" in found.warnings[-1]


def test_a_modality_that_no_model_knows_is_an_error():
    with pytest.raises(ModalityError):
        TextSegmentLogic().resolve("liver", "XA")


def test_a_script_runs_sets_and_guesses_the_modality():
    result = TextSegmentLogic().segment(volume_node(name="CT"), "L1-L3", segmenter=FakeSegmenter())
    assert names(result) == [f"lumbar vertebrae {n} (l{n})" for n in (1, 2, 3)]


def test_a_script_does_not_run_what_is_not_clear():
    with pytest.raises(UnknownStructureError):
        TextSegmentLogic().segment(volume_node(), "liver, right spleen", segmenter=FakeSegmenter())


def test_a_script_need_not_wait():
    logic = TextSegmentLogic()
    run = logic.segment(volume_node(), "liver", segmenter=FakeSegmenter(0.05), wait=False)
    assert run.is_active
    with pytest.raises(BusyError):
        logic.segment(volume_node(), "aorta", segmenter=FakeSegmenter())
    while run.process_events():
        time.sleep(0.01)
    assert names(run.segmentation_node) == ["liver"]


def test_a_script_that_does_not_wait_gets_its_run_from_a_silent_server_at_once():
    """sl6: no network access on the GUI thread."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with RemoteSegmenter(f"http://127.0.0.1:{silent.getsockname()[1]}") as segmenter:
            run = TextSegmentLogic().segment(volume_node(), "liver", segmenter=segmenter, wait=False)
            assert run.is_active  # it would have failed if this thread had waited for an answer
            run.cancel()


def test_a_segmenter_is_asked_in_a_worker_only():
    """sl6: whatever segmenter it is."""
    threads = set()

    class Watched(FakeSegmenter):
        def info(self):
            threads.add(threading.current_thread())
            return super().info()

    assert names(TextSegmentLogic().segment(volume_node(), "liver", segmenter=Watched())) == ["liver"]
    assert threads
    assert threading.current_thread() not in threads


def test_what_a_text_does_not_mean_is_the_error_of_a_run_that_is_not_waited_for():
    text = next(name for name in known_in("MR") if name not in known_in("CT"))
    run = TextSegmentLogic().segment(
        volume_node(), text, segmenter=FakeSegmenter(), modality="CT", wait=False
    )
    to_the_end(run)
    assert (run.state, run.error.code) == ("failed", "structure_unknown")
    assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode") == []


def test_a_script_uses_the_engine_of_the_panel(store, monkeypatch):
    class Fake(LocalServer):
        def start(self, interpreter, *, model, device):
            options = ("--segmenter", "textsegment.testing:FakeSegmenter")
            super().start(interpreter, model=model, device=device, options=options)

    server = Fake()
    monkeypatch.setattr(default_engine, "local_server", lambda: server)
    try:
        result = TextSegmentLogic().segment(volume_node(), "liver")
        assert names(result) == ["liver"]
        pid = server.pid
        TextSegmentLogic().segment(volume_node(), "aorta")
        assert server.pid == pid
    finally:
        server.stop_now()


def test_a_script_sends_nothing_to_a_server_without_consent(store):
    settings.set_uses_server(True)
    with pytest.raises(SettingsError, match="No server"):
        TextSegmentLogic().segment(volume_node(), "liver")
    settings.set_server_address("https://gpu.example.org")
    with pytest.raises(SettingsError, match="agreed"):
        TextSegmentLogic().segment(volume_node(), "liver")


def test_consent_is_given_and_taken_back_for_each_server(store):
    a, b = Address("https://a.example.org"), Address("https://b.example.org")
    settings.set_consent(Address("https://a.example.org/"), agreed=True)
    assert settings.has_consent(a)
    assert not settings.has_consent(b)
    assert settings.has_consent(Address("http://127.0.0.1:8000"))
    settings.set_consent(a, agreed=False)
    assert not settings.has_consent(a)
    store["TextSegment/consents"] = "{broken"
    assert not settings.has_consent(a)


def test_settings_have_sensible_beginnings_and_keep_what_is_set(store):
    assert (settings.uses_server(), settings.model(), settings.device()) == (False, "sat-demo", "auto")
    assert (settings.interpreter(), settings.wheels_folder(), settings.proxy()) == ("", None, "")
    settings.set_wheels_folder("/wheels")
    settings.set_server_key(" secret\n")
    assert str(settings.wheels_folder()) == "/wheels"
    assert settings.server_key() == "secret"
    settings.set_wheels_folder("")
    assert settings.wheels_folder() is None
    assert all(isinstance(value, str) for value in store.values())
