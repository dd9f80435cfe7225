"""``textsegment train``; the training itself has its own tests."""

import json

import pytest
from command_line import textsegment


@pytest.mark.parametrize("content", [None, "no json", "[]", '{"cases": []}'])
def test_a_bad_description_is_refused(tmp_path, content):
    dataset = tmp_path / "dataset.json"
    if content is not None:
        dataset.write_text(content)
    ended = textsegment("train", dataset, "--scans", tmp_path, "-o", tmp_path / "run", "--steps", "1")
    assert ended.code == 3, ended.err
    assert not (tmp_path / "run").exists()


def test_a_missing_scan_is_said_so(tmp_path):
    case = {"image": "a.nii.gz", "labels": "b.nii.gz", "modality": "CT", "names": {"1": "liver"}}
    (tmp_path / "dataset.json").write_text(json.dumps({"structures": {"CT": ["liver"]}, "cases": [case]}))
    ended = textsegment("train", tmp_path / "dataset.json", "--scans", tmp_path, "-o", tmp_path / "run")
    assert ended.code == 3
    assert "[input_not_found]" in ended.err
