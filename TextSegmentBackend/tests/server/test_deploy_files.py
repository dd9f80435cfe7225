"""The files of ``deploy/`` that systemd, container builders and Ray read."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tomllib
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

BACKEND = Path(__file__).parents[2]
DEPLOY = BACKEND / "deploy"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_unit(tmp_path):
    unit = tmp_path / "textsegment.service"
    text = (DEPLOY / "textsegment.service").read_text()
    unit.write_text(text.replace("/opt/textsegment/bin/textsegment", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", ["deploy/textsegment.service", "deploy/Dockerfile", "docs/deployment.md"])
def test_the_options_are_those_of_the_command(name):
    text = (BACKEND / name).read_text()
    used = set()
    for command in re.findall(r"textsegment[\"', ]+serve\b((?:\\\n|[^\n])*)", text):
        used |= set(re.findall(r"--[a-z-]+", command))
    assert used
    done = subprocess.run(
        [sys.executable, "-m", "textsegment", "serve", "--help"],
        capture_output=True,
        text=True,
        timeout=120,
        env={"COLUMNS": "200", "PATH": "", "NO_COLOR": "1", "TERM": "dumb"},
    )
    assert used <= set(re.findall(r"--[a-z-]+", done.stdout)) | {"--help"}


@pytest.mark.parametrize("extras", ["engine,server", "engine,ray"])
def test_the_container_installs_what_the_package_needs_by_version_and_hash(extras):
    """sv6: every package that pyproject.toml asks for is locked, at a version that it accepts."""
    project = tomllib.loads((BACKEND / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(line for extra in extras.split(",") for line in optional[extra])]
    wanted = [*wanted, *(optional["server"] if "ray" in extras else ())]
    text = (DEPLOY / f"requirements-{extras}.txt").read_text()
    entries = re.findall(
        r"^([a-z0-9-]+)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", text, re.M
    )
    locked = {name: Version(version) for name, version, _ in entries}
    lines = [line for line in text.splitlines() if line and not line.startswith(("#", " "))]
    assert len(entries) == len(lines)
    for line in wanted:
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({"python_version": "3.12"}):
            continue
        if (name := canonicalize_name(requirement.name)) != "textsegment":
            assert requirement.specifier.contains(locked[name]), name


def test_the_container_is_built_from_what_is_there():
    """sv6: its base by digest, what it copies, and the demo model inside."""
    text = (DEPLOY / "Dockerfile").read_text()
    assert re.search(r"^ARG PYTHON=python:3\.\d+-slim@sha256:[0-9a-f]{64}$", text, re.M)
    assert set(re.findall(r"^FROM (\S+)", text, re.M)) == {"${PYTHON}"}
    assert "--require-hashes" in text
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.M):
        for name in line.split():
            assert (BACKEND / name.replace("${EXTRAS}", "engine,server")).exists(), name
    (check,) = re.findall(r'^RUN python -c "(.*)"$', text, re.M)
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.filterwarnings("ignore:Using extra keyword arguments on `Field`")  # Ray's
def test_ray_accepts_the_configuration():
    from ray.serve.schema import ServeDeploySchema

    from textsegment.server.engines.ray.app import AppArguments

    kuberay = next(yaml.safe_load_all((DEPLOY / "kuberay.yaml").read_text()))
    for text in ((DEPLOY / "ray-serve.yaml").read_text(), kuberay["spec"]["serveConfigV2"]):
        (application,) = ServeDeploySchema.model_validate(yaml.safe_load(text)).applications
        assert application.import_path == "textsegment.server.engines.ray.app:app"
        arguments = AppArguments.model_validate(application.args)
        assert arguments.replicas.most == 4
        assert arguments.server["behind_proxy"]
