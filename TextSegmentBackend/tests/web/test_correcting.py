"""Pen, eraser, undo, and carrying what was drawn to the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from watched_page import Watched, ask, saved

from textsegment.files.images.seg_nrrd import read_seg_nrrd


def circle(page, radius: float) -> None:
    """Draw a closed outline around the middle of the axial picture with the mouse."""
    box = page.locator("#axial canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x + radius, y)
    page.mouse.down()
    for angle in np.radians(np.arange(0, 375, 15)):
        page.mouse.move(x + radius * np.cos(angle), y + radius * np.sin(angle))
    page.mouse.up()


def masks_of(page, folder: Path, name: str):
    return read_seg_nrrd(saved(page, "#save_slicer", folder / f"{name}.seg.nrrd"))


def test_a_drawn_slice_is_carried_to_the_rest_and_every_step_can_be_undone(watched: Watched, tmp_path):
    """What was drawn is in the answer as drawn, and marked as a person's; undo brings back what was."""
    page = watched.open()
    page.click("#sample")
    ask(page, "heart, liver")
    page.wait_for_selector("#rows tr:nth-child(2)")
    page.wait_for_selector("#segment:visible")
    before = masks_of(page, tmp_path, "before")
    page.click('tr[data-structure="heart"] td:nth-child(3) button')  # its largest slice
    page.click('tr[data-structure="heart"] td:nth-child(6) button')
    circle(page, 70)
    page.click("#apply")
    page.wait_for_selector("#apply:not([disabled])")
    page.wait_for_selector('tr[data-structure="heart"]:has-text("corrected")')
    after = masks_of(page, tmp_path, "after")
    old, new = before.full_mask("heart"), after.full_mask("heart")
    k = int(old.sum((0, 1)).argmax())
    drawn = new[:, :, k] & ~old[:, :, k]
    assert drawn.sum() > 20  # the circle is larger than the heart, and filled
    assert (new != old).any((0, 1)).sum() > 1  # other slices followed
    assert after["heart"].origin.maker.value == "edited"
    np.testing.assert_array_equal(after.full_mask("liver"), before.full_mask("liver"))
    assert after["liver"].origin.maker.value == "model"
    # Saving ended the correction; a corrected structure is never computed anew.
    page.click("#segment")
    page.wait_for_selector('#warnings:has-text("kept as it was corrected")')
    np.testing.assert_array_equal(masks_of(page, tmp_path, "again").full_mask("heart"), new)


def test_strokes_are_undone_one_by_one(watched: Watched, tmp_path):
    page = watched.open()
    page.click("#sample")
    ask(page, "heart")
    page.wait_for_selector("#rows tr")
    page.wait_for_selector("#segment:visible")
    before = masks_of(page, tmp_path, "before").full_mask("heart")
    page.click('tr[data-structure="heart"] td:nth-child(6) button')
    page.click("#apply")
    page.wait_for_selector("#problem:visible")  # nothing was drawn
    circle(page, 40)
    page.keyboard.press("e")
    circle(page, 90)
    page.keyboard.press("Control+z")
    page.click("#undo")
    page.click("#undo")  # one too many does nothing
    page.click("#done")
    np.testing.assert_array_equal(masks_of(page, tmp_path, "undone").full_mask("heart"), before)
    page.click('tr[data-structure="heart"] td:nth-child(6) button')
    circle(page, 40)
    page.click("#done")
    drawn = masks_of(page, tmp_path, "drawn")
    assert (drawn.full_mask("heart") != before).any((0, 1)).sum() == 1
    assert drawn["heart"].origin.maker.value == "edited"
