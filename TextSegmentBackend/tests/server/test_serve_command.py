"""``textsegment serve`` itself: options, messages, exit codes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest
from command_line import Ended, textsegment
from server_process import DEADLINE_S, ServerProcess, frames

from textsegment.cli.errors import exit_code
from textsegment.errors import PortInUseError
from textsegment.testing import phantom
from textsegment.wire.contract import INFO_ROUTE
from textsegment.wire.frames import Done
from textsegment.wire.volumes.codec import wire_volume

SERVE = [sys.executable, "-m", "textsegment", "serve", "--port", "0", "--announce-json"]
CHILD = [*SERVE, "--stop-with-stdin"]


def serve(*options: str, **environment: str) -> subprocess.CompletedProcess:
    """Run a command line that ends by itself."""
    return subprocess.run(
        [*SERVE, *options],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
        check=False,
    )


def refused(*options: str) -> Ended:
    """Run a command line that ends before anything is started, in this process."""
    ended = textsegment("serve", "--port", "0", *options)
    assert "Traceback" not in ended.err
    return ended


def test_demo_model_answers():
    volume = wire_volume(phantom((48, 48, 32)))
    with ServerProcess(command=[*CHILD, "--device", "cpu"]) as server:
        assert set(server.announced) == {"url", "host", "port", "pid"}
        assert "model  sat-demo on cpu, 1 at once" in server.log
        assert server.url in server.log
        assert "every program on this computer may ask" in server.log
        assert "Press Ctrl+C to stop" in server.log
        server.put(volume)
        *_, last = frames(server.post(volume.digest, ["liver", "heart"]), volume)
        assert isinstance(last, Done)
        assert last.provenance["model"] == "sat-demo"


def test_limits_are_those_of_the_command_line(tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("k" * 20)
    keys.chmod(0o600)
    fake = ["--segmenter", "textsegment.testing:FakeSegmenter", "--segmenter-arguments", '{"seconds": 0}']
    options = ["--max-volume-mb", "3", "--max-prompts", "4", "--token-file", str(keys)]
    with ServerProcess(command=[*CHILD, *fake, *options, "--device", "cpu", "--device", "cpu"]) as server:
        assert "key    needed" in server.log
        assert len(server.workers()) == 2
        limits = server.session("k" * 20).get(server.url + INFO_ROUTE).json()["limits"]
        assert (limits["max_volume_bytes"], limits["max_prompts"]) == (3 * 2**20, 4)


def test_port_that_is_busy_is_a_clear_error():
    """Fault 60."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ended = serve("--port", str(other.getsockname()[1]))
    assert ended.returncode == exit_code(PortInUseError("")) == 2
    assert "is in use by another program. [port_in_use]" in ended.stderr
    assert "--port 0" in ended.stderr


def test_missing_weights_say_what_to_run(tmp_path):
    """Fault 58."""
    ended = serve("--model", "sat-nano", TEXTSEGMENT_HOME=str(tmp_path))
    assert ended.returncode == 5
    assert "[weights_missing]" in ended.stderr
    assert "textsegment weights download sat-nano" in ended.stderr


def test_other_address_without_key_is_refused():
    """Fault 35."""
    ended = refused("--host", "0.0.0.0")
    assert ended.code == 2
    assert "[settings_invalid]" in ended.err
    assert "--token-file" in ended.err


@pytest.mark.parametrize(
    "options",
    [
        ("--max-volume-mb", "0"),
        ("--max-store-mb", "5"),
        ("--port", "70000"),
        ("--keyfile", "key.pem"),
        ("--stop-grace-seconds", "nan"),
        ("--max-job-seconds", "-1"),
        ("--max-job-seconds", "nan"),
        ("--replicas", "2"),
    ],
)
def test_options_that_cannot_work_are_usage_errors(options):
    assert refused(*options).code == 2


def test_address_of_another_computer_is_refused(tmp_path):
    ended = serve("--host", "203.0.113.1", "--behind-proxy", TEXTSEGMENT_TOKEN="k" * 20)
    assert ended.returncode == 2
    assert "cannot listen" in ended.stderr


def test_help_names_the_options(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    ended = refused("--help")
    assert ended.code == 0
    for option in ("--host", "--ray", "--token-file", "--certfile", "--behind-proxy"):
        assert option in ended.out
    assert "--segmenter" not in ended.out


def test_missing_extra_is_named(tmp_path):
    (tmp_path / "uvicorn.py").write_text("raise ModuleNotFoundError('no', name='uvicorn')")
    ended = serve(PYTHONPATH=str(tmp_path))
    assert ended.returncode == 7
    assert "uvicorn is not installed" in ended.stderr
    assert "pip install 'textsegment[engine,server]'" in ended.stderr


def test_parent_that_goes_while_the_model_is_loaded_ends_the_server():
    ended = serve("--stop-with-stdin")
    assert (ended.returncode, ended.stdout) == (0, "")


@pytest.mark.parametrize(
    "moment",
    [
        ["click.core"],
        ["textsegment.cli.app"],
        ["fastapi.routing"],
        ["textsegment.server.run"],
        ["Loading the model"],
        ["Loading the model", "importlib.machinery"],  # the worker, a moment old
        ["Loading the model", "numpy.linalg"],
    ],
)
def test_ctrl_c_before_it_is_ready_is_a_clean_end(moment):
    process = subprocess.Popen(
        SERVE,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"},  # says how far it is
        start_new_session=True,
        # A shell may have started the tests deaf to Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    with process:
        assert process.stderr is not None
        for sign in moment:
            line = next((line for line in process.stderr if sign in line), None)
            assert line is not None, f"it never came to {sign}"
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers, too
        said = process.stderr.read()
        assert process.wait(DEADLINE_S) == 130, said
    assert "Traceback" not in said
    assert "KeyboardInterrupt" not in said
