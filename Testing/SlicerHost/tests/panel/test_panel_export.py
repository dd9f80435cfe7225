"""The dialog for export, as a user works it, with the real writer behind it."""

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
import qt
import slicer
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.rtstruct.reader import read_rtstruct
from TextSegmentLib.export import request
from TextSegmentLib.export.regions import RegionSource
from TextSegmentLib.export.request import Format
from TextSegmentLib.panel.anatomy.sets_menu import own_sets_folder

from slicer_host import driver
from slicer_host.dicom import qSlicerDICOMExportDialog
from slicer_host.liveness import Gate

SUPPORT = Path(__file__).parents[4] / "TextSegmentBackend" / "tests" / "support"
SHAPE = (40, 36, 24)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A DICOM series on the grid of the panel's image, and with its voxels."""
    monkeypatch.syspath_prepend(str(SUPPORT))
    from made_dicom import write_series

    affine = np.diag([2.0, 2.0, 3.0, 1.0])
    stored = np.arange(np.prod(SHAPE)).reshape(SHAPE[::-1]).transpose(2, 1, 0) + 24
    write_series(tmp_path / "dicom", stored, affine)
    return tmp_path / "dicom"


@pytest.fixture
def dialog(hands, folder):
    """The dialog, opened after a run on an image from the database."""
    uids = slicer.dicomDatabase.insert_folder(folder)
    hands.ui.inputSelector.currentNode().SetAttribute("DICOM.instanceUIDs", " ".join(uids))
    return opened(hands)


def opened(hands):
    hands.segment("liver, left kidney")
    driver.click(hands.ui.exportButton)
    made = hands.panel.results.export_dialog
    driver.wait_until(lambda: made.window.visible, "the dialog")
    return made


def export(dialog):
    driver.click(dialog.export_button)
    driver.wait_until(lambda: dialog.export_button.enabled, "the end of the export", 120)


def texts(dialog):
    return [dialog.form.list.item(row).text() for row in range(dialog.form.list.count)]


def uncheck(dialog, *rows):
    for row in rows:
        dialog.form.list.item(row).setCheckState(qt.Qt.Unchecked)


def test_a_structure_set_is_written_for_the_checked_structures(dialog, folder, tmp_path):
    uncheck(dialog, 1)
    dialog.form.path_edit.currentPath = str(tmp_path / "plan")
    export(dialog)
    assert "Written: plan.rtstruct.dcm" in dialog.message_label.text
    scan = read_dicom(folder)
    found = read_rtstruct(tmp_path / "plan.rtstruct.dcm", scan.source)
    assert [mask.structure for mask in found] == ["Liver"]


def test_the_window_lives_while_a_file_is_written(dialog, tmp_path, monkeypatch):
    dialog.form.format_box.currentIndex = list(Format).index(Format.SEGMENTATION)
    dialog.form.path_edit.currentPath = str(tmp_path / "plan")
    with Gate() as gate:
        gate.hold(monkeypatch, RegionSource, "to_mask")
        gate.hold(monkeypatch, request, "write")
        export(dialog)
    assert gate.passed == ["to_mask", "to_mask", "write"]
    assert (tmp_path / "plan.seg.dcm").is_file()


def test_the_list_shows_under_which_names_structures_are_written(dialog):
    assert texts(dialog) == ["liver  →  Liver", "left kidney  →  Kidney_L"]
    dialog.form.naming_box.currentIndex = 1
    assert texts(dialog) == ["liver", "left kidney"]
    dialog.form.naming_box.currentIndex = 2
    assert texts(dialog)[1] == "left kidney  →  Left Kidney"


def test_only_structure_sets_can_be_extended(dialog):
    assert dialog.form.append_edit.enabled
    dialog.form.format_box.currentIndex = 1
    assert not dialog.form.append_edit.enabled


def test_failures_are_shown_in_the_dialog(dialog, tmp_path):
    driver.click(dialog.export_button)
    assert "No file is chosen" in dialog.message_label.text
    dialog.form.path_edit.currentPath = str(tmp_path / "plan")
    uncheck(dialog, 0, 1)
    driver.click(dialog.export_button)
    assert "No structure is chosen" in dialog.message_label.text
    assert not dialog.progress_bar.visible


def test_an_image_that_is_not_from_dicom_asks_for_a_folder(hands, folder, tmp_path):
    dialog = opened(hands)
    dialog.form.path_edit.currentPath = str(tmp_path / "plan")
    driver.click(dialog.export_button)
    assert "not loaded from DICOM" in dialog.message_label.text
    dialog.form.folder_edit.currentPath = str(folder)
    export(dialog)
    assert "Written" in dialog.message_label.text
    file = pydicom.dcmread(tmp_path / "plan.rtstruct.dcm")
    assert len(file.StructureSetROISequence) == 2


def test_missing_packages_can_be_installed(dialog, tmp_path, monkeypatch):
    from slicer_host import packaging

    monkeypatch.setattr(Format, "requirements", property(lambda self: ("no-such-package-here>=2",)))
    dialog.form.path_edit.currentPath = str(tmp_path / "plan")
    assert not dialog.install_button.visible
    export(dialog)
    assert "no-such-package-here" in dialog.message_label.text
    packaging.asked.clear()
    questions = []
    monkeypatch.setattr(
        slicer.util, "confirmOkCancelDisplay", lambda text, *_, **__: questions.append(text) or True
    )
    driver.click(dialog.install_button)
    driver.wait_until(lambda: "Installed" in dialog.message_label.text, "the installation")
    assert "no-such-package-here>=2" in packaging.asked[0]
    assert "no-such-package-here>=2" in questions[0]


def test_slicers_own_export_is_a_link_away(dialog, hands):
    node = hands.widget.logic.run.segmentation_node
    qSlicerDICOMExportDialog.opened.clear()
    dialog._open_slicers_own("slicer")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    assert qSlicerDICOMExportDialog.opened == [hierarchy.GetItemByDataNode(node)]
    assert not dialog.window.visible


def test_the_panel_can_go_while_a_file_is_written(dialog, hands, tmp_path):
    dialog.form.path_edit.currentPath = str(tmp_path / "plan")
    driver.click(dialog.export_button)
    hands.panel.cleanup()
    driver.wait_until((tmp_path / "plan.rtstruct.dcm").is_file, "the file")
    assert driver.take_exceptions() == []


SERVER = {
    "Name": "Planning", "StorageCheckState": 2, "Called AETitle": "PLAN", "Calling AETitle": "CTK",
    "Address": "127.0.0.1", "Port": "1", "Timeout": "5",
}  # fmt: skip


@pytest.fixture
def servers(hands):
    """The servers of Slicer's DICOM browser: as JSON, as a table, without storage, and damaged."""
    without = {**SERVER, "Name": "Query only", "StorageCheckState": 0}
    older = {**SERVER, "Name": "Older", "StorageCheckState": "2"}
    values = [json.dumps(SERVER).encode(), older, json.dumps(without), b"{", {**SERVER, "Port": "x"}]
    store = qt.QSettings()
    store.setValue("DICOM/ServerNodeCount", len(values))
    for number, value in enumerate(values):
        store.setValue(f"DICOM/ServerNodes/{number}", value)
    yield
    store.remove("DICOM/ServerNodes")
    store.remove("DICOM/ServerNodeCount")


def test_an_export_goes_to_a_server_of_slicers_dicom_browser(servers, dialog, tmp_path):
    box = dialog.form.send_box
    assert [box.itemText(row) for row in range(box.count)] == ["", "Planning", "Older"]
    box.currentIndex = 1
    assert dict(dialog.form.destination.table)["calling_ae_title"] == "CTK"
    dialog.form.path_edit.currentPath = str(tmp_path / "plan")
    export(dialog)  # nobody listens at port 1: the file is there, and the failure is said
    assert "Written: plan.rtstruct.dcm" in dialog.message_label.text
    assert "cannot be reached" in dialog.message_label.text
    box.setEditText("PLAN at 104")
    export(dialog)
    assert "is not understood" in dialog.message_label.text


def test_a_set_of_ones_own_names_what_is_exported(hands, folder, tmp_path):
    own = own_sets_folder() / "Abdomen.toml"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text('label = "Abdomen"\n[[structure]]\nname = "Hepar"\ntext = "liver"\n', "utf-8")
    try:
        dialog = opened(hands)
    finally:
        own.unlink()
    box = dialog.form.naming_box
    assert box.itemText(box.count - 1) == "Set: Abdomen"
    box.currentIndex = box.count - 1
    assert texts(dialog) == ["liver  →  Hepar", "left kidney"]
    dialog.form.folder_edit.currentPath = str(folder)
    dialog.form.path_edit.currentPath = str(tmp_path / "plan")
    export(dialog)
    file = pydicom.dcmread(tmp_path / "plan.rtstruct.dcm")
    assert [item.ROIName for item in file.StructureSetROISequence] == ["Hepar", "left kidney"]
