"""The verdict on a mask, and what tidying changed, stand in every output, in the same words."""

import json
from dataclasses import replace

import nrrd
import numpy as np
import pydicom
import pytest
from made_dicom import write_series

from textsegment.caution import Caution
from textsegment.cli.report import print_table, remarks
from textsegment.doubt import Calibration
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.images.seg_nrrd import read_seg_nrrd
from textsegment.files.masks import read_masks
from textsegment.files.report.page import write_report_page
from textsegment.files.report.structured import write_structured_report
from textsegment.files.report.summary import make_report, write_json
from textsegment.files.results import write_result
from textsegment.origin import Maker, Origin
from textsegment.segmentation import Segmentation
from textsegment.testing import FakeSegmenter
from textsegment.wire.mask_codec import decode_mask, encode_mask

AFFINE = np.array([[-3.0, 0, 0, 60], [0, -3, 0, 40], [0, 0, 4, -20], [0, 0, 0, 1]])
SAID = "Check: other structures claim 80 % of it."
CALIBRATION = {"calibration": Calibration(0.3, 0.4, 12, 200).to_values()}


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scan")
    stored = np.random.default_rng(0).integers(900, 1200, (32, 30, 12)).astype(np.uint16)
    write_series(folder, stored, AFFINE)
    return read_dicom(folder)


def segmentation(scan, provenance=CALIBRATION):
    """A lung tumor, of which no volume is odd, half claimed by others; a good one; and an empty one."""
    found = FakeSegmenter().segment(scan.volume, ["lung tumor", "liver tumor", "spleen"])
    odd, good, empty = found.masks
    odd = replace(odd, statistics=replace(odd.statistics, claimed_share=0.8, part_count=2))
    return replace(found, masks=(odd, good, empty), provenance={**found.provenance, **provenance})


@pytest.mark.parametrize("name", ["r.rtstruct.dcm", "r.seg.dcm", "r.seg.nrrd", "r.nii.gz", "masks/"])
def test_in_files_of_masks(scan, tmp_path, name):
    path = tmp_path / name
    write_result(segmentation(scan), f"{path}/" if name.endswith("/") else path, source=scan.source)
    if name == "r.rtstruct.dcm":
        odd, good = (item.ROIDescription for item in pydicom.dcmread(path).StructureSetROISequence)
        assert SAID in odd
        assert "Check" not in good
        again, *_ = read_masks(path, scan)
        assert any(SAID in warning for warning in again.warnings)  # and stays with what is made of it
    elif name == "r.seg.dcm":
        items = pydicom.dcmread(path).SegmentSequence
        assert SAID.removesuffix(".") in items[0].SegmentDescription
        assert "Check" not in items[1].SegmentDescription
    elif name == "r.seg.nrrd":
        header = nrrd.read_header(str(path))
        assert any(SAID in str(value) for value in header.values())
    elif name == "r.nii.gz":
        tables = [json.loads(file.read_text()) for file in tmp_path.glob("*.json")]
        assert [SAID in label.get("warnings", []) for label in tables[0]["labels"]] == [True, False, False]


def test_in_json_page_structured_report_and_terminal(scan, tmp_path, capsys):
    result = segmentation(scan)
    report = make_report(scan.volume, result)
    odd, good, empty = report["structures"]
    assert odd["doubt"] == {
        "verdict": "check",
        "text": SAID,
        "reasons": [
            {"code": "claimed", "text": "other structures claim 80 % of it", "values": {"percent": 80}}
        ],
    }
    assert odd["measured"] == {"part_count": 2, "claimed_share": 0.8}
    assert good["doubt"] is None
    assert empty["measured"] == {}
    write_json(report, tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text())["structures"][0]["doubt"] == odd["doubt"]
    write_report_page(scan.volume, result, report, tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text().count(SAID) == 1
    write_structured_report(report, scan.source, tmp_path / "sr.dcm")
    texts = [
        str(i.TextValue) for i in pydicom.dcmread(tmp_path / "sr.dcm").ContentSequence if "TextValue" in i
    ]
    assert [SAID in text for text in texts if text.startswith(("lung", "liver"))] == [True, False]
    assert remarks(report)[0] == f"lung tumor: {SAID}"
    print_table(report)
    assert "found, check" in capsys.readouterr().out


def test_without_calibration_reasons_are_said_where_there_is_room_and_nothing_is_judged(scan, tmp_path):
    result = segmentation(scan, {})
    report = make_report(scan.volume, result)
    doubt = report["structures"][0]["doubt"]
    assert doubt["verdict"] == "not judged"
    assert doubt["text"].startswith(
        "Not judged, since the weights are not calibrated: other structures claim"
    )
    write_result(result, tmp_path / "r.rtstruct.dcm", source=scan.source)
    items = pydicom.dcmread(tmp_path / "r.rtstruct.dcm").StructureSetROISequence
    assert not any("claim" in item.ROIDescription for item in items)


def test_what_a_person_edited_is_not_judged(scan):
    given = segmentation(scan)
    masks = tuple(replace(mask, origin=Origin(Maker.EDITED)) for mask in given)
    assert [e["doubt"] for e in make_report(scan.volume, replace(given, masks=masks))["structures"]] == [
        None
    ] * 3


REMOVED = "Tidied: what lay on the other side of the body was removed (3.5 ml)."


@pytest.fixture(params=["here", "by a server"])
def tidied(scan, request):
    """A lung that was tidied by this program, or by the server from which it came."""
    (found,) = FakeSegmenter().segment(scan.volume, ["left lung"]).masks
    warnings = (*found.warnings, Caution("tidy_side", volume_ml=3.5))
    mask = replace(found, warnings=warnings, origin=Origin(tidied=True))
    if request.param == "by a server":
        mask = decode_mask(encode_mask(mask), scan.volume.geometry.spatial_shape)
    assert mask.origin.tidied
    return Segmentation(scan.volume.geometry, (mask,), {"model": "sat-demo", "tidy": True})


@pytest.mark.parametrize("name", ["r.rtstruct.dcm", "r.seg.dcm", "r.seg.nrrd", "r.nii.gz"])
def test_what_was_tidied_in_files_of_masks(scan, tidied, tmp_path, name):
    path = tmp_path / name
    write_result(tidied, path, source=scan.source)
    if name == "r.rtstruct.dcm":
        said = pydicom.dcmread(path).StructureSetROISequence[0].ROIDescription
    elif name == "r.seg.dcm":
        said = pydicom.dcmread(path).SegmentSequence[0].SegmentDescription
    elif name == "r.seg.nrrd":
        said = nrrd.read_header(str(path))["Segment0_Tags"]
        (again,) = read_seg_nrrd(path)
        assert again.origin == Origin(tidied=True)
        assert REMOVED in again.warnings[0]
    else:
        (table,) = (json.loads(file.read_text()) for file in tmp_path.glob("*.json"))
        said = table["labels"][0]["warnings"][-1]
    assert REMOVED.removesuffix(".") in said


def test_what_was_tidied_in_reports(scan, tidied, tmp_path):
    report = make_report(scan.volume, tidied)
    (entry,) = report["structures"]
    assert (report["tidy"], entry["tidied"], entry["codes"]) == (True, True, ["tidy_side"])
    write_report_page(scan.volume, tidied, report, tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text().count(REMOVED) == 1
    write_structured_report(report, scan.source, tmp_path / "sr.dcm")
    texts = [
        str(i.TextValue) for i in pydicom.dcmread(tmp_path / "sr.dcm").ContentSequence if "TextValue" in i
    ]
    assert any(REMOVED in text for text in texts)
    assert f"left lung: {REMOVED}" in remarks(report)
