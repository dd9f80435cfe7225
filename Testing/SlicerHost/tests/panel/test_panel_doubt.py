"""Doubt and tidying in the panel: what is said, the way through it, and what a click does."""

import re

import pytest
import qt
from cases import points_ras
from doubtful import Doubtful, WithStrays

from slicer_host import driver

ODD = {
    "liver": {"second_part_share": 0.7, "part_count": 2, "volume_ml": 1500.0},
    "aorta": {"volume_ml": 250.0},
    "heart": {"volume_ml": 600.0},
    "pancreas": {"claimed_share": 0.9, "volume_ml": 80.0},
}


@pytest.fixture
def doubtful(hands):
    """The panel after a run in which two of four structures are doubtful."""
    hands.engine = Doubtful(ODD, {"heart": {"shift_agreement": 0.2}})
    hands.panel.engine.use(hands.engine)
    hands.segment("aorta, liver, heart, pancreas")
    return hands


def label(hands):
    return re.sub(r"<.*?>", "", hands.ui.doubtLabel.text)


def test_doubt_is_said_in_words(doubtful):
    """Issue 13.A2."""
    states = dict(doubtful.states())
    assert (states["liver"], states["pancreas"], states["aorta"]) == ("check", "check", "done")
    assert "To check: " in label(doubtful)
    assert "distant parts" not in label(doubtful)
    doubtful.select_row("liver")
    assert "liver: check: " in label(doubtful)
    assert "70 %" in label(doubtful)
    view = doubtful.ui.resultsTable.tableWidget()
    tips = [view.model().index(row, 6).data(qt.Qt.ToolTipRole) for row in range(4)]
    assert sum("check: " in tip for tip in tips) == 2


def test_most_results_doubtful_is_said_above_everything_and_stays_said(doubtful):
    """Issue 13.A2."""
    assert "doubtful" in doubtful.ui.messageLabel.text
    assert "Many results look doubtful (2 of 4)" in label(doubtful)
    doubtful.select_row("liver")
    driver.click(doubtful.ui.acceptButton)
    driver.wait_until(lambda: "Many results" not in label(doubtful), "one less")


def test_doubtful_rows_alone_are_shown_until_there_are_none(doubtful):
    table, box = doubtful.ui.resultsTable, doubtful.ui.doubtfulOnlyBox
    driver.click(box)
    assert sorted(name for name, _ in doubtful.states()) == ["liver", "pancreas"]
    assert len(table.displayedSegmentIDs()) == 2
    for name in ("liver", "pancreas"):
        doubtful.select_row(name)
        driver.click(doubtful.ui.acceptButton)
    driver.wait_until(lambda: len(table.displayedSegmentIDs()) == 4, "nothing is doubtful")
    assert not box.enabled
    states = dict(doubtful.states())
    assert (states["liver"], states["aorta"]) == ("accepted", "done")


def test_the_strip_leads_to_the_next_doubtful_structure(doubtful):
    """Issue 13.C3."""
    doubtful.ui.correctButton.collapsed = False
    driver.click(doubtful.ui.nextDoubtHereButton)
    (segment_id,) = doubtful.ui.resultsTable.selectedSegmentIDs()
    driver.wait_until(lambda: doubtful.panel.correction.editor is not None, "the editor")
    assert doubtful.panel.correction.editor.currentSegmentID() == segment_id
    driver.fit_panel(doubtful.widget.parent)  # with the strip open, it must not be wider than before


def test_one_goes_from_doubt_to_doubt(doubtful):
    """Issue 13.A2, C3: next doubtful structure."""
    seen = []
    for _click in range(3):
        driver.click(doubtful.ui.nextDoubtButton)
        (segment_id,) = doubtful.ui.resultsTable.selectedSegmentIDs()
        seen.append(segment_id)
    assert seen[0] == seen[2] != seen[1]
    view = doubtful.ui.resultsTable.tableWidget()
    view.setFocus()
    driver.press(view, qt.Qt.Key_N)
    driver.press(view, qt.Qt.Key_A)
    driver.wait_until(lambda: [row[1] for row in doubtful.states()].count("check") == 1, "one less")


def test_second_look_says_its_cost_and_finds_what_is_unstable(doubtful):
    """Issue 13.A4."""
    driver.click(doubtful.ui.checkButton)
    assert "twice" in doubtful.ui.messageLabel.text
    assert len(doubtful.engine.efforts) == 1
    links = re.findall(r"<a href='(\d+)'>(.*?)</a>", doubtful.ui.messageLabel.text)
    doubtful.ui.messageLabel.linkActivated.emit(next(link for link, text in links if "Check 4" in text))
    doubtful.wait_for_end()
    assert doubtful.engine.efforts[-1].check
    driver.wait_until(lambda: dict(doubtful.states()).get("heart") == "check", "the verdict")
    assert len(doubtful.states()) == 4


def test_nothing_is_said_without_doubt(hands):
    hands.segment("liver")
    assert not hands.ui.nextDoubtButton.enabled


def test_tidying_is_switched_on_said_and_taken_back(hands):
    """Issue 13.B."""
    hands.panel.engine.use(WithStrays())
    assert not hands.ui.tidyBox.checked
    driver.click(hands.ui.tidyBox)
    hands.segment("liver")
    node = hands.panel.results.shown.segmentation_node
    tidy = len(points_ras(node, "liver"))
    assert hands.note.startswith("Tidied")
    assert "ml" in hands.note
    (link,) = re.findall(r"<a href='(raw .*?)'", hands.ui.resultsNoteLabel.text)
    hands.ui.resultsNoteLabel.linkActivated.emit(link)
    assert len(points_ras(node, "liver")) == tidy + 1
    assert "Tidied" not in hands.note
    driver.click(hands.ui.undoButton)
    driver.wait_until(lambda: "Tidied" in hands.note, "the tidied mask")
    assert len(points_ras(node, "liver")) == tidy


def test_choice_of_tidying_outlives_the_panel(hands):
    driver.click(hands.ui.tidyBox)
    from TextSegmentLib import settings

    assert settings.tidy() is True
    driver.click(hands.ui.tidyBox)
