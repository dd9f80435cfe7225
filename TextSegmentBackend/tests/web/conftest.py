"""A real browser, and servers for its pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright
from server_process import ServerProcess
from watched_page import KEY, Watched

SAT_DEMO = ("textsegment.inference.engine:LocalSegmenter", ({"model": "sat-demo", "device": "cpu"},))


# As long as it is open, Playwright's event loop runs in this thread, and no test may run another.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        # No sandbox: tests may run as root in a container.
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def demo_server() -> Iterator[ServerProcess]:
    with ServerProcess(*SAT_DEMO) as process:
        yield process


@pytest.fixture(scope="session")
def keyed_server() -> Iterator[ServerProcess]:
    with ServerProcess(keys=[KEY]) as process:
        yield process


@pytest.fixture
def watched(browser: Browser, demo_server: ServerProcess) -> Iterator[Watched]:
    """A page of the server with ``sat-demo``; the test fails if anything forbidden happened on it."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-US")
    watched = Watched(context.new_page(), demo_server)
    watched.watch()
    yield watched
    context.close()
    assert watched.faults == []
