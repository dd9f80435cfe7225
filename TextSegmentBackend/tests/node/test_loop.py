"""The whole way on real parts: dcmtk's scanner, Orthanc, the node, Orthanc; and by DICOMweb both ways."""

import subprocess
import time
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from archive import AE_TITLE, STORESCU, storescu
from command_line import CHEST, demo_engine, share_engine, textsegment
from made_clock import clock_of
from made_dicom import write_series
from made_node import RULE, made_series, made_settings, running, states, wait_for
from server_process import wait_until

from textsegment.files.dicom.reader import read_dicom
from textsegment.files.dicom_seg.reader import read_dicom_seg
from textsegment.files.rtstruct.reader import read_rtstruct
from textsegment.node import intake as intake_module
from textsegment.node.journal.entries import State

TEXT = "left lung, heart, liver"


@pytest.fixture(scope="module")
def chest(tmp_path_factory):
    """A real CT of a chest, every fourth voxel, as a series."""
    folder = tmp_path_factory.mktemp("chest") / "scan"
    image = SimpleITK.ReadImage(str(CHEST))[::4, ::4, ::4]
    affine = np.diag([*(np.array(image.GetSpacing()) * [-1, -1, 1]), 1.0])
    affine[:3, 3] = np.array(image.GetOrigin()) * [-1, -1, 1]
    voxels = SimpleITK.GetArrayFromImage(image).T
    write_series(folder, np.clip(voxels + 1024, 0, 4095).astype(np.uint16), affine)
    return folder


def geometry_of(folder):
    scan = read_dicom(folder)
    return scan, scan.volume.geometry


def contours(dataset):
    """Names and points of all regions."""
    names = {roi.ROINumber: str(roi.ROIName) for roi in dataset.StructureSetROISequence}
    return {
        names[item.ReferencedROINumber]: [list(contour.ContourData) for contour in item.ContourSequence]
        for item in dataset.ROIContourSequence
    }


def test_scanner_to_archive_to_node_to_archive_is_a_direct_run(
    tmp_path, chest, archive, node_port, monkeypatch
):
    rule = {**RULE, "text": TEXT, "outputs": ["rtstruct", "seg", "report"], "destinations": ["archive"]}
    settings = made_settings(tmp_path, archive, node_port, rules=[rule])
    with running(settings, demo_engine()) as node:
        assert storescu(chest, archive.port, called=AE_TITLE).returncode == 0
        wait_for(node)
        assert states(node.journal) == [State.DELIVERED]
    share_engine(monkeypatch)
    direct = tmp_path / "direct.rtstruct.dcm"
    assert textsegment("segment", chest, TEXT, "-o", direct, "-q").code == 0
    (delivered,) = archive.find("RTSTRUCT")
    expected = pydicom.dcmread(direct)
    assert contours(delivered) == contours(expected) != {}
    assert delivered.ApprovalStatus == "UNAPPROVED"
    assert delivered.PatientID == "SECRET-ID"
    scan, geometry = geometry_of(chest)
    delivered.save_as(tmp_path / "back.dcm")
    back, again = read_rtstruct(tmp_path / "back.dcm", scan.source), read_rtstruct(direct, scan.source)
    for mask in again:
        assert (back.full_mask(mask.structure) == again.full_mask(mask.structure)).all()
    (segmentation,) = archive.find("SEG")
    segmentation.save_as(tmp_path / "back.seg.dcm")
    assert len(read_dicom_seg(tmp_path / "back.seg.dcm", geometry=geometry)) == len(again)
    (report,) = archive.find("SR")
    texts = " ".join(str(item.get("TextValue", "")) for item in report.ContentSequence)
    assert "Unapproved" in texts
    assert "ml" in texts


def test_archive_to_dicomweb_to_node_to_stow(tmp_path, archive):
    series = made_series(tmp_path / "scan")
    rule = {**RULE, "outputs": ["rtstruct", "seg"], "destinations": ["web"]}
    poll = {
        "name": "query",
        "url": archive.web,
        "user": archive.user,
        "password_file": "password",
        "interval_s": 0.3,
        "days": 0,
        "query": {"StudyDescription": "*RT*", "Modality": "CT"},
    }
    for path in (tmp_path / "scan").iterdir():
        dataset = pydicom.dcmread(path)
        dataset.StudyDescription = "RT plan"
        dataset.save_as(path)
    settings = made_settings(tmp_path, archive, receive=None, polls=[poll], rules=[rule])
    assert storescu(tmp_path / "scan", archive.port, called=AE_TITLE).returncode == 0
    made_series(tmp_path / "other", seed=1)  # without that description
    assert storescu(tmp_path / "other", archive.port, called=AE_TITLE).returncode == 0
    with running(settings) as node:
        wait_for(node)
        assert states(node.journal) == [State.DELIVERED]
        assert node.intake.taken == 12
    (delivered,) = archive.find("RTSTRUCT")
    assert series in str(delivered)
    assert len(archive.find("SEG")) == 1
    with running(settings) as node:  # what was served is not fetched again
        begin = time.monotonic()
        wait_until(lambda: node._pollers[0].reached_at > begin + 1.0, "three more answers")
        assert node.intake.taken + node.intake.repeated == 0
    assert len(archive.find("CT")) == 24


@pytest.fixture
def study(tmp_path):
    """Folders with the series of one study: a CT with two kernels, and a PET."""

    def change(kernel, modality="CT"):
        def inner(dataset, _):
            dataset.StudyInstanceUID = "1.2.3.4"
            dataset.FrameOfReferenceUID = "1.2.3.5"
            dataset.ConvolutionKernel = kernel
            dataset.Modality = modality

        return inner

    return {
        name: (
            tmp_path / name,
            made_series(tmp_path / name, seed, modality=modality, change=change(kernel, modality)),
        )
        for seed, (name, kernel, modality) in enumerate(
            [("sharp", "B70f", "CT"), ("soft", "B30f", "CT"), ("pet", "", "PT")]
        )
    }


def test_of_two_kernels_one_is_chosen_and_pet_is_left_out(tmp_path, study, archive, node_port):
    choose = {"prefer": [{"kernel": "B30*"}], "wait_s": 0.7}
    settings = made_settings(
        tmp_path, archive, node_port, rules=[{**RULE, "choose": choose, "destinations": ["archive"]}]
    )
    with running(settings) as node:
        for folder, _ in study.values():
            assert storescu(folder, node_port).returncode == 0
        wait_for(node, 3)
        found = {entry.uid: entry for entry in node.journal.entries()}
    assert found[study["soft"][1]].state is State.DELIVERED
    assert "another series of its study was chosen" in found[study["sharp"][1]].reason
    assert found[study["pet"][1]].reason == "No rule matches: 'all CT' fails at modality."
    (delivered,) = archive.find("RTSTRUCT")
    assert study["soft"][1] in str(delivered)


def test_two_series_interleaved(tmp_path, archive, node_port, monkeypatch):
    """Image by image, in associations of their own that hold one image of each."""
    clock = clock_of(monkeypatch, intake_module, stands=True)
    names = [made_series(tmp_path / str(number), number) for number in range(2)]
    settings = made_settings(tmp_path, archive, node_port)
    with running(settings) as node:
        files = [sorted((tmp_path / str(number)).iterdir()) for number in range(2)]
        for pair in zip(*files, strict=True):
            assert send(pair, node_port) == 0
        clock.move(settings.limits.quiet_s)
        wait_for(node, 2)
        assert states(node.journal) == [State.DELIVERED] * 2
        assert {entry.images for entry in node.journal.entries()} == {12}
    for name in names:
        assert len(archive.find("RTSTRUCT", name)) == 1


def send(paths, port):
    command = [STORESCU, "-aet", "SCANNER", "-aec", "TEXTSEGMENT", "127.0.0.1", str(port)]
    return subprocess.run([*command, *map(str, paths)], check=False, capture_output=True).returncode


def test_results_do_not_come_in_again(tmp_path, archive, node_port):
    """The archive sends everything of a study to the node, its own results too: they are refused."""
    made_series(tmp_path / "scan")
    settings = made_settings(tmp_path, archive, node_port)
    with running(settings) as node:
        storescu(tmp_path / "scan", node_port)
        wait_for(node)
        (delivered,) = archive.find("RTSTRUCT")
        delivered.save_as(tmp_path / "result.dcm")
        assert send([tmp_path / "result.dcm"], node_port) != 0  # no presentation context
        assert len(node.journal.entries()) == 1


def test_same_series_twice_is_served_once(tmp_path, archive, node_port):
    made_series(tmp_path / "scan")
    settings = made_settings(tmp_path, archive, node_port)
    with running(settings) as node:
        for _ in range(2):
            assert storescu(tmp_path / "scan", node_port).returncode == 0
        wait_for(node)
        assert storescu(tmp_path / "scan", node_port).returncode == 0
        wait_for(node)
        assert states(node.journal) == [State.DELIVERED]
    assert len(archive.find("RTSTRUCT")) == 1


def test_nothing_of_the_patient_is_in_the_journal(tmp_path, node_port):
    series = made_series(tmp_path / "scan")
    settings = made_settings(tmp_path, port=node_port, identifiers="hashed")
    with running(settings) as node:
        storescu(tmp_path / "scan", node_port)
        wait_for(node)
        assert states(node.journal) == [State.DELIVERED]  # without destinations: the spool is the destination
    spool = Path(settings.folder)
    written = b"".join(path.read_bytes() for path in spool.glob("journal.sqlite*"))
    for secret in (b"Secret", b"SECRET", series.encode()):
        assert secret not in written
    names = " ".join(str(path) for path in spool.rglob("*"))
    assert series not in names
    assert oct(spool.stat().st_mode & 0o077) in ("0o0", "0o55")
