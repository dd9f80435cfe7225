"""The printed report: complete, self-contained, and free of anything that runs."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from made_scans import ANISOTROPIC, OBLIQUE, SHEARED

from textsegment.derive.expression import parse_definition
from textsegment.derive.structures import derive
from textsegment.errors import OutputError
from textsegment.files.report.page import write_report_page
from textsegment.files.report.summary import make_report
from textsegment.geometry import Geometry
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.testing import FakeSegmenter, phantom

HOSTILE = '<script>alert("x")</script> & "liver"'


class Reader(HTMLParser):
    """Collects text, tags and sources; complains of what is not closed."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.sources, self.texts = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href")]
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def written(folder, volume, result, **options):
    write_report_page(volume, result, make_report(volume, result, **options), folder / "report.html")
    reader = Reader()
    page = (folder / "report.html").read_text("utf-8")
    reader.feed(page)
    assert reader.open == []
    return page, reader


@pytest.fixture
def result():
    volume = phantom()
    found = FakeSegmenter().segment(volume, ["liver", "left kidney", "spleen"])
    return volume, derive(found, [parse_definition("Ring = liver margin 6 - liver")], voxels=volume.voxels)


def test_everything_is_said(tmp_path, result):
    volume, segmentation = result
    page, reader = written(
        tmp_path,
        volume,
        segmentation,
        names={"left kidney": "Kidney_L"},
        missing={"Not in the model": ["LAD", "PenileBulb"]},
        notes=["A note."],
    )
    text = " ".join(" ".join(reader.texts).split())
    for words in (
        "Unapproved.",
        "check every structure before use",
        "Kidney_L left kidney",
        "not found",
        '("liver" margin 6 mm) - "liver"',
        "Not in the model: LAD, PenileBulb",
        "A note.",
        "fake",
        "CT, 40 × 36 × 24 voxels of 2 × 2 × 3 mm",
        "0.75",
    ):
        assert words in text, words
    # Three slices of all, one of each that was found.
    assert reader.tags.count("img") == 3 + 3
    volume_ml = segmentation["liver"].statistics.volume_ml
    assert (f"{volume_ml:,.0f}" if volume_ml >= 100 else f"{volume_ml:.3g}") in text
    assert "@page" in page


def test_nothing_runs_and_nothing_comes_from_elsewhere(tmp_path, result):
    volume, segmentation = result
    page, reader = written(tmp_path, volume, segmentation, names={"liver": HOSTILE}, notes=[HOSTILE])
    assert "script" not in reader.tags
    assert HOSTILE not in page
    assert all(source.startswith("data:image/png;base64,") for source in reader.sources)
    assert not re.search(r"https?://|url\(|@import", page)
    assert not re.search(r"<[^>]*\son\w+=", page)


@pytest.mark.parametrize("matrix", [OBLIQUE, SHEARED, ANISOTROPIC])
@pytest.mark.parametrize("modality", ["CT", "MR", "PT"])
def test_any_scan_can_be_shown(tmp_path, matrix, modality):
    volume = phantom((20, 18, 9), matrix, modality)
    name = {"CT": "liver", "MR": "liver", "PT": "lung"}[modality]
    mask = np.zeros((20, 18, 9), dtype=bool)
    mask[0, 17, 8] = True
    geometry = volume.geometry
    masks = (StructureMask.measured(name, mask, geometry), StructureMask.measured("x", ~mask, geometry))
    page, _ = written(tmp_path, volume, Segmentation(geometry, masks, {"model": "fake"}))
    assert "cut off" in page


def test_an_empty_result_has_a_page_too(tmp_path):
    volume = phantom()
    nothing = np.zeros(volume.geometry.spatial_shape, dtype=bool)
    masks = (StructureMask.measured("spleen", nothing, volume.geometry),)
    page, reader = written(
        tmp_path, volume, Segmentation(Geometry(nothing.shape, volume.geometry.affine), masks)
    )
    assert "not found" in page
    assert reader.tags.count("img") == 3


def test_a_missing_folder(tmp_path, result):
    volume, segmentation = result
    with pytest.raises(OutputError, match="does not exist"):
        write_report_page(volume, segmentation, make_report(volume, segmentation), tmp_path / "no" / "r.html")
