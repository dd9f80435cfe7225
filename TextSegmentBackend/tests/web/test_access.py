"""Keys, limits, lost servers: what the page does when the server does not do as it would."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from relay import Relay
from server_process import ServerProcess, wait_until
from watched_page import KEY, PATIENCE_MS, ask, drop, phantom_file, phantom_of, wait_for_masks


def test_key_is_taken_out_of_the_address(page, keyed_server: ServerProcess):
    page.goto(f"{keyed_server.url}/#key={KEY}")
    page.wait_for_selector("#work:visible")
    assert page.url == keyed_server.url + "/"
    assert KEY not in page.content()
    assert page.evaluate("Object.keys(localStorage).length + Object.keys(sessionStorage).length") == 0


def test_the_sample_is_there_at_once_where_the_address_says_so(page, keyed_server: ServerProcess):
    """What ``textsegment app --sample`` opens: a scan, and a text that may run."""
    page.goto(f"{keyed_server.url}/#key={KEY}&sample=1")
    page.wait_for_selector("#planes:visible")
    page.wait_for_selector("#segment:not([disabled])")
    assert page.url == keyed_server.url + "/"


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
    path = phantom_file(tmp_path)
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


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A scan of several chunks, so that an upload can break between them."""
    path = tmp_path / "phantom.nii"
    voxels = np.tile(phantom_of(np.eye(4)), (5, 4, 5)) + np.arange(80, dtype=np.int16)
    nib.save(nib.Nifti1Image(voxels, np.eye(4)), path)
    return path


class Fragile(Relay):
    """Breaks as often as it has limits."""

    limits: tuple[int, ...] = ()

    @property
    def most_bytes(self) -> int | None:
        return self.limits[0] if self.limits else None

    @most_bytes.setter
    def most_bytes(self, value: int | None) -> None:
        self.limits = self.limits[1:]


def test_a_broken_upload_goes_on_where_it_broke(page, scan):
    """What has arrived is not sent again, but for once that the browser repeats by itself."""
    with ServerProcess() as server, Fragile(server.port).running() as relay:
        page.goto(relay.url)
        page.wait_for_selector("#work:visible")
        drop(page, scan)
        size = 100 * 96 * 80 * 2
        relay.limits = (size * 2 // 3,) * 2
        relay.sent_bytes = 0
        ask(page, "liver")
        wait_for_masks(page, 1)
        assert relay.most_bytes is None  # it has broken
        assert size < relay.sent_bytes < size * 2
        assert not page.is_visible("#problem")


def test_a_scan_beyond_the_limits_is_refused_before_anything_is_sent(page, scan):
    """One sentence with the limits; what is drawn stays, and so does the text."""
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "PUT" else None)
    with ServerProcess(limits={"max_voxels": 1000}) as server:
        page.goto(server.url)
        page.wait_for_selector("#work:visible")
        drop(page, scan)
        ask(page, "liver")
        page.wait_for_selector("#problem:visible")
    said = page.inner_text("#problem")
    assert "1000 voxels" in said
    assert said.endswith("Crop or resample it, or ask the operator of the server.")
    assert sent == []
    assert page.is_visible("#planes")
    assert page.input_value("#text") == "liver"


def test_a_server_of_another_version_says_what_to_do(page, scan, demo_server: ServerProcess):
    """The server was updated while the page was open; requests of the page are of the old version."""
    page.goto(demo_server.url)
    page.wait_for_selector("#work:visible")
    drop(page, scan)

    def old(route):
        route.continue_(headers={**route.request.headers, "textsegment-protocol": "9"})

    page.route("**/v1/**", old)
    page.fill("#text", "liver")
    page.wait_for_selector("#problem:visible")
    assert page.inner_text("#problem") == "The server has another version than this page. Reload the page."


def test_a_page_that_was_not_opened_over_https_says_so(page, demo_server: ServerProcess):
    """Browsers have no SHA-256 there; loopback counts as safe."""
    page.add_init_script("Object.defineProperty(window, 'isSecureContext', { value: false })")
    page.goto(demo_server.url)
    page.wait_for_selector("#problem:visible")
    assert "HTTPS" in page.inner_text("#problem")
    assert not page.is_visible("#work")


def test_a_full_queue_is_said_and_asking_again_works(browser, scan):
    with ServerProcess(arguments=[{"seconds": 60.0}], max_queue=1) as server:
        pages = [browser.new_page() for _ in range(3)]
        for page in pages:
            page.set_default_timeout(PATIENCE_MS)
            page.goto(server.url)
            page.wait_for_selector("#work:visible")
            drop(page, scan)
        signs = ("#progress:visible", '#stage:has-text("1 ")', "#problem:visible")
        for page, said in zip(pages, signs, strict=True):
            ask(page, "liver")
            page.wait_for_selector(said)
        assert "queue" in pages[2].inner_text("#problem")
        assert pages[2].is_visible("#segment")  # and may be clicked again
        pages[1].click("#cancel")
        pages[1].wait_for_selector("#segment:visible")
        pages[2].click("#segment")
        pages[2].wait_for_selector("#progress:visible")
        pages[2].wait_for_selector('#stage:has-text("1 ")')
        for page in pages:
            page.close()


def test_a_key_that_is_withdrawn_is_asked_for_again(page, scan, tmp_path):
    """The scan stays on the page, and segmenting goes on with the new key."""
    keys = tmp_path / "keys"
    keys.write_text(KEY + "\n")
    keys.chmod(0o600)
    with ServerProcess(token_file=str(keys)) as server:
        page.goto(f"{server.url}/#key={KEY}")
        page.wait_for_selector("#work:visible")
        drop(page, scan)
        page.fill("#text", "liver")
        page.wait_for_selector("#segment:not([disabled])")
        new = "new-" + KEY
        keys.write_text(new + "\n")
        wait_until(lambda: server.session(KEY).get(f"{server.url}/v1/info").status_code == 401, "new keys")
        page.click("#segment")
        page.wait_for_selector("#unlock:visible")
        page.fill("#key", new)
        page.click("#unlock button")
        page.wait_for_selector("#planes:visible")
        page.click("#segment")
        wait_for_masks(page, 1)
