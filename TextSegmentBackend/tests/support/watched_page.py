"""A page of the web workspace that records what must never happen on it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import web_assets
from playwright.sync_api import Browser, ConsoleMessage, Page
from server_process import ServerProcess

from textsegment.geometry import Geometry

PATIENCE_MS = 120_000
"""How long a busy machine may take, in milliseconds."""
needs_assets = pytest.mark.skipif(not web_assets.are_there(), reason="python tools/web_assets.py was not run")
KEY = "page-" + "k" * 30
"""Access key of the server that asks for one."""


PLACE = re.compile(r"R (\S+)\s+A (\S+)\s+S (\S+) mm · (\S+)")
"""Text below the planes: where the crosshair is in the patient, and the value there."""


@dataclass
class Watched:
    """A page, and everything on it that counts as a fault."""

    page: Page
    server: ServerProcess
    faults: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Record errors, violations of the content policy, and requests to anywhere else."""
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda request: self._own(request.url))

    def _note(self, message: ConsoleMessage) -> None:
        # Chromium without a graphics card warns of its own speed.
        if message.type in ("error", "warning") and "GL Driver Message" not in message.text:
            self.faults.append(message.text)

    def _own(self, url: str) -> None:
        if not url.startswith((self.server.url, "blob:" + self.server.url)):
            self.faults.append(url)

    def open(self, fragment: str = "") -> Page:
        """Go to the page and wait until it is ready for a scan."""
        self.page.goto(f"{self.server.url}/{fragment}")
        self.page.wait_for_selector("#work:visible")
        return self.page


@contextmanager
def watching(browser: Browser, server: ServerProcess, **context: Any) -> Iterator[Watched]:
    """Watch a page in a browser context of its own; it is an error if anything forbidden happened on it."""
    opened = browser.new_context(**context)
    opened.set_default_timeout(PATIENCE_MS)
    watched = Watched(opened.new_page(), server)
    watched.watch()
    yield watched
    opened.close()
    assert watched.faults == []


def wait_until(page: Page, condition: str, arg: object = None) -> None:
    """Wait for a condition in JavaScript; the policy forbids how Playwright would ask again and again."""
    for _ in range(PATIENCE_MS // 100):
        if page.evaluate(condition, arg):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"It never came to this: {condition}")


def drop(page: Page, *paths: Path) -> None:
    """Choose files, and wait until the scan in them is drawn."""
    page.set_input_files("#file", [str(path) for path in paths])
    page.wait_for_selector("#planes:visible")


def ask(page: Page, text: str) -> None:
    """Type names of structures, and segment them once they are understood."""
    page.fill("#text", text)
    page.wait_for_selector("#segment:not([disabled])")
    page.click("#segment")


def wait_for_masks(page: Page, count: int) -> None:
    """Wait until there are so many masks, and the job has ended."""
    page.wait_for_selector(f"#rows tr:nth-child({count})", state="attached")
    page.wait_for_selector("#segment:visible")


def saved(page: Page, button: str, path: Path) -> Path:
    """Click a button that saves a file, and keep the file."""
    with page.expect_download() as download:
        page.click(button)
    download.value.save_as(path)
    return path


def phantom_of(affine: np.ndarray) -> np.ndarray:
    """Voxels of CT, bright where the patient's right, front and head meet."""
    shape = (20, 24, 16)
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1)
    world = Geometry(shape, affine).to_ras(grid.reshape(-1, 3)).reshape(*shape, 3)
    low, high = world.min((0, 1, 2)), world.max((0, 1, 2))
    part = (world - low) / (high - low)
    voxels = np.full(shape, -1000, np.int16)
    voxels[(part > 0.1).all(-1) & (part < 0.9).all(-1)] = 0
    voxels[(part > 0.55).all(-1) & (part < 0.9).all(-1)] = 1000
    return voxels


def phantom_file(folder: Path) -> Path:
    """Write the phantom, a voxel a millimetre, as NIfTI."""
    path = folder / "phantom.nii"
    nib.save(nib.Nifti1Image(phantom_of(np.eye(4)), np.eye(4)), path)
    return path


def open_phantom(watched: Watched, folder: Path) -> Page:
    """Open the page with the phantom, whose masks are not to be tidied."""
    page = watched.open()
    drop(page, phantom_file(folder))
    page.uncheck("#tidy")
    return page
