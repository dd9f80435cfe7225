"""The dialog for comparisons, as a user works it, with the real measures behind it."""

import re

import pytest
import slicer
from textsegment.testing import FakeSegmenter
from TextSegmentLib.logic import TextSegmentLogic

from slicer_host import driver


def opened(hands):
    driver.click(hands.ui.compareButton)
    made = hands.panel.results.compare_dialog
    driver.wait_until(lambda: made.window.visible, "the dialog")
    return made


@pytest.fixture
def reference(hands):
    """Another segmentation of the same image: the liver as in the result, and a kidney that it lacks."""
    node = TextSegmentLogic().segment(
        hands.ui.inputSelector.currentNode(), "liver, right kidney", segmenter=FakeSegmenter(), modality="CT"
    )
    node.SetName("By a person")
    return node


def compare(dialog):
    driver.click(dialog.compare_button)
    driver.wait_until(lambda: dialog.compare_button.enabled, "the comparison", 120)
    return re.sub("<[^>]*>", "|", dialog.table_label.text)


def test_a_result_is_compared_with_a_reference(hands, reference, tmp_path):
    hands.segment("liver, left kidney")
    dialog = opened(hands)
    names = [dialog.reference_box.itemText(row) for row in range(dialog.reference_box.count)]
    assert "By a person" in names
    dialog.reference_box.currentIndex = names.index("By a person")
    dialog.page_edit.currentPath = str(tmp_path / "page.html")
    said = compare(dialog)
    assert re.search(r"liver\|+1\.000\|+1\.000\|+1\|+0\.0\|", said), said
    assert "Missing in the result: right kidney" in said
    assert "Only in the result: left kidney" in said
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "data:image/png" in page
    assert "There is a file of this name already" in compare(dialog)


def test_failures_are_shown_in_the_dialog(hands):
    hands.segment("liver")
    alone = opened(hands)
    assert "no other segmentation" in alone.table_label.text
    assert not alone.compare_button.enabled
    driver.click(alone.close_button)
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Empty")
    other = TextSegmentLogic().segment(
        hands.ui.inputSelector.currentNode(), "right kidney", segmenter=FakeSegmenter(), modality="CT"
    )
    dialog = opened(hands)
    names = [dialog.reference_box.itemText(row) for row in range(dialog.reference_box.count)]
    dialog.reference_box.currentIndex = names.index(empty.GetName())
    assert "has no segments" in compare(dialog)
    dialog.reference_box.currentIndex = names.index(other.GetName())
    assert "no structure in common" in compare(dialog)
