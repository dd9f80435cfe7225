"""Installing packages for real: into a fresh Python, from a folder of wheels."""

import base64
import hashlib
import time
import zipfile
from pathlib import Path

import pytest
import slicer
import slicer.util
from fresh_python import fresh_python
from slicer_host import packaging
from TextSegmentLib.engine.installer import Installation, InstallState, Step, question, steps_for
from TextSegmentLib.engine.interpreter import Interpreter
from TextSegmentLib.engine.requirements import engine_requirements, requirements_named


def to_the_end(installation):
    deadline = time.monotonic() + 600
    while installation.look() is InstallState.RUNNING:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return installation.state


class FreshPython(Interpreter):
    def environment(self):
        return {"PATH": "/usr/bin:/bin", "PIP_CONFIG_FILE": "/dev/null"}


@pytest.fixture
def python():
    return FreshPython(fresh_python(), is_slicers=False)


@pytest.fixture
def wheels(tmp_path):
    """Folder with one small wheel."""
    files = {
        "tiny_thing.py": "VALUE = 7\n",
        "tiny_thing-1.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny-thing\nVersion: 1.2\n",
        "tiny_thing-1.2.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},sha256={_digest(text)},{len(text)}\n" for name, text in files.items())
    files["tiny_thing-1.2.dist-info/RECORD"] = record + "tiny_thing-1.2.dist-info/RECORD,,\n"
    folder = tmp_path / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / "tiny_thing-1.2-py3-none-any.whl", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return folder


def _digest(text):
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def test_a_folder_of_wheels_is_installed_without_the_network(python, wheels):
    installation = Installation(python, steps_for(("tiny-thing>=1.1",), wheels=wheels))
    assert to_the_end(installation) is InstallState.DONE, installation.log
    assert installation.error is None
    assert "Successfully installed tiny-thing-1.2" in installation.log
    site = Path(python.executable).parent.parent.glob("lib/*/site-packages/tiny_thing.py")
    assert next(site).read_text() == "VALUE = 7\n"


def test_what_cannot_be_installed_is_said_with_the_log(python, wheels):
    steps = steps_for(("tiny-thing>=9",), wheels=wheels)
    installation = Installation(python, steps)
    assert to_the_end(installation) is InstallState.FAILED
    assert "log" in installation.error.hint
    assert "tiny-thing>=9" in installation.log


def test_a_failed_step_is_the_last(python):
    installation = Installation(python, [Step("no_such_module", ()), Step("pip", ("--version",))])
    assert to_the_end(installation) is InstallState.FAILED
    assert "pip --version" not in installation.log


def test_it_can_be_cancelled(python):
    installation = Installation(python, [Step("timeit", ("-n1", "-r1", "import time; time.sleep(60)"))])
    installation.cancel()
    assert to_the_end(installation) is InstallState.FAILED
    assert "stopped" in installation.error.message


class SlicersPip:
    """Stand-in for Slicer's pip function, which offers no way to stop what it runs."""

    def __init__(self, monkeypatch):
        packaging.install()
        self.calls = []
        monkeypatch.setattr(slicer.packaging, "pip_install", self)
        monkeypatch.setattr(slicer.app, "testingEnabled", lambda: False)

    def __call__(self, arguments, *, completedCallback, **_options):
        self.calls.append(arguments)
        self.complete = completedCallback


def test_what_slicer_itself_installs_is_stopped_after_the_step_that_runs(monkeypatch):
    """sl6: cancel had no effect there, and the next package was installed anyway."""
    pip = SlicersPip(monkeypatch)
    own = Interpreter("PythonSlicer", is_slicers=True)
    installation = Installation(own, [Step("pip", ("install", "one")), Step("pip", ("install", "two"))])
    installation.cancel()
    assert "Stopping" in installation.last_line
    assert installation.look() is InstallState.RUNNING
    pip.complete(0)
    assert installation.look() is InstallState.FAILED
    assert "stopped" in installation.error.message
    assert pip.calls == [["one"]]


def test_a_later_step_that_cannot_begin_ends_the_installation(monkeypatch):
    """sl6: the installation used to stay in the state "running" forever."""
    pip = SlicersPip(monkeypatch)
    own = Interpreter("PythonSlicer", is_slicers=True)
    installation = Installation(own, [Step("pip", ("install", "one")), Step("light_the_torch", ())])

    def missing(*_arguments, **_options):
        raise RuntimeError("PythonSlicer executable not found")

    monkeypatch.setattr(slicer.util, "executePythonModule", missing)
    pip.complete(0)
    assert installation.look() is InstallState.FAILED
    assert "PythonSlicer executable not found" in installation.log


def test_what_is_broken_is_installed_anew():
    """sl6."""
    (step,) = steps_for(("scipy>=1.11",), broken=("scipy>=1.11",))
    assert "--force-reinstall" in step.arguments
    assert "--force-reinstall" not in steps_for(("scipy>=1.11",))[0].arguments


def test_floors_of_packages_are_those_of_the_backend():
    assert all(line in engine_requirements() for line in requirements_named("pydicom", "SimpleITK", "scipy"))


def test_pytorch_comes_by_the_tool_that_knows_the_graphics_driver():
    steps = steps_for(("numpy>=1.26", "torch>=2.10", "fastapi>=0.120"), proxy="http://proxy:3128")
    assert [step.module for step in steps] == ["pip", "light_the_torch", "pip"]
    assert steps[1].arguments[-1] == "torch>=2.10"
    assert steps[2].arguments[-2:] == ("numpy>=1.26", "fastapi>=0.120")
    assert all("http://proxy:3128" in step.arguments for step in steps)


def test_a_pytorch_that_is_there_is_kept():
    (step,) = steps_for(("fastapi>=0.120",))
    assert step.module == "pip"
    assert not any("torch" in argument for argument in step.arguments)


def test_slicers_python_is_changed_by_slicers_function_only():
    packaging.install()
    packaging.asked.clear()
    own = Interpreter("PythonSlicer", is_slicers=True)
    installation = Installation(own, steps_for(("fastapi>=0.120", "uvicorn>=0.35")))
    assert to_the_end(installation) is InstallState.DONE
    assert packaging.asked[0][-2:] == ["fastapi>=0.120", "uvicorn>=0.35"]
    assert "install" not in packaging.asked[0]


def test_the_question_says_what_from_where_and_into_what(tmp_path):
    own = Interpreter("PythonSlicer", is_slicers=True)
    text = question(engine_requirements(), own, None)
    assert "Slicer's own Python" in text
    assert "pypi.org" in text
    assert "gigabytes" in text
    assert "torch>=" in text
    other = question(("fastapi>=0.120",), Interpreter("/opt/python", is_slicers=False), tmp_path)
    assert "/opt/python" in other
    assert str(tmp_path) in other
    assert "gigabytes" not in other
