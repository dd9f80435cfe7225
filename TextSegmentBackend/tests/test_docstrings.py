"""Examples in docstrings run, and the value types, segmenters, vocabulary and readers have some."""

import doctest
import importlib
from pathlib import Path

import pytest

import textsegment

SOURCE = Path(textsegment.__file__).parent
# Their examples need a scan or a server.
NOT_RUN = {"__init__", "client.remote"}
MODULES = sorted(
    name
    for path in SOURCE.rglob("*.py")
    if ">>>" in path.read_text("utf-8")
    and (name := path.relative_to(SOURCE).with_suffix("").as_posix().replace("/", ".")) not in NOT_RUN
)
SHOWN = (
    *(
        "geometry",
        "volume",
        "modality",
        "prompt",
        "request",
        "segmentation",
        "origin",
        "caution",
        "segmenter",
    ),
    *("correction.edit", "correction.request", "correction.propagation"),
    *("vocabulary.resolve", "vocabulary.selection", "vocabulary.structures", "vocabulary.tree"),
    *("vocabulary.template", "files.reading", "files.results"),
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(f"textsegment.{name}")
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("name", SHOWN)
def test_what_users_meet_first_shows_an_example(name):
    module = importlib.import_module(f"textsegment.{name}")
    assert any(test.examples for test in doctest.DocTestFinder().find(module))
