"""Installing packages, for real: into a fresh Python, from a folder of wheels."""

import base64
import hashlib
import time
import zipfile
from pathlib import Path

import pytest
from fresh_python import fresh_python
from slicer_host import packaging
from TextSegmentLib.engine.environment import Environment, requirements
from TextSegmentLib.engine.installer import Installation, InstallState, Step, question, steps_for
from TextSegmentLib.engine.interpreter import Interpreter


def environment(*missing):
    return Environment((3, 12, 10), missing, (), ())


def to_the_end(installation):
    deadline = time.monotonic() + 120
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
    """A folder with one small wheel."""
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
    installation = Installation(python, steps_for(environment("tiny-thing>=1.1"), wheels=wheels))
    assert to_the_end(installation) is InstallState.DONE, installation.log
    assert installation.error is None
    assert "Successfully installed tiny-thing-1.2" in installation.log
    site = Path(python.executable).parent.parent.glob("lib/*/site-packages/tiny_thing.py")
    assert next(site).read_text() == "VALUE = 7\n"


def test_what_cannot_be_installed_is_said_with_the_log(python, wheels):
    steps = steps_for(environment("tiny-thing>=9"), wheels=wheels)
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
    assert installation.can_be_cancelled
    installation.cancel()
    assert to_the_end(installation) is InstallState.FAILED


def test_pytorch_comes_by_the_tool_that_knows_the_graphics_driver():
    steps = steps_for(environment("numpy>=1.26", "torch>=2.10", "fastapi>=0.120"), proxy="http://proxy:3128")
    assert [step.module for step in steps] == ["pip", "light_the_torch", "pip"]
    assert steps[1].arguments[-1] == "torch>=2.10"
    assert steps[2].arguments[-2:] == ("numpy>=1.26", "fastapi>=0.120")
    assert all("http://proxy:3128" in step.arguments for step in steps)


def test_a_pytorch_that_is_there_is_kept():
    (step,) = steps_for(environment("fastapi>=0.120"))
    assert step.module == "pip"
    assert not any("torch" in argument for argument in step.arguments)


def test_slicers_python_is_changed_by_slicers_function_only():
    packaging.install()
    packaging.asked.clear()
    own = Interpreter("PythonSlicer", is_slicers=True)
    installation = Installation(own, steps_for(environment("fastapi>=0.120", "uvicorn>=0.35")))
    assert to_the_end(installation) is InstallState.DONE
    assert packaging.asked[0][-2:] == ["fastapi>=0.120", "uvicorn>=0.35"]
    assert "install" not in packaging.asked[0]
    assert not installation.can_be_cancelled


def test_the_question_says_what_from_where_and_into_what(tmp_path):
    own = Interpreter("PythonSlicer", is_slicers=True)
    text = question(environment(*requirements()), own, None)
    assert "Slicer's own Python" in text
    assert "pypi.org" in text
    assert "gigabytes" in text
    assert "torch>=" in text
    other = question(environment("fastapi>=0.120"), Interpreter("/opt/python", is_slicers=False), tmp_path)
    assert "/opt/python" in other
    assert str(tmp_path) in other
    assert "gigabytes" not in other
