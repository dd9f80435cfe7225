import json
import os
import subprocess
import sys

import pytest
import slicer
import slicer.util
from textsegment.client.address import Address
from textsegment.client.remote import RemoteSegmenter
from textsegment.testing import FakeSegmenter
from TextSegmentLib import settings
from TextSegmentLib.engine.given import GivenEngine
from TextSegmentLib.panel.engine import server_section

from slicer_host import driver

KEY = "key-of-the-server-in-this-test"


@pytest.fixture(scope="module")
def server():
    """Address of a real server in a process of its own, with a segmenter that finds balls."""
    command = [
        sys.executable,
        "-m",
        "textsegment",
        "serve",
        "--port",
        "0",
        "--announce-json",
        "--stop-with-stdin",
    ]
    command += ["--segmenter", "textsegment.testing:FakeSegmenter"]
    command += ["--segmenter-arguments", '{"seconds": 0.2}']
    variables = {**os.environ, "TEXTSEGMENT_TOKEN": KEY}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, env=variables, text=True, **pipes)
    yield json.loads(process.stdout.readline())["url"]
    process.stdin.close()
    process.wait(120)
    process.stdout.close()


@pytest.fixture
def on_server(hands):
    """The panel with the engine section open at the server."""
    hands.panel.engine._given = None
    hands.ui.engineButton.collapsed = False
    return hands


def enter(hands, address, key=KEY):
    for edit, text in ((hands.ui.addressEdit, address), (hands.ui.keyEdit, key)):
        edit.text = text
        edit.editingFinished.emit()


def wait_for_answer(hands):
    driver.wait_until(lambda: hands.ui.serverStateLabel.visible, "an answer")
    return hands.ui.serverStateLabel.text


def answer_questions(monkeypatch, agrees):
    asked = []

    def ask(text, *_arguments, **_options):
        asked.append(text)
        return agrees

    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", ask)
    return asked


def test_server_answers_what_it_is(on_server, server):
    enter(on_server, server)
    assert "model fake, cpu" in wait_for_answer(on_server)
    assert "CT" in on_server.ui.serverStateLabel.text
    assert "fake on a server" in on_server.ui.engineStatusLabel.text


def test_wrong_key_is_told_from_no_server(on_server, server):
    enter(on_server, server, "wrong-key-of-some-other-server")
    assert "key" in wait_for_answer(on_server).lower()
    on_server.ui.promptEdit.text = "liver"
    driver.run_events(200)
    assert not on_server.ui.segmentButton.enabled
    enter(on_server, "http://127.0.0.1:9", KEY)
    assert "No server listens" in wait_for_answer(on_server)
    enter(on_server, "localhost", KEY)
    assert "http://" in wait_for_answer(on_server)


def test_plain_http_to_another_computer_is_refused(on_server):
    enter(on_server, "http://segment.example.org")
    assert "Plain http to another computer" in wait_for_answer(on_server)


def test_run_on_a_server(on_server, server, monkeypatch):
    asked = answer_questions(monkeypatch, True)
    enter(on_server, server)
    wait_for_answer(on_server)
    on_server.segment("liver")
    assert on_server.rows()[0][1] == "done"
    assert asked == []  # it is this computer


def test_run_goes_on_while_the_user_looks_elsewhere_and_comes_back(on_server, server):
    enter(on_server, server)
    wait_for_answer(on_server)
    on_server.ui.promptEdit.text = "liver, aorta, pancreas, stomach"
    on_server.wait_until_offered()
    driver.click(on_server.ui.segmentButton)
    driver.wait_until(lambda: on_server.states()[:1] == [["liver", "done"]], "the first row")
    on_server.widget.parent.exit()
    on_server.widget.parent.enter()
    driver.click(on_server.ui.testButton)
    on_server.wait_for_end()
    assert [row[1] for row in on_server.rows()] == ["done"] * 4


class Elsewhere(RemoteSegmenter):
    """A connection to a real server on this computer that stands for one elsewhere: no packet leaves here."""

    @property
    def address(self):
        return Address("https://segment.example.org")


def connected_elsewhere(hands, server, monkeypatch):
    monkeypatch.setattr(server_section, "RemoteSegmenter", Elsewhere)
    enter(hands, server)
    wait_for_answer(hands)
    hands.ui.promptEdit.text = "liver"
    hands.wait_until_offered()


def test_consent_is_asked_once_for_a_server_and_can_be_withdrawn(on_server, server, monkeypatch):
    connected_elsewhere(on_server, server, monkeypatch)
    asked = answer_questions(monkeypatch, False)
    driver.click(on_server.ui.segmentButton)
    assert on_server.widget.logic.run is None
    assert "https://segment.example.org" in asked[0]
    for part in ("voxels", "modality", "names of the structures", "No patient name"):
        assert part in asked[0]
    answer_questions(monkeypatch, True)
    driver.click(on_server.ui.segmentButton)
    on_server.wait_for_end()
    first = on_server.widget.logic.run
    asked = answer_questions(monkeypatch, True)
    on_server.ui.promptEdit.text = "aorta"
    on_server.wait_until_offered()
    driver.click(on_server.ui.segmentButton)
    assert on_server.widget.logic.run is not first
    on_server.wait_for_end()
    assert asked == []
    driver.click(on_server.ui.consentButton)
    assert not settings.has_consent(Address("https://segment.example.org"))


def test_consent_is_for_the_server_that_gets_the_image(on_server, server, monkeypatch):
    """sl1: another Slicer has changed the address in the settings since the connection was made."""
    connected_elsewhere(on_server, server, monkeypatch)
    settings.set_server_address("http://127.0.0.1:9")
    asked = answer_questions(monkeypatch, False)
    driver.click(on_server.ui.segmentButton)
    assert "https://segment.example.org" in asked[0]
    assert on_server.widget.logic.run is None


def test_consent_for_an_address_in_the_settings_is_none_for_the_connection(on_server, server, monkeypatch):
    """sl1: what was agreed to is not the server that is connected."""
    other = Address("https://other.example.org")
    settings.set_consent(other, True)
    connected_elsewhere(on_server, server, monkeypatch)
    settings.set_server_address(other.url)
    asked = answer_questions(monkeypatch, False)
    driver.click(on_server.ui.segmentButton)
    assert len(asked) == 1
    assert on_server.widget.logic.run is None


def test_a_server_that_was_left_while_the_question_was_open_gets_nothing(on_server, server, monkeypatch):
    """sl1: windows live on while a question is open."""
    connected_elsewhere(on_server, server, monkeypatch)
    left = on_server.panel.engine._server._segmenter

    def ask(_text, *_arguments, **_options):
        enter(on_server, "http://127.0.0.1:9")
        return True

    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", ask)
    driver.click(on_server.ui.segmentButton)
    left.close()
    assert on_server.widget.logic.run is None


def test_the_model_that_is_shown_is_the_one_that_starts(hands, monkeypatch):
    """sl1: another Slicer has chosen another model and device since."""
    settings.set_model("sat-pro")
    settings.set_device("cuda:1")
    started = []
    local = hands.panel.engine._local
    monkeypatch.setattr(local._server, "start", lambda _python, **what: started.append(what))
    local._start()
    shown = (hands.ui.modelBox.currentText, hands.ui.deviceBox.currentText)
    assert shown == ("sat-demo (small, for a first look)", "Automatic")
    assert started == [{"model": "sat-demo", "device": "auto"}]


def test_panel_waits_for_no_server(on_server):
    """An address that swallows everything: the panel goes on."""
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        enter(on_server, f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert "has not answered yet" in on_server.panel.engine.obstacle
        on_server.type("liver")
        on_server.wait_for_meaning("liver")
        on_server.panel.engine.stop()


def test_status_leads_to_the_engine(hands):
    hands.ui.engineButton.collapsed = True
    hands.ui.engineStatusLabel.linkActivated.emit("section")
    assert not hands.ui.engineButton.collapsed


def test_engine_on_this_computer_is_found_started_and_used(hands, monkeypatch):
    hands.panel.engine._local._choice.interpreter_path = sys.executable
    hands.panel.engine._given = None
    hands.ui.engineButton.collapsed = False
    driver.click(hands.ui.localButton)
    driver.wait_until(
        lambda: "installed (Python" in hands.ui.installStateLabel.text, "what is installed", 120
    )
    assert "GB free" in hands.ui.memoryStateLabel.text
    assert not hands.ui.installButton.visible
    hands.ui.promptEdit.text = "liver"
    hands.wait_until_offered()
    driver.click(hands.ui.segmentButton)
    assert "starting sat-demo" in hands.ui.engineStatusLabel.text
    driver.wait_until(lambda: hands.widget.logic.run is not None, "the run that was asked for", 120)
    hands.wait_for_end()
    assert "sat-demo on this computer (cpu)" in hands.ui.engineStatusLabel.text
    driver.click(hands.ui.stopButton)
    assert "starts when needed" in hands.ui.engineStatusLabel.text


def test_missing_packages_are_installed_after_consent_only(hands, monkeypatch):
    from TextSegmentLib.engine.environment import Environment

    setup = hands.panel.engine._local._setup
    hands.panel.engine._given = None
    hands.ui.engineButton.collapsed = False
    setup.environment = Environment((3, 12, 10), ("torch>=2.10",), (), ())
    driver.click(hands.ui.localButton)
    hands.panel.engine._local.watch()
    assert "not installed" in hands.panel.engine.obstacle
    asked = answer_questions(monkeypatch, False)
    setup._job = None
    setup.environment = Environment((3, 12, 10), ("torch>=2.10",), (), ())
    setup.show()
    driver.click(hands.ui.installButton)
    assert "torch>=2.10" in asked[0]
    assert "gigabytes" in asked[0]
    assert setup._installation is None
    assert "Install…" in hands.ui.engineStatusLabel.text  # without a search for the section (sl7)
    hands.ui.engineStatusLabel.linkActivated.emit("remedy")
    assert len(asked) == 2


def test_nothing_is_polled_while_the_module_is_left(hands):
    """Extensions Index, tier 3: a module that is not looked at costs nothing."""

    class Counting(GivenEngine):
        watched = 0

        def watch(self):
            self.watched += 1

    engine = Counting(FakeSegmenter())
    hands.panel.engine._given = engine
    driver.wait_until(lambda: engine.watched > 1, "a look at the engine")
    hands.widget.parent.exit()
    driver.run_events(300)
    before = engine.watched
    driver.run_events(700)
    assert engine.watched == before
    hands.widget.parent.enter()
    driver.wait_until(lambda: engine.watched > before, "a look at the engine")


def test_what_is_on_its_way_is_followed_also_when_the_module_is_left(hands):
    class Busy(GivenEngine):
        watched, is_busy = 0, True

        def watch(self):
            self.watched += 1

    engine = Busy(FakeSegmenter())
    hands.panel.engine._given = engine
    hands.widget.parent.exit()
    driver.run_events(300)
    before = engine.watched
    driver.wait_until(lambda: engine.watched > before, "news of an installation")


def test_run_that_had_to_wait_for_the_engine_runs_a_group_too(hands, monkeypatch):
    """What was seen before the engine had to start needs no second look."""

    class Starting:
        model, status, obstacle, is_starting, is_busy, remedy = None, "", "", False, False, ""
        started = None

        def agreed_segmenter(self):
            if self.model is None:
                self.is_starting = True
                return None
            return self.started

        def look(self):
            pass

        watch = stop = look

    engine = Starting()
    hands.panel.engine._given = engine
    hands.ui.promptEdit.text = "ribs; liver; aorta; pancreas; stomach"
    hands.wait_until_offered()
    driver.click(hands.ui.segmentButton)
    assert hands.widget.logic.run is None
    engine.started = FakeSegmenter()
    engine.model, engine.is_starting = engine.started.info(), False
    hands.panel.engine._tell()
    driver.wait_until(lambda: hands.widget.logic.run is not None, "the run that was asked for")
    hands.wait_for_end()
    assert len(hands.panel.results.shown.rows) == 28


class LookedFor:
    """An engine that is being looked for."""

    model, status, remedy, is_starting, is_busy = None, "", "", False, True
    obstacle = "looking for it on this computer…"

    def agreed_segmenter(self):
        return FakeSegmenter()

    def look(self):
        pass

    watch = stop = look


@pytest.fixture
def early(hands):
    """The panel with a text that was entered while the engine was being looked for."""
    hands.engine = hands.panel.engine._given = LookedFor()
    hands.panel.engine._tell()
    hands.ui.promptEdit.text = "liver"
    hands.wait_until_read()
    hands.ui.promptEdit.returnPressed.emit()
    return hands


def found(hands, obstacle=""):
    hands.engine.is_busy, hands.engine.obstacle = False, obstacle
    hands.panel.engine._tell()


def test_text_entered_while_the_engine_is_looked_for_runs_once_it_is_there(early):
    assert early.widget.logic.run is None
    assert "as soon as the engine is ready" in early.ui.messageLabel.text
    found(early)
    early.wait_for_end()
    assert early.segment_names() == ["liver"]
    assert "as soon as" not in early.ui.messageLabel.text


@pytest.mark.parametrize("change", ["leave", "type", "missing", "close"])
def test_text_entered_while_the_engine_is_looked_for_is_dropped(early, change):
    """Left out, changed, not possible after all, or its scene closed."""
    if change == "leave":
        early.answer("Leave it")
    elif change == "type":
        early.ui.promptEdit.text = "aorta"
        early.wait_until_read()
    elif change == "close":
        slicer.mrmlScene.Clear(0)
    found(early, "not installed." if change == "missing" else "")
    assert early.widget.logic.run is None
    assert not early.ui.messageFrame.visible


@pytest.fixture
def local(hands, monkeypatch):
    """The panel with the engine section open at this computer, whose Python is this one."""
    settings.set_interpreter(sys.executable)
    hands.panel.engine._given = None
    hands.ui.engineButton.collapsed = False
    driver.click(hands.ui.localButton)
    driver.wait_until(
        lambda: "installed (Python" in hands.ui.installStateLabel.text, "what is installed", 120
    )
    return hands


def test_download_without_network_says_what_to_do(local, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("TEXTSEGMENT_HOME", str(tmp_path))
    local.ui.modelBox.currentIndex = 1
    local.ui.modelBox.activated.emit(1)
    assert "sat-nano has to be downloaded first" in local.ui.engineStatusLabel.text
    driver.click(local.ui.downloadButton)
    assert local.ui.engineCancelButton.visible
    driver.wait_until(lambda: local.ui.messageFrame.visible, "the failure", 120)
    assert "hub" in local.ui.messageLabel.text.lower() or "network" in local.ui.messageLabel.text.lower()
    assert not local.ui.engineCancelButton.visible


def test_offer_of_a_download_is_shown_once(hands, monkeypatch):
    from TextSegmentLib.engine.weights_download import DownloadState

    class Offered:
        offer, is_over, agreed = "The weights were made by others.", False, False

        def look(self):
            return DownloadState.RUNNING if self.agreed else DownloadState.ASKING

        def agree(self):
            self.agreed = True

    setup = hands.panel.engine._local._setup
    download, asked = Offered(), []

    def ask(text, *_arguments, **_options):
        asked.append(text)
        setup._go_on_with_download(download)  # a timer, while the question is open
        return True

    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", ask)
    setup._go_on_with_download(download)
    assert asked == ["The weights were made by others."]
    assert download.agreed


def test_typed_path_starts_nothing_before_it_is_a_file(local):
    driver.click(local.ui.advancedButton)
    local.ui.interpreterEdit.currentPath = "/no/such/pyth"
    assert "There is no such file." in local.ui.installStateLabel.text
    assert not local.ui.startButton.enabled or local.panel.engine.obstacle
    local.ui.interpreterEdit.currentPath = sys.executable
    driver.wait_until(
        lambda: "installed (Python" in local.ui.installStateLabel.text, "what is installed", 120
    )


def test_no_python_at_all_is_said(local):
    driver.click(local.ui.advancedButton)
    local.ui.interpreterEdit.currentPath = __file__
    driver.wait_until(lambda: "Python" in local.ui.installStateLabel.text, "what is wrong", 120)
    assert "installed (" not in local.ui.installStateLabel.text


def test_weights_are_removed_after_a_question(local, monkeypatch, tmp_path):
    """Extensions Index, tier 3: what was downloaded can be deleted, with a button."""
    monkeypatch.setenv("TEXTSEGMENT_HOME", str(tmp_path))
    (tmp_path / "weights").mkdir()
    weights = tmp_path / "weights" / "sat-nano.safetensors"
    weights.write_bytes(b"weights")
    file = {"name": "nano.pth", "size": 7, "sha256": ""}
    record = {"repository": "", "revision": "", "network": file, "text_encoder": file, "converted": file}
    lock = {"format": 1, "models": {"sat-nano": record}}
    (tmp_path / "weights" / "lock.json").write_text(json.dumps(lock))
    assert not local.ui.removeButton.visible  # sat-demo is part of the package
    local.ui.modelBox.currentIndex = 1
    local.ui.modelBox.activated.emit(1)
    local.panel.engine._local._setup.look_again()
    driver.wait_until(lambda: local.ui.removeButton.visible, "a button to remove", 120)
    asked = answer_questions(monkeypatch, False)
    driver.click(local.ui.removeButton)
    assert "sat-nano" in asked[0]
    assert weights.exists()
    answer_questions(monkeypatch, True)
    driver.click(local.ui.removeButton)
    driver.wait_until(lambda: local.ui.downloadButton.visible, "an offer to download", 120)
    assert not weights.exists()
    assert not local.ui.messageFrame.visible
