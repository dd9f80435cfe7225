"""The wheel: everything that is needed at run time, and nothing that is big."""

import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(SOURCE / "src", copy / "src", ignore=ignored)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(SOURCE / name, copy / name)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", str(folder), str(copy)], check=True)
    (built,) = folder.glob("textsegment-*.whl")
    return built


def test_all_modules_and_data_are_in_it(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    package = SOURCE / "src" / "textsegment"
    expected = {
        path.relative_to(SOURCE / "src").as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert not expected - names
    assert {
        "textsegment/py.typed",
        "textsegment/model/data/sat-demo.safetensors",
        "textsegment/model/data/mpnet_vocab.txt",
        "textsegment/vocabulary/data/structures.json",
    } <= names


def test_it_is_small(wheel):
    assert wheel.stat().st_size < 12e6


def test_its_base_needs_numpy_and_requests_only(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    needs = message_from_bytes(archive.read(name)).get_all("Requires-Dist")
    assert needs is not None
    base = sorted(need.split(">")[0] for need in needs if "extra ==" not in need)
    assert base == ["numpy", "requests"]
