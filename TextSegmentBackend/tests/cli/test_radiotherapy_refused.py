"""``textsegment segment`` on DICOM: what is refused, and that nothing is lost."""

import pytest
from command_line import CHEST, textsegment
from made_dicom import write_series
from planning_scan import AFFINE, stored

from textsegment.testing import FakeSegmenter

pytestmark = pytest.mark.usefixtures("fake_engine")


def test_no_input_is_overwritten(tmp_path, folder):
    older = tmp_path / "older.rtstruct.dcm"
    assert textsegment("segment", folder, "aorta", "-o", older).code == 0
    before = older.read_bytes()
    for options in (("--append-to", older), ("--use", older, "--derive", "A = liver - A_Aorta")):
        ended = textsegment("segment", folder, "liver", "-o", older, "--overwrite", *options)
        assert ended.code == 4
        assert "input" in ended.err
        assert older.read_bytes() == before


@pytest.mark.parametrize("name", ["out.rtstruct.dcm", "out.seg.dcm"])
def test_dicom_of_another_image_is_refused_before_the_work(tmp_path, monkeypatch, name):
    monkeypatch.setattr(FakeSegmenter, "segment", None)
    ended = textsegment("segment", CHEST, "liver", "--modality", "CT", "-o", tmp_path / name)
    assert ended.code == 4
    assert "needs a scan that was read from DICOM" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_badly_anonymised_images_are_refused_before_the_work(tmp_path, monkeypatch):
    def without_identity(dataset, _):
        del dataset.SOPInstanceUID

    write_series(tmp_path / "scan", stored(0), AFFINE, change=without_identity)
    monkeypatch.setattr(FakeSegmenter, "segment", None)
    ended = textsegment("segment", tmp_path / "scan", "liver", "-o", tmp_path / "out.seg.dcm")
    assert ended.code == 4
    assert "identifiers" in ended.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--template", "elbow"], 2, "no such template"),
        (["--template", "mine.json"], 3, "no such template file"),
        (["liver", "--naming", "latin"], 2, "sat, tg263, snomed"),
        (["liver", "--derive", "A = liver +"], 2, "character 12"),
        (["liver", "--derive", "A = liver - spleen"], 2, "'spleen'"),
        (["liver", "--derive", "Liver = liver margin 3"], 2, "already"),
        (["liver", "--short-names"], 4, "structure set"),
        (["liver", "--append-to", "old.rtstruct.dcm"], 4, "structure set"),
        (["liver", "--report", "report.pdf"], 4, ".html"),
        (["liver", "--use", "old.rtstruct.dcm"], 2, "--derive"),
        (["liver", "--series", "99"], 3, "no series of this number"),
        (["liver", "-o", "out.dcm"], 4, ".rtstruct.dcm"),
    ],
)
def test_wishes_that_cannot_be_met(tmp_path, folder, monkeypatch, arguments, code, words):
    monkeypatch.chdir(tmp_path)
    ended = textsegment("segment", folder, *arguments, "-o", "out.seg.nrrd")
    assert ended.code == code, ended.err
    assert words in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["scan"]


@pytest.mark.parametrize(
    "text",
    [
        "liver - GTV", "PTV + 5mm", "union of lungs", "liver minus GTV", "heart, 5 mm around the spinal cord",
        "Rest = liver + heart", "brain excluding brainstem", "spinal cord PRV", "PTV",
    ],
)  # fmt: skip
def test_expressions_typed_as_text_lead_to_derive(tmp_path, folder, text):
    ended = textsegment("segment", folder, text, "-o", tmp_path / "out.seg.nrrd")
    assert ended.code == 2
    assert "--derive" in ended.err
    assert "--use" in ended.err


@pytest.mark.parametrize("text", ["no liver", "livr", "femur-neck"])
def test_other_refusals_keep_their_own_words(tmp_path, folder, text):
    ended = textsegment("segment", folder, text, "-o", tmp_path / "out.seg.nrrd")
    assert ended.code == 2
    assert "--derive" not in ended.err


def test_results_that_are_there_stay(tmp_path, folder):
    for name in ("out.rtstruct.dcm", "out.seg.dcm", "report.html"):
        (tmp_path / name).write_text("precious")
        output = (
            ("--report", tmp_path / name, "-o", tmp_path / "masks")
            if "html" in name
            else ("-o", tmp_path / name)
        )
        ended = textsegment("segment", folder, "liver", *output)
        assert ended.code == 4
        assert "--overwrite" in ended.err
        assert (tmp_path / name).read_text() == "precious"
    assert not (tmp_path / "masks").exists()
