"""``textsegment compare``: any two of our formats."""

import json
import re

import numpy as np
import pytest
from command_line import textsegment
from made_dicom import write_series
from made_scans import OBLIQUE, SHAPE, segmentation, separate_masks

from textsegment.files.reading import read_scan
from textsegment.files.results import write_result

FORMATS = ["r.seg.nrrd", "r.nii.gz", "masks/", "r.rtstruct.dcm", "r.seg.dcm"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A series, and its segmentation in every format."""
    folder = tmp_path_factory.mktemp("compare")
    write_series(folder / "ct", np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE), OBLIQUE)
    scan = read_scan(folder / "ct")
    made = segmentation(scan.volume.geometry.affine, separate_masks())
    for name in FORMATS:
        write_result(made, f"{folder}/{name}", source=scan.source)
    moved = {name: np.roll(mask, 1, axis=1) for name, mask in separate_masks().items()}
    write_result(segmentation(scan.volume.geometry.affine, moved), folder / "moved.seg.nrrd")
    return folder


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_equals_every_other(folder, tmp_path, name):
    ended = textsegment(
        "compare",
        folder / name,
        folder / "r.seg.nrrd",
        "--scan",
        folder / "ct",
        "--json",
        tmp_path / "c.json",
    )
    assert ended.code == 0, ended.err
    found = json.loads((tmp_path / "c.json").read_text())
    assert {"liver", "left kidney"} <= {entry["structure"] for entry in found["structures"]}
    assert all(entry["dice"] == 1 and entry["surface_dice"] == 1 for entry in found["structures"])


def test_a_difference_is_shown(folder, tmp_path):
    ended = textsegment(
        "compare",
        folder / "moved.seg.nrrd",
        folder / "r.rtstruct.dcm",
        *("--scan", folder / "ct", "--tolerance", "liver=3", "--page", tmp_path / "c.html"),
    )
    assert ended.code == 0, ended.err
    liver = next(line for line in ended.out.splitlines() if line.startswith("liver"))
    assert re.search(r"^liver\s+0\.857\s+1\.000\s+3\s+1\.1\s", liver)
    page = (tmp_path / "c.html").read_text()
    assert page.count("data:image/png") == 2
    assert "liver: Dice 0.857" in page
    assert str(folder) not in page


def test_pictures_without_a_scan(folder, tmp_path):
    ended = textsegment(
        "compare", folder / "moved.seg.nrrd", folder / "r.seg.nrrd", "--page", tmp_path / "c.html"
    )
    assert ended.code == 0, ended.err
    assert (tmp_path / "c.html").read_text().count("data:image/png") == 2


def test_bad_calls_are_two_lines(folder, tmp_path):
    result, reference = folder / "moved.seg.nrrd", folder / "r.seg.nrrd"
    page = tmp_path / "c.html"
    for code, arguments in (
        (3, [tmp_path / "none", reference]),
        (3, [folder / "r.rtstruct.dcm", reference]),
        (2, [result, reference, "--tolerance", "much"]),
        (2, [result, reference, "--pair", "liver"]),
        (2, [result, reference, "--pair", "liver=lever"]),
        (4, [result, reference, "--page", tmp_path / "c.txt"]),
        (4, [result, reference, "--json", result]),
        (4, [result, reference, "--json", tmp_path / "no" / "c.json"]),
    ):
        ended = textsegment("compare", *arguments)
        assert ended.code == code, (arguments, ended)
        assert ended.err.startswith("Error: ")
        assert len(ended.err.splitlines()) <= 2
    page.write_text("mine")
    assert textsegment("compare", result, reference, "--page", page).code == 4
    assert page.read_text() == "mine"
    assert textsegment("compare", result, reference, "--page", page, "--overwrite").code == 0
