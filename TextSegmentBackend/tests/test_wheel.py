"""The wheel: everything that is needed at run time, and nothing that is big."""

import functools
import json
import re
import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
import web_assets

SOURCE = Path(__file__).parents[1]
ASSETS = "textsegment/web/assets/"


def lock():
    return json.loads((SOURCE / "package-lock.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", ".assets*")
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


@pytest.mark.skipif(not web_assets.are_there(), reason="python tools/web_assets.py was not run")
def test_files_of_others_come_with_their_licenses_and_are_small(wheel):
    archive = zipfile.ZipFile(wheel)
    files = [file for file in archive.infolist() if file.filename.startswith(ASSETS)]
    names = {file.filename.removeprefix(ASSETS) for file in files}
    codecs = {f"{name}.{suffix}" for name, _ in web_assets.CODECS.values() for suffix in ("js", "wasm")}
    assert names == {"niivue.js", "LICENSES.txt", "version.txt"} | codecs
    assert sum(file.compress_size for file in files) < 1.5e6
    licenses = archive.read(f"{ASSETS}LICENSES.txt").decode()
    for name, package in lock()["packages"].items():
        if name and not package.get("optional"):
            assert f"\n{name.removeprefix('node_modules/')} {package['version']} (" in licenses
    holders = ("Niivue", "Chris Hafey", "Universite catholique de Louvain", "Jan de Vaan", "Francesc Alted")
    for holder in holders:
        assert re.search(rf"Copyright \(c\) .*{holder}", licenses, re.IGNORECASE), holder


def test_without_npm_the_build_goes_on_and_says_what_will_be_missing(tmp_path):
    (tmp_path / "src/textsegment/web").mkdir(parents=True)
    shutil.copytree(SOURCE / "tools/notices", tmp_path / "tools/notices")
    shutil.copy(SOURCE / "package-lock.json", tmp_path)
    tool = [sys.executable, str(shutil.copy(SOURCE / "tools/web_assets.py", tmp_path / "tools"))]
    run = functools.partial(subprocess.run, capture_output=True, text=True, env={"PATH": str(tmp_path)})
    going_on = run([*tool, "--where-possible"])
    assert going_on.returncode == 0
    assert "no 3-D" in going_on.stderr
    assert "npm is missing" in going_on.stderr
    stopping = run(tool)
    assert stopping.returncode == 1
    assert "npm is missing" in stopping.stderr
    assert list((tmp_path / "src/textsegment/web").iterdir()) == []


def test_the_lock_holds_hashes_and_no_address_of_a_registry():
    for name, package in lock()["packages"].items():
        assert name == "" or package["integrity"].startswith("sha512-")
        assert "resolved" not in package


def test_its_base_needs_numpy_and_requests_only(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    needs = message_from_bytes(archive.read(name)).get_all("Requires-Dist")
    assert needs is not None
    base = sorted(need.split(">")[0] for need in needs if "extra ==" not in need)
    assert base == ["numpy", "requests"]
