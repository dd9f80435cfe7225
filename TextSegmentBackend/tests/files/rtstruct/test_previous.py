"""A second run beside what a person has made of the first one."""

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from made_dicom import write_series

from textsegment.errors import InputError, InputNotFoundError
from textsegment.files.dicom.header import quiet_pydicom
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.rtstruct.previous import read_previous
from textsegment.files.rtstruct.reader import read_rtstruct
from textsegment.files.rtstruct.revision import read_set, untouched
from textsegment.files.rtstruct.writer import write_rtstruct
from textsegment.origin import Maker, Origin
from textsegment.segmentation import Segmentation, StructureMask

SHAPE = (24, 20, 8)
AFFINE = np.array([[-3.0, 0, 0, 60], [0, -3, 0, 40], [0, 0, 4, -20], [0, 0, 0, 1]])


@pytest.fixture
def scan(tmp_path):
    stored = np.random.default_rng(0).integers(900, 1200, SHAPE).astype(np.uint16)
    write_series(tmp_path / "scan", stored, AFFINE)
    return read_dicom(tmp_path / "scan")


def run(scan, size, *structures, maker=Maker.MODEL):
    """Boxes, of another size in each run."""
    masks = []
    for number, name in enumerate(structures):
        voxels = np.zeros(SHAPE, bool)
        voxels[2 + number : 2 + number + size, 3 : 3 + size, 2:6] = True
        mask = StructureMask.measured(name, voxels, scan.volume.geometry)
        masks.append(replace(mask, origin=Origin(maker)))
    return Segmentation(scan.volume.geometry, tuple(masks), {"model": "fake"})


@pytest.fixture
def old(scan, tmp_path):
    """The first run's liver, its heart edited, its spleen renamed, and somebody's PTV."""
    path = tmp_path / "old.dcm"
    write_rtstruct(run(scan, 6, "liver", "heart", "spleen"), scan.source, path)
    plan = pydicom.dcmread(path)
    with quiet_pydicom():
        data = plan.ROIContourSequence[1].ContourSequence[0].ContourData
        data[0] = float(data[0]) + 2.5
        plan.StructureSetROISequence[2].ROIName = "Spleen_Dr_X"
        plan.save_as(path)
    write_rtstruct(
        run(scan, 3, "PTV", maker=Maker.UNKNOWN), scan.source, tmp_path / "with_ptv.dcm", append_to=path
    )
    return tmp_path / "with_ptv.dcm"


def second_run(scan, old, tmp_path):
    previous = read_previous(old, scan.source, tmp_path)
    masks = previous.left_to_write(run(scan, 9, "liver", "heart", "spleen"), {})
    write_rtstruct(masks, scan.source, tmp_path / "new.dcm", append_to=previous.append_to)
    return previous, tmp_path / "new.dcm"


def test_only_what_nobody_has_edited_is_replaced(scan, old, tmp_path):
    before = old.read_bytes()
    previous, path = second_run(scan, old, tmp_path)
    assert previous.kept == ("heart", "Spleen_Dr_X", "PTV")
    assert [each.code for each in previous.cautions] == ["regions_replaced", "regions_kept"]
    assert previous.cautions[0].values["count"] == 1
    assert "heart" not in previous.reason
    earlier, later = read_rtstruct(old, scan.source), read_rtstruct(path, scan.source)
    assert [mask.structure for mask in later] == ["heart", "Spleen_Dr_X", "PTV", "liver", "spleen"]
    for kept in ("heart", "Spleen_Dr_X", "PTV"):
        assert np.array_equal(later.full_mask(kept), earlier.full_mask(kept))
    new = run(scan, 9, "liver", "heart", "spleen")
    for made in ("liver", "spleen"):
        assert np.array_equal(later.full_mask(made), new.full_mask(made))
    plan = pydicom.dcmread(path)
    (predecessor,) = plan.PredecessorStructureSetSequence
    assert predecessor.ReferencedSOPInstanceUID == pydicom.dcmread(old).SOPInstanceUID
    assert old.read_bytes() == before
    assert len(untouched(read_set(path))) == 2  # and a third run replaces both


def test_everything_is_replaced_where_nobody_has_done_anything(scan, tmp_path):
    write_rtstruct(run(scan, 6, "liver", "heart"), scan.source, tmp_path / "old.dcm")
    previous, path = second_run(scan, tmp_path / "old.dcm", tmp_path)
    assert (previous.kept, [each.code for each in previous.cautions]) == ((), ["regions_replaced"])
    assert [mask.structure for mask in read_rtstruct(path, scan.source)] == ["liver", "heart", "spleen"]


def test_an_approved_set_is_left_alone(scan, old, tmp_path):
    plan = pydicom.dcmread(old)
    plan.ApprovalStatus = "APPROVED"
    plan.save_as(old)
    before = old.read_bytes()
    previous, path = second_run(scan, old, tmp_path)
    assert [each.code for each in previous.cautions] == ["approved_set_kept"]
    assert previous.append_to is None
    assert old.read_bytes() == before
    new = pydicom.dcmread(path)
    assert [roi.ROIName for roi in new.StructureSetROISequence] == ["liver", "heart", "spleen"]
    assert "PredecessorStructureSetSequence" not in new


def test_short_names_are_known_again(scan, tmp_path):
    write_rtstruct(run(scan, 6, "left adrenal gland"), scan.source, tmp_path / "old.dcm", short_names=True)
    plan = pydicom.dcmread(tmp_path / "old.dcm")
    del plan.ROIContourSequence[0].ContourSequence[0]
    plan.save_as(tmp_path / "old.dcm")
    previous = read_previous(tmp_path / "old.dcm", scan.source, tmp_path)
    again = run(scan, 6, "left adrenal gland")
    assert len(previous.left_to_write(again, {}, short_names=True)) == 0
    assert len(previous.left_to_write(again, {})) == 1


def test_a_set_of_another_scan_or_none_is_refused(scan, old, tmp_path):
    write_series(tmp_path / "other", np.ones(SHAPE, np.uint16), AFFINE)
    other = read_dicom(tmp_path / "other")
    with pytest.raises(InputError):
        read_previous(old, other.source, tmp_path)
    with pytest.raises(InputNotFoundError):
        read_previous(tmp_path / "none.dcm", scan.source, tmp_path)
