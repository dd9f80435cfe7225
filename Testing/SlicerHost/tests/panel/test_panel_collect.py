"""The Collect switch: off until it is turned on; then what is accepted goes to the chosen folder."""

import json

from TextSegmentLib import settings

from slicer_host import driver


def accept(hands, name):
    hands.select_row(name)
    driver.click(hands.ui.acceptButton)


def test_accepted_structures_are_collected_only_while_the_switch_is_on(hands, tmp_path):
    """15.1"""
    ui = hands.ui
    hands.segment("liver, aorta, heart")
    ui.collectFolderEdit.currentPath = str(tmp_path)
    assert not ui.collectBox.checked
    assert not ui.collectFolderEdit.visible
    accept(hands, "liver")
    assert list(tmp_path.iterdir()) == []

    driver.click(ui.collectBox)
    assert settings.collects()
    assert ui.collectFolderEdit.visible
    accept(hands, "aorta")
    driver.wait_until(lambda: "Collected as" in ui.collectLabel.text, "a case in the folder")
    (case,) = tmp_path.iterdir()
    record = json.loads((case / "case.json").read_text())
    assert {each["name"] for each in record["segments"]} == {"liver", "aorta"}
    assert not record["patient_is_known"]

    ui.collectFolderEdit.currentPath = str(tmp_path / "nowhere")
    accept(hands, "heart")
    driver.wait_until(lambda: "not there" in ui.collectLabel.text, "an error about the folder")
    driver.click(ui.collectBox)
    assert not settings.collects()
    assert ui.collectLabel.text == ""
