"""Planes as in a PACS: window by hand and by key, zoom, one plane alone, ranges for fingers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page
from watched_page import PLACE, Watched, drop, phantom_file


@pytest.fixture
def page(doubted: Watched, tmp_path: Path) -> Page:
    path = phantom_file(tmp_path)
    opened = doubted.open()
    drop(opened, path)
    return opened


def levels(page: Page) -> tuple[int, int]:
    found = re.match(r"W (\S+)  L (\S+)", page.inner_text("#axial small"))
    assert found is not None
    return int(found[1]), int(found[2])


def place(page: Page) -> list[float]:
    found = PLACE.search(page.inner_text("#place"))
    assert found is not None
    return [float(found[n]) for n in (1, 2, 3)]


def middle(page: Page, plane: str) -> tuple[float, float]:
    box = page.locator(f"#{plane} canvas").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_the_window_is_set_by_list_by_key_and_by_the_right_button(page: Page):
    page.wait_for_selector('#axial small:has-text("W 400")')
    assert levels(page) == (400, 40)
    page.focus("#axial canvas")
    page.keyboard.press("3")
    page.wait_for_selector('#axial small:has-text("W 1800")')
    assert page.input_value("#window") == "bone"
    x, y = middle(page, "axial")
    page.mouse.move(x, y)
    page.mouse.down(button="right")
    page.mouse.move(x + 20, y - 10, steps=4)
    page.mouse.up(button="right")
    page.wait_for_selector('#axial small:not(:has-text("W 1800"))')
    width, level = levels(page)
    assert width > 1800
    assert level < 400
    assert page.input_value("#window") == ""  # so that the same preset can be chosen again
    page.select_option("#window", "bone")
    page.wait_for_selector('#axial small:has-text("W 1800")')


def test_what_is_under_the_mouse_stays_there_when_zooming(page: Page):
    """And the crosshair goes to the voxel that is seen there, also when the picture was moved."""
    x, y = middle(page, "axial")
    at = (x + 60, y - 40)
    page.mouse.click(*at)
    before = place(page)
    page.keyboard.down("Control")
    for _ in range(6):
        page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    page.mouse.click(*at)
    assert place(page) == before
    page.mouse.move(*at)
    page.mouse.down(button="middle")
    page.mouse.move(at[0] - 90, at[1] + 30, steps=5)
    page.mouse.up(button="middle")
    page.mouse.click(at[0] - 90, at[1] + 30)
    assert place(page) == before
    page.keyboard.press("0")
    page.mouse.click(*at)
    assert place(page) == before
    page.wait_for_selector('#axial output:has-text("9 / 16")')
    page.mouse.wheel(0, 100)  # without Ctrl, slices
    page.wait_for_selector('#axial output:has-text("8 / 16")')
    assert place(page)[:2] == before[:2]


def test_a_touchpad_turns_slices_no_faster_than_a_wheel(page: Page):
    page.mouse.move(*middle(page, "axial"))
    page.wait_for_selector('#axial output:has-text("9 / 16")')
    for _ in range(10):
        page.mouse.wheel(0, 11)
    page.wait_for_selector('#axial output:has-text("7 / 16")')


def test_one_plane_alone_and_all_again(page: Page):
    visible = (
        "[...document.querySelectorAll('.plane')].filter((one) => one.checkVisibility()).map((one) => one.id)"
    )
    page.dblclick("#coronal canvas")
    assert page.evaluate(visible) == ["coronal"]
    assert page.locator("#coronal").bounding_box()["width"] > 600
    page.keyboard.press("f")
    assert page.evaluate(visible) == ["axial", "coronal", "sagittal"]


def test_slices_are_chosen_by_a_range_where_there_is_no_wheel(page: Page):
    page.set_viewport_size({"width": 390, "height": 800})
    page.fill("#axial .slices", "12")
    page.wait_for_selector('#axial output:has-text("12 / 16")')
    assert place(page)[2] == 11


def test_lines_that_are_pasted_stay_apart(page: Page):
    """A list with a name a line is no single name; Enter asks, Shift and Enter begins a line."""
    page.fill("#text", "liver\nleft kidney")
    page.wait_for_selector("#terms li:nth-child(2)")
    page.focus("#text")
    page.keyboard.press("End")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("spleen")
    page.wait_for_selector("#terms li:nth-child(3)")
    page.wait_for_selector("#segment:not([disabled])")
    page.keyboard.press("Enter")
    page.wait_for_selector("#rows tr:nth-child(3)")


def test_corrections_that_are_not_saved_are_not_lost_unasked(page: Page, tmp_path: Path):
    """Another scan, or another modality, asks first; what is refused changes nothing."""
    page.fill("#new_name", "lump")
    page.click("#draw button")
    page.click("#axial canvas")
    page.click("#done")
    asked: list[str] = []

    def refuse(dialog):
        asked.append(dialog.message)
        dialog.dismiss()

    page.once("dialog", refuse)
    page.select_option("#modality", "MR")
    assert page.input_value("#modality") == "CT"
    assert len(asked) == 1
    assert page.locator('tr[data-structure="lump"]').count() == 1
    page.once("dialog", lambda dialog: dialog.accept())
    page.select_option("#modality", "MR")
    page.wait_for_selector('tr[data-structure="lump"]', state="detached")
