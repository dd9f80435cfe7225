"""What is found out about the Python that runs the engine."""

import sys

import pytest
from fresh_python import fresh_python
from textsegment.errors import SettingsError
from TextSegmentLib.engine.environment import Device, Environment, look_at, requirements
from TextSegmentLib.engine.interpreter import Interpreter, chosen_interpreter


def found(interpreter):
    job = look_at(interpreter)
    assert job.wait(120)
    return job.result()


def test_the_requirements_are_those_of_the_backend():
    names = {line.split(">")[0].split("[")[0] for line in requirements()}
    assert {"numpy", "requests", "torch", "fastapi", "uvicorn"} <= names
    assert "ray" not in names
    assert len(requirements()) == len(set(requirements()))


def test_a_complete_python_says_devices_memory_and_models():
    environment = found(chosen_interpreter(""))
    assert environment.missing == ()
    assert environment.python == sys.version_info[:3]
    assert environment.devices[0].name == "cpu"
    assert 0 < environment.devices[0].free_gb < environment.devices[0].total_gb
    assert "sat-demo" in environment.models
    assert not environment.lacks_torch


def test_a_bare_python_says_what_is_missing():
    environment = found(Interpreter(fresh_python(), is_slicers=True))
    assert set(environment.missing) == set(requirements())
    assert environment.lacks_torch
    assert environment.devices == environment.models == ()


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
