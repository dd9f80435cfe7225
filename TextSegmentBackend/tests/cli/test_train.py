"""``textsegment train``: sets that cannot be used; the training itself has its own tests."""

import json

import pytest
from command_line import textsegment


@pytest.mark.parametrize(
    ("files", "code"),
    [
        (None, "[input_not_found]"),
        ({}, "[input_not_found]"),
        ({"cases.jsonl": "no json"}, "[input_not_found]"),
        ({"set.json": "no json", "cases.jsonl": ""}, "[input_invalid]"),
        ({"set.json": "[]", "cases.jsonl": "no json"}, "[input_invalid]"),
    ],
)
def test_what_is_no_set_is_refused_before_the_first_step(tmp_path, files, code):
    folder = tmp_path / "set"
    if files is not None:
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_text(content)
    ended = textsegment("train", folder, "-o", tmp_path / "run", "--model", "sat-demo", "--steps", "1")
    assert ended.code == 3, ended.err
    assert code in ended.err
    assert str(tmp_path) not in ended.err
    assert not (tmp_path / "run").exists()


def test_a_description_of_scans_is_no_set(tmp_path):
    """The format of earlier versions: it says how to make a set of it."""
    case = {"image": "a.nii.gz", "labels": "b.nii.gz", "modality": "CT", "names": {"1": "liver"}}
    path = tmp_path / "dataset.json"
    path.write_text(json.dumps({"structures": {"CT": ["liver"]}, "cases": [case]}))
    ended = textsegment("train", path, "-o", tmp_path / "run")
    assert ended.code == 3
    assert "data prepare" in ended.err
