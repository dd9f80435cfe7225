"""``textsegment segment --server`` on DICOM: all as without a server, and nothing of the patient sent."""

import json

import numpy as np
import pydicom
import pytest
from command_line import textsegment
from made_dicom import write_series
from odd_server import OddServer, serving
from planning_scan import AFFINE, stored
from server_process import ServerProcess

from textsegment.cli.session import Session
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.dicom_seg.reader import read_dicom_seg
from textsegment.testing import FakeSegmenter
from textsegment.vocabulary.structures import known_in
from textsegment.volume import Volume
from textsegment.wire.contract import INFO_ROUTE, PROTOCOL_HEADER, SEGMENT_ROUTE, volume_path
from textsegment.wire.volumes.codec import encode_volume
from textsegment.wire.volumes.header import Encoding


@pytest.fixture
def scan(tmp_path, monkeypatch):
    """A DICOM folder and a structure set of it; without a server, balls are found here."""
    here = FakeSegmenter()
    real = Session.segmenter.func
    monkeypatch.setattr(Session, "segmenter", property(lambda self: real(self) if self.server else here))
    write_series(tmp_path / "scan", stored(0), AFFINE)
    ended = textsegment("segment", tmp_path / "scan", "aorta", "-o", tmp_path / "old.rtstruct.dcm")
    assert ended.code == 0, ended.err
    return tmp_path / "scan"


def plan(scan, *options):
    """Use all that the command line has for radiotherapy."""
    older = scan.parent / "old.rtstruct.dcm"
    return textsegment(
        "segment", scan, "left lung, right lung", "--template", "prostate", "--naming", "snomed",
        "--derive", "Both = left lung + right lung", "--derive", "Opt = Both margin 6 - A_Aorta",
        "--use", older, "--append-to", older, "-o", "plan.rtstruct.dcm", "-o", "plan.seg.dcm",
        "--json", "report.json", "--report", "report.html", *options,
    )  # fmt: skip


def contours(path):
    dataset = pydicom.dcmread(path)
    return [str(roi.ROIName) for roi in dataset.StructureSetROISequence], dataset.ROIContourSequence


def test_a_server_gives_the_same_plan(tmp_path, scan, monkeypatch):
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    ended = plan(scan)
    assert ended.code == 0, ended.err
    monkeypatch.chdir(tmp_path / "there")
    with ServerProcess() as server:
        ended = plan(scan, "--server", server.url)
    assert ended.code == 0, ended.err
    here, there = tmp_path / "here", tmp_path / "there"
    assert contours(here / "plan.rtstruct.dcm") == contours(there / "plan.rtstruct.dcm")
    grid = read_dicom(scan).volume.geometry
    masks, same = (read_dicom_seg(at / "plan.seg.dcm", geometry=grid) for at in (here, there))
    assert [mask.structure for mask in masks] == [mask.structure for mask in same]
    assert {"Both", "Opt", "Left Lung", "Bladder"} <= {mask.structure for mask in masks}
    for mask in masks:
        assert np.array_equal(masks.full_mask(mask.structure), same.full_mask(mask.structure))
    report, other = (json.loads((at / "report.json").read_text()) for at in (here, there))
    assert other.pop("timings_s")["upload"] > 0
    del report["timings_s"]
    assert report == other
    assert (there / "report.html").stat().st_size > 10_000


def test_a_server_is_sent_voxels_affine_modality_and_prompts(tmp_path, scan, monkeypatch):
    """Fault 43."""
    monkeypatch.chdir(tmp_path)
    with serving(OddServer()) as server:
        ended = plan(scan, "--server", server.url)
    assert ended.code == 0, ended.err
    (digest,) = server.volumes
    image = read_dicom(scan).volume
    bare = Volume(image.voxels, image.geometry, "CT")
    bodies = {b"".join(encode_volume(bare, encoding)) for encoding in Encoding}
    for request in server.requests:
        assert request.path in (INFO_ROUTE, SEGMENT_ROUTE, volume_path(digest))
        assert set(request.headers) <= {
            "host", "user-agent", "accept", "accept-encoding", "connection", "content-type",
            "content-length", "transfer-encoding", PROTOCOL_HEADER.lower(),
        }  # fmt: skip
        assert "Secret" not in " ".join(request.headers.values())
        if request.method == "PUT":
            assert bytes(request.body) in bodies
        elif request.method == "POST":
            body = json.loads(request.body)
            assert set(body) == {"volume", "prompts", "estimate", "details"}
            assert body["volume"] == digest
            assert set(body["prompts"]) <= set(known_in("CT"))
        else:
            assert not request.body
    assert sorted(set(server.methods())) == ["GET", "HEAD", "POST", "PUT"]
