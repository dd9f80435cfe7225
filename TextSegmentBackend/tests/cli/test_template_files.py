"""Template files on the command line: from a built-in one to one's own, and what is said of mistakes."""

import json

import pytest
from command_line import CHEST, textsegment

from textsegment.files.images.seg_nrrd import read_seg_nrrd

pytestmark = pytest.mark.usefixtures("engine")

OURS = """
label = "Chest, our way"

[[structure]]
name = "Heart_PRV"
derive = "Heart margin 10"

[[structure]]
name = "Lungs"
text = "lt lung, rt lung"
fill_holes = true

[[structure]]
name = "Heart"
text = "heart"
color = "#ff0000"
keep_largest = true

[[structure]]
name = "Opt"
derive = "Heart - PTV"
"""


def test_a_file_of_a_site(tmp_path):
    template, out, report = tmp_path / "ours.toml", tmp_path / "out.seg.nrrd", tmp_path / "out.json"
    template.write_text(OURS)
    command = ["segment", CHEST, "--modality", "CT", "--template", template, "-o", out, "--json", report]
    ended = textsegment(*command)
    assert ended.code == 0, ended.err
    assert "Made of structures that are not there (PTV): Opt." in ended.out
    result = read_seg_nrrd(out)
    assert [mask.structure for mask in result] == ["Heart_PRV", "Lungs", "Heart"]
    assert (result.full_mask("Heart_PRV") >= result.full_mask("Heart")).all()
    assert "Segment2_Color:=1.0 0.0 0.0" in out.read_bytes().split(b"\n\n")[0].decode()
    assert json.loads(report.read_text())["template"] == "ours"


def test_a_batch_notices_that_its_template_has_changed(tmp_path):
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "one.nrrd").write_bytes(CHEST.read_bytes())
    template = tmp_path / "ours.toml"
    command = ["segment", tmp_path / "scans", "--modality", "CT", "-o", f"{tmp_path}/out/out.seg.nrrd"]
    command += ["--template", template]
    template.write_text('[[structure]]\nname = "Heart"\ntext = "heart"\n')
    assert textsegment(*command).code == 0
    assert "kept" in textsegment(*command).out
    template.write_text('[[structure]]\nname = "Heart"\ntext = "heart"\nsmooth_mm = 3\n')
    ended = textsegment(*command)
    assert (ended.code, "kept" in ended.out) == (8, False)
    assert "[output_" in ended.err


def test_a_built_in_template_as_a_file(tmp_path):
    printed = textsegment("terms", "templates", "prostate", "--toml")
    assert printed.code == 0
    (tmp_path / "own.toml").write_text(printed.out)
    shown = textsegment("terms", "templates", tmp_path / "own.toml")
    assert (shown.code, "Femur_Head_L" in shown.out) == (0, True)
    assert textsegment("terms", "templates", "--toml").code == 2


def test_a_mistake_is_said_with_its_line(tmp_path):
    (tmp_path / "own.toml").write_text('[[structure]]\nname = "Heart"\ntext = "heart"\ncolour = "red"\n')
    ended = textsegment(
        "segment", CHEST, "--template", tmp_path / "own.toml", "-o", tmp_path / "out.seg.nrrd"
    )
    assert ended.code == 3
    assert "line 4, structure 1 (Heart), colour: there is no such field." in ended.err
    assert "[template_invalid]" in ended.err
