"""A remote server: address and key typed by the user, and a restart that goes unnoticed."""

import contextlib
import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
from segments import mask
from slicer_host import driver

_KEY = "not-a-secret-not-a-secret-not-a-secret"


@contextlib.contextmanager
def serving(port):
    """Runs ``textsegment serve`` as if on another computer."""
    command = [sys.executable, "-m", "textsegment", "serve", "--port", str(port), "--device", "cpu"]
    process = subprocess.Popen(
        [*command, "--announce-json", "--stop-with-stdin", "--stop-grace-seconds", "1"],
        env={**os.environ, "TEXTSEGMENT_TOKEN": _KEY},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with process:
        yield json.loads(process.stdout.readline())["url"]
        process.stdin.close()
        process.wait(120)


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def on_server(hands):
    """Panel with its engine section switched to "Server"."""
    hands.open(hands.ui.engineButton)
    driver.click(hands.ui.serverButton)
    yield hands
    driver.click(hands.ui.localButton)


def test_server_restarts_between_two_runs(on_server, port, volume_node, command_line_masks):
    ui = on_server.ui
    ui.inputSelector.setCurrentNode(volume_node)
    with serving(port) as url:
        for edit, text in ((ui.addressEdit, url), (ui.keyEdit, _KEY)):
            edit.text = ""
            driver.type_text(edit, text)
        driver.click(ui.testButton)
        driver.wait_until(lambda: on_server.widget.panel.engine.model is not None, "the server", 60)
        on_server.segment("liver")
        on_server.wait_for_end()
        assert on_server.run.state == "done", on_server.run.error
    with serving(port):
        on_server.segment("heart")
        on_server.wait_for_end()
        assert on_server.run.state == "done", on_server.run.error
    for name in ("liver", "heart"):
        found = mask(on_server.run.segmentation_node, name, volume_node)
        np.testing.assert_array_equal(found, command_line_masks[name])


def test_masks_come_from_the_source_that_the_extension_bundles(module):
    import textsegment
    from TextSegmentLib import bundle

    assert textsegment.__file__.startswith(str(bundle.backend_source()))
