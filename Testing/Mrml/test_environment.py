"""Probing the Python that runs the engine."""

import os
import sys
from dataclasses import dataclass

import pytest
from fresh_python import fresh_python
from textsegment.errors import SettingsError
from TextSegmentLib.engine import environment as environment_module
from TextSegmentLib.engine.environment import Device, Environment, ProbeError, look_at
from TextSegmentLib.engine.interpreter import Interpreter, chosen_interpreter
from TextSegmentLib.engine.requirements import engine_requirements, needs_torch


def found(interpreter):
    job = look_at(interpreter)
    assert job.wait(120)
    return job.result()


def test_the_requirements_are_those_of_the_backend():
    names = {line.split(">")[0].split("[")[0] for line in engine_requirements()}
    assert {"numpy", "requests", "torch", "fastapi", "uvicorn"} <= names
    assert "ray" not in names
    assert len(engine_requirements()) == len(set(engine_requirements()))


def test_a_complete_python_says_devices_memory_and_models():
    environment = found(chosen_interpreter(""))
    assert environment.missing == ()
    assert environment.python == sys.version_info[:3]
    assert environment.devices[0].name == "cpu"
    assert 0 < environment.devices[0].free_gb < environment.devices[0].total_gb
    assert "sat-demo" in environment.models
    assert (environment.broken, environment.problems) == ((), ())


def test_a_bare_python_says_what_is_missing():
    environment = found(Interpreter(fresh_python(), is_slicers=True))
    wanted = {line for line in engine_requirements() if "python_version <" not in line}
    assert set(environment.missing) == wanted
    assert needs_torch(environment.to_install)
    assert environment.devices == environment.models == ()


@dataclass(frozen=True)
class Shadowed(Interpreter):
    """Complete Python that finds other packages first."""

    folder: str = ""

    def environment(self):
        variables = super().environment()
        return {**variables, "PYTHONPATH": os.pathsep.join((self.folder, variables["PYTHONPATH"]))}


def shadowed(folder, **modules):
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    return Shadowed(sys.executable, is_slicers=True, folder=str(folder))


def test_a_package_that_cannot_be_loaded_is_named_and_can_be_installed_anew(tmp_path):
    """sl6: the message was that this is no Python, with neither a button nor a log."""
    python = shadowed(tmp_path, torch="raise ImportError('libcudart.so.12: cannot open shared object file')")
    environment = found(python)
    assert environment.missing == ()
    assert needs_torch(environment.broken)
    assert environment.to_install == environment.broken
    (problem,) = environment.problems
    assert "torch is installed, but cannot be loaded" in problem
    assert "libcudart.so.12" in problem
    assert "Traceback" in environment.log


_BUSY = """
class cuda:
    device_count = staticmethod(lambda: 2)
    def mem_get_info(number):
        if number == 0:
            raise RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable")
        return 8_000_000_000, 16_000_000_000
class backends:
    class mps:
        is_available = staticmethod(lambda: False)
"""


def test_a_busy_graphics_card_is_said_and_the_others_are_offered(tmp_path):
    """sl6: one failing device must not hide the others."""
    environment = found(shadowed(tmp_path, torch=_BUSY))
    assert [device.name for device in environment.devices] == ["cpu", "cuda:1"]
    assert environment.to_install == ()
    assert any("cuda:0 does not answer" in problem for problem in environment.problems)


def test_weights_that_cannot_be_looked_at_are_no_reason_against_a_python(tmp_path, monkeypatch):
    """sl6: unreadable weights must not disqualify the Python."""
    file = tmp_path / "file"
    file.write_text("no folder")
    monkeypatch.setenv("TEXTSEGMENT_HOME", str(file))
    environment = found(chosen_interpreter(""))
    assert environment.devices
    assert environment.missing == ()


def test_what_is_no_python_is_said_with_what_it_printed(tmp_path):
    """sl6: every failure has its own message."""
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho 'licence expired' >&2\nexit 3\n")
    script.chmod(0o755)
    with pytest.raises(ProbeError, match="exit code 3") as refused:
        found(Interpreter(str(script), is_slicers=True))
    assert "licence expired" in refused.value.log


def test_a_python_that_does_not_answer_is_said(tmp_path, monkeypatch):
    """sl6."""
    monkeypatch.setattr(environment_module, "_PATIENCE_S", 0.2)
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nexec sleep 30\n")
    script.chmod(0o755)
    with pytest.raises(ProbeError, match="not answered"):
        found(Interpreter(str(script), is_slicers=True))


def test_what_is_no_python_is_said(tmp_path):
    with pytest.raises(SettingsError):
        found(Interpreter("/bin/true", is_slicers=True))
    with pytest.raises(SettingsError):
        found(Interpreter(str(tmp_path), is_slicers=True))


def test_slicer_itself_is_never_started_as_a_python(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/opt/Slicer/bin/SlicerApp-real")
    monkeypatch.setenv("PATH", "")
    assert chosen_interpreter("") == Interpreter("PythonSlicer", is_slicers=True)


def test_memory_is_compared_with_what_a_model_needs():
    devices = (Device("cpu", 24.2, 32.0), Device("cuda:0", 9.0, 11.0), Device("cuda:1", 40.0, 40.0))
    environment = Environment((3, 12, 10), (), devices, ())
    assert environment.memory_sentence("sat-nano", "auto") == (True, "Needs about 8 GB, 9 GB free (cuda:0).")
    assert environment.memory_sentence("sat-pro", "cuda") == (False, "Needs about 12 GB, 9 GB free (cuda:0).")
    assert environment.memory_sentence("sat-pro", "cuda:1")[0]
    assert environment.memory_sentence("sat-nano", "cpu") == (True, "Needs about 10 GB, 24 GB free (cpu).")
    assert environment.memory_sentence("sat-nano", "mps") == (False, "There is no device mps here.")
