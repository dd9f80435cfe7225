"""A second run on a series: what the node made and nobody touched is replaced, all else stays."""

import pydicom
import pytest
from archive import free_port
from made_node import RULE, made_series, made_settings, running, states, take, wait_for

from textsegment.node.journal.entries import State

pytestmark = pytest.mark.filterwarnings("ignore")


def half(folder):
    """Move half of the images of a series to another folder."""
    folder.with_name("late").mkdir()
    for path in sorted(folder.iterdir())[6:]:
        path.rename(folder.with_name("late") / path.name)


def names(dataset):
    return sorted(str(roi.ROIName) for roi in dataset.StructureSetROISequence)


def points(dataset, name):
    (number,) = [roi.ROINumber for roi in dataset.StructureSetROISequence if roi.ROIName == name]
    (item,) = [item for item in dataset.ROIContourSequence if item.ReferencedROINumber == number]
    return [list(contour.ContourData) for contour in item.ContourSequence]


def edited(dataset, *, approve=False):
    """What a person makes of it elsewhere: the liver is moved, a target is added, the kidney stays."""
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    dataset.SeriesInstanceUID = pydicom.uid.generate_uid()
    dataset.Manufacturer, dataset.StructureSetTime = "Planning system", "235959"
    (liver,) = [n for n, roi in enumerate(dataset.StructureSetROISequence) if roi.ROIName == "Liver"]
    contour = dataset.ROIContourSequence[liver].ContourSequence[0]
    contour.ContourData = [f"{float(v) + 0.5:.2f}" for v in contour.ContourData]
    target = pydicom.Dataset()
    target.ROINumber, target.ROIName, target.ROIGenerationAlgorithm = 99, "GTV", "MANUAL"
    target.ReferencedFrameOfReferenceUID = dataset.StructureSetROISequence[0].ReferencedFrameOfReferenceUID
    dataset.StructureSetROISequence.append(target)
    item = pydicom.Dataset()
    item.ReferencedROINumber, item.ContourSequence = 99, [contour]
    dataset.ROIContourSequence.append(item)
    if approve:
        dataset.ApprovalStatus = "APPROVED"
    return dataset


@pytest.fixture
def series(tmp_path):
    made_series(tmp_path / "scan")
    half(tmp_path / "scan")
    return tmp_path


def web_rules():
    return [{**RULE, "destinations": ["web"]}]


def test_regions_of_a_person_are_kept_and_own_ones_replaced(series, archive, node_port):
    settings = made_settings(series, archive, node_port, rules=web_rules())
    with running(settings) as node:
        take(node, series / "scan")
        wait_for(node)
        (first,) = archive.find("RTSTRUCT")
        assert names(first) == ["Kidney_L", "Liver"]
        original = str(first.SOPInstanceUID)
        edited(first).save_as(series / "edited.dcm")
        archive.put(series / "edited.dcm")
        theirs = points(pydicom.dcmread(series / "edited.dcm"), "Liver")
        take(node, series / "late")
        wait_for(node, 2)
        assert states(node.journal) == [State.DELIVERED] * 2
        assert "replaced: 1" in node.journal.entries()[1].reason
        assert "GTV" not in node.journal.entries()[1].reason
    sets = {str(each.SOPInstanceUID): each for each in archive.find("RTSTRUCT")}
    assert len(sets) == 3  # nothing is ever removed from the archive
    (new,) = [each for uid, each in sets.items() if uid not in (original, str(first.SOPInstanceUID))]
    assert names(new) == ["GTV", "Kidney_L", "Liver"]
    assert points(new, "Liver") == theirs
    assert points(new, "Kidney_L") != points(sets[original], "Kidney_L")
    assert new.PredecessorStructureSetSequence[0].ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert new.ApprovalStatus == "UNAPPROVED"


def test_an_approved_set_is_left_alone_and_a_new_one_made(series, archive, node_port):
    settings = made_settings(series, archive, node_port, rules=web_rules())
    with running(settings) as node:
        take(node, series / "scan")
        wait_for(node)
        (first,) = archive.find("RTSTRUCT")
        original = str(first.SOPInstanceUID)
        edited(first, approve=True).save_as(series / "approved.dcm")
        archive.put(series / "approved.dcm")
        take(node, series / "late")
        wait_for(node, 2)
        assert "approved" in node.journal.entries()[1].reason
    sets = archive.find("RTSTRUCT")
    (approved,) = [each for each in sets if each.ApprovalStatus == "APPROVED"]
    assert approved == pydicom.dcmread(series / "approved.dcm")
    (new,) = [each for each in sets if each.SOPInstanceUID not in (approved.SOPInstanceUID, original)]
    assert names(new) == ["Kidney_L", "Liver"]
    assert "PredecessorStructureSetSequence" not in new


def test_without_an_archive_the_set_in_the_spool_is_the_earlier_one(series):
    settings = made_settings(series, port=free_port())
    with running(settings) as node:
        take(node, series / "scan")
        wait_for(node)
        take(node, series / "late")
        wait_for(node, 2)
        first, second = (pydicom.dcmread(next(node.spool.results(n).glob("*.rtstruct.dcm"))) for n in (1, 2))
    assert names(second) == names(first) == ["Kidney_L", "Liver"]
    assert second.PredecessorStructureSetSequence[0].ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert second.SOPInstanceUID != first.SOPInstanceUID


def test_a_set_of_others_on_the_same_series_is_not_touched(series, archive, node_port):
    settings = made_settings(series, archive, node_port, rules=web_rules())
    with running(settings) as node:
        take(node, series / "scan")
        wait_for(node)
        (first,) = archive.find("RTSTRUCT")
        foreign = edited(pydicom.dcmread(next(node.spool.results(1).glob("*.rtstruct.dcm"))))
        for roi in foreign.StructureSetROISequence:
            roi.ROIName = f"Dr. X {roi.ROIName}"
        foreign.save_as(series / "foreign.dcm")
        archive.put(series / "foreign.dcm")
        take(node, series / "late")
        wait_for(node, 2)
    old = (first.SOPInstanceUID, foreign.SOPInstanceUID)
    (new,) = [each for each in archive.find("RTSTRUCT") if each.SOPInstanceUID not in old]
    assert names(new) == ["Kidney_L", "Liver"]
    assert new.PredecessorStructureSetSequence[0].ReferencedSOPInstanceUID == first.SOPInstanceUID
