"""Keys, limits, lost servers: what the page does when the server does not do as it would."""

from __future__ import annotations

import nibabel as nib
import numpy as np
from server_process import ServerProcess
from watched_page import KEY, ask, drop, phantom_of


def test_key_is_taken_out_of_the_address(page, keyed_server: ServerProcess):
    page.goto(f"{keyed_server.url}/#key={KEY}")
    page.wait_for_selector("#work:visible")
    assert page.url == keyed_server.url + "/"
    assert KEY not in page.content()
    assert page.evaluate("Object.keys(localStorage).length + Object.keys(sessionStorage).length") == 0


def test_server_with_a_key_asks_for_it(page, keyed_server: ServerProcess):
    page.goto(keyed_server.url)
    page.wait_for_selector("#unlock:visible")
    page.fill("#key", "wrong-key-" + "x" * 20)
    page.click("#unlock button")
    page.wait_for_selector("#problem:visible")
    page.fill("#key", KEY)
    page.click("#unlock button")
    page.wait_for_selector("#work:visible")


def test_cancel_and_a_lost_server_are_survived(page, tmp_path):
    """A job can be cancelled; when the server is gone the page says so and keeps what it shows."""
    path = tmp_path / "phantom.nii"
    nib.save(nib.Nifti1Image(phantom_of(np.eye(4)), np.eye(4)), path)
    with ServerProcess(arguments=[{"seconds": 2.0}]) as server:
        page.goto(server.url)
        page.wait_for_selector("#work:visible")
        drop(page, path)
        ask(page, "ribs")
        page.wait_for_selector("#rows tr")
        page.click("#cancel")
        page.wait_for_selector("#segment:visible")
        rows = page.locator("#rows tr").count()
        assert rows < 24
        assert not page.is_visible("#problem")
    page.click("#segment")
    page.wait_for_selector("#problem:visible")
    assert "server" in page.inner_text("#problem")
    assert page.locator("#rows tr").count() == rows
