"""Contrast, keyboard, the width of a phone: for everybody who looks at the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page
from watched_page import Watched, ask, drop, phantom_file, wait_for_masks, wait_until

# Contrast of all visible text, by WCAG 2.2 (1.4.3): 4.5, or 3 if it is large; disabled controls are exempt.
CONTRAST = """() => {
  const parts = (color) => color.match(/[0-9.]+/g).map(Number);
  const luminance = (rgb) => rgb.slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const color = parts(getComputedStyle(one).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const says = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!says || !element.checkVisibility() || element.disabled || element.closest(":disabled")) continue;
    const style = getComputedStyle(element);
    const [a, b] = [luminance(parts(style.color)), luminance(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    found.push([element.textContent.trim().slice(0, 40), ratio, isLarge ? 3 : 4.5]);
  }
  return found;
}"""


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    return phantom_file(tmp_path)


def require_contrast(page: Page, at_least: int) -> None:
    found = page.evaluate(CONTRAST)
    assert len(found) >= at_least
    assert [entry for entry in found if entry[1] < entry[2]] == []


def test_all_text_can_be_read_in_every_state(doubted: Watched, scan):
    page = doubted.open()
    require_contrast(page, 6)
    drop(page, scan)
    page.uncheck("#tidy")
    ask(page, "left kidney, liver, spleen")
    wait_for_masks(page, 3)
    page.click("#keys summary")
    page.click('tr[data-structure="liver"] td:nth-child(6) button')
    page.click("#apply")  # nothing was drawn: a problem is shown
    page.wait_for_selector("#problem:visible")
    page.fill("#text", "livr")
    page.wait_for_selector("#terms .asks")
    require_contrast(page, 40)
    page.click("#browse")
    page.wait_for_selector("#browser li summary")
    require_contrast(page, 50)


def test_nothing_is_wider_than_a_phone(doubted: Watched, scan):
    page = doubted.open()
    page.set_viewport_size({"width": 390, "height": 844})

    def widths() -> list[int]:
        return page.evaluate(
            """["html", "main", "#side", "#planes"].map((one) => document.querySelector(one))
                 .filter((one) => one.checkVisibility()).map((one) => one.scrollWidth)"""
        )

    assert max(widths()) <= 390
    drop(page, scan)
    ask(page, "left kidney, liver")
    wait_for_masks(page, 2)
    page.click('tr[data-structure="liver"] td:nth-child(6) button')
    assert max(widths()) <= 390
    for name in ("axial", "coronal", "sagittal"):
        assert page.locator(f"#{name}").bounding_box()["width"] >= 300
    page.click("#browse")
    page.wait_for_selector("#browser li summary")
    assert page.locator("#browser").evaluate("(one) => one.scrollWidth <= one.clientWidth")


def focus_by_tab(page: Page, selector: str, most: int = 60) -> None:
    for _ in range(most):
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} cannot be reached by the keyboard")


def test_everything_is_done_by_the_keyboard(doubted: Watched, scan):
    """After a file was chosen: type, segment, go to a structure, through slices, hide, correct, save."""
    page = doubted.open()
    focus_by_tab(page, "#file")
    drop(page, scan)
    wait_until(page, "document.activeElement.id === 'text'")
    page.keyboard.type("left kidney, liver")
    page.wait_for_selector("#segment:not([disabled])")
    page.keyboard.press("Enter")
    wait_for_masks(page, 2)
    focus_by_tab(page, '[data-structure="liver"] td:nth-child(1) input')
    page.keyboard.press("Space")
    assert not page.is_checked('[data-structure="liver"] input')
    focus_by_tab(page, '[data-structure="liver"] td:nth-child(3) button')
    before = page.inner_text("#place")
    page.keyboard.press("Enter")
    wait_until(page, "(text) => document.querySelector('#place').innerText !== text", before)
    focus_by_tab(page, '[data-structure="liver"] td:nth-child(6) button')
    page.keyboard.press("Enter")
    page.wait_for_selector("#pen:visible")
    page.keyboard.press("e")
    assert page.is_checked('#pen input[value="erase"]')
    focus_by_tab(page, "#save_slicer")
    with page.expect_download():
        page.keyboard.press("Enter")
    focus_by_tab(page, "#axial canvas")
    slice_before = page.inner_text("#axial output")
    page.keyboard.press("ArrowUp")
    wait_until(page, "(text) => document.querySelector('#axial output').innerText !== text", slice_before)
