"""A real browser, and servers for its pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from server_process import ServerProcess
from watched_page import KEY, PATIENCE_MS, Watched, watching

SCREEN: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}, "locale": "en-US"}

SAT_DEMO = ("textsegment.inference.engine:LocalSegmenter", ({"model": "sat-demo", "device": "cpu"},))


# As long as it is open, Playwright's event loop runs in this thread, and no other test may run one.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        # No sandbox: tests may run as root in a container.
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page, on which nothing is watched."""
    made = browser.new_page()
    made.set_default_timeout(PATIENCE_MS)
    yield made
    made.close()


@pytest.fixture(scope="session")
def demo_server() -> Iterator[ServerProcess]:
    with ServerProcess(*SAT_DEMO) as process:
        yield process


@pytest.fixture(scope="session")
def keyed_server() -> Iterator[ServerProcess]:
    with ServerProcess(keys=[KEY]) as process:
        yield process


@pytest.fixture(scope="session")
def doubtful_server() -> Iterator[ServerProcess]:
    with ServerProcess("made_segmenters:Doubtful") as process:
        yield process


@pytest.fixture(scope="package")
def series_page(browser: Browser, doubtful_server: ServerProcess) -> Iterator[Page]:
    """One page for all tests that only read series on it."""
    with watching(browser, doubtful_server) as watched:
        yield watched.open()


@pytest.fixture
def watched(browser: Browser, demo_server: ServerProcess) -> Iterator[Watched]:
    """A page of the server with ``sat-demo``; the test fails if anything forbidden happened on it."""
    with watching(browser, demo_server, **SCREEN) as watched:
        yield watched


@pytest.fixture
def doubted(browser: Browser, doubtful_server: ServerProcess) -> Iterator[Watched]:
    """As ``watched``, of a server that is quick, and unsure of everything on the left."""
    with watching(browser, doubtful_server, **SCREEN) as watched:
        yield watched
