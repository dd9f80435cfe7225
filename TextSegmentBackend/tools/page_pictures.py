"""Makes the pictures of the web workspace in README: a screenshot, and a short silent film.

    python tools/page_pictures.py ../Resources/Screenshots

It starts the server with the demonstration model, opens the page as ``textsegment app --sample`` does, and
clicks through it in Chromium. Needs playwright, Pillow, and what ``web_assets.py`` fetches.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

TEXT = "lungs, heart, liver, aorta, spine"
SIZE = {"width": 1120, "height": 700}
FILM_SIZE = (800, 500)
COLORS = 96
# Milliseconds of each picture of the film.
SHORT, LONG = 160, 1400


class Film:
    """Pictures of a page, one after another."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._pictures: list[Image.Image] = []
        self._durations: list[int] = []

    def take(self, duration: int) -> None:
        """Take a picture that is shown for some milliseconds."""
        picture = Image.open(io.BytesIO(self._page.screenshot())).convert("RGB")
        self._pictures.append(picture.resize(FILM_SIZE, Image.Resampling.LANCZOS))
        self._durations.append(duration)

    def save(self, path: Path) -> None:
        """Write the film, with the same colors in all pictures."""
        palette = self._pictures[-1].quantize(COLORS)
        first, *rest = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in self._pictures]
        first.save(path, save_all=True, append_images=rest, duration=self._durations, loop=0, optimize=True)


def main(folder: Path) -> None:
    """Write ``web.png`` and ``web.gif`` into a folder."""
    command = [sys.executable, "-m", "textsegment", "serve", "--port", "0", "--model", "sat-demo"]
    command += ["--device", "cpu", "--announce-json", "--stop-with-stdin"]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server,
        sync_playwright() as playwright,
    ):
        assert server.stdout is not None
        assert server.stdin is not None
        url = json.loads(server.stdout.readline())["url"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, locale="en-US")
        page.goto(f"{url}/#sample=1")
        page.wait_for_selector("#segment:not([disabled])", timeout=120_000)
        play(page, folder)
        browser.close()
        server.stdin.close()


def play(page: Page, folder: Path) -> None:
    """Type, segment, look at two structures and at all of them in 3-D."""
    film = Film(page)
    page.fill("#text", "")
    film.take(LONG)
    for end in range(4, len(TEXT) + 1, 4):
        page.fill("#text", TEXT[:end])
        film.take(SHORT)
    page.fill("#text", TEXT)
    page.wait_for_selector("#terms li:nth-child(5)")
    film.take(LONG)
    page.click("#segment")
    page.wait_for_selector("#progress:visible")
    film.take(SHORT * 4)
    page.wait_for_selector("#rows tr:nth-child(5)", state="attached", timeout=120_000)
    page.wait_for_selector("#segment:visible", timeout=120_000)
    film.take(LONG)
    for structure in ("liver", "heart"):
        page.click(f'tr[data-structure="{structure}"] td:nth-child(3) button')
        page.wait_for_timeout(300)
        film.take(LONG)
    page.click("#show_scene")
    if page.is_visible("#scene button"):
        page.click("#scene button")
    page.wait_for_timeout(15_000)
    film.take(LONG)
    page.screenshot(path=folder / "web.png")
    Image.open(folder / "web.png").convert("RGB").quantize(256).save(folder / "web.png", optimize=True)
    film.save(folder / "web.gif")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
