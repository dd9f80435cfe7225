"""Servers that no longer have the scan of a page that is open: nobody need notice, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import nibabel as nib
import numpy as np
import pytest
from server_process import ServerProcess, wait_until
from watched_page import KEY, ask, drop, phantom_of, saved, wait_for_masks

from textsegment.files.images.seg_nrrd import read_seg_nrrd
from textsegment.geometry import Geometry
from textsegment.volume import Volume
from textsegment.wire.volumes.codec import wire_volume

SHAPE = (100, 96, 80)
ROOM = 2**21  # for one volume


class Forgetful:
    """A server that forgets the scans that it has, in one way first, and by being started anew then.

    Args:
        way: ``expired``, with a key, or ``evicted``, without one.
        open_: What is to be closed behind it.
    """

    def __init__(self, way: str, open_: ExitStack) -> None:
        self._open = open_
        if way == "expired":
            self._settings = {"keys": [KEY], "store_expiry_s": 2.0}
            first, fragment = self._wait, f"/#key={KEY}"
        else:
            self._settings = {"store_bytes": ROOM, "limits": {"max_volume_bytes": ROOM}}
            first, fragment = self._fill, ""
        self._server = open_.enter_context(ServerProcess(**self._settings))
        self.address = self._server.url + fragment
        self._ways = iter((first, self._restart))

    def forget(self) -> None:
        """Forget what was uploaded."""
        next(self._ways)()

    def _wait(self) -> None:
        wait_until(lambda: not self._stored(), "the volume expires")

    def _fill(self) -> None:
        voxels = np.zeros(SHAPE, np.int16)
        voxels[0] = 1
        other = wire_volume(Volume(voxels, Geometry(SHAPE, np.eye(4)), "CT"))
        assert self._server.put(other).status_code == 201
        assert len(self._stored()) == 1

    def _restart(self) -> None:
        self._server.end()
        self._server = self._open.enter_context(ServerProcess(port=self._server.port, **self._settings))

    def _stored(self) -> list[str]:
        return [file.name for file in self._server.store.rglob("*") if file.stat().st_size > 2**16]


@pytest.fixture(params=["expired", "evicted"])
def server(request: pytest.FixtureRequest) -> Iterator[Forgetful]:
    with ExitStack() as open_:
        yield Forgetful(request.param, open_)


def test_the_scan_is_sent_again_and_nothing_is_lost(page, tmp_path, server: Forgetful):
    """The next prompt, and the next correction, go on as if nothing had happened."""
    path = tmp_path / "phantom.nii"
    voxels = np.tile(phantom_of(np.eye(4)), (5, 4, 5)) + np.arange(80, dtype=np.int16)
    nib.save(nib.Nifti1Image(voxels, np.eye(4)), path)
    uploads: list[str] = []
    page.on("request", lambda request: uploads.append(request.url) if request.method == "PUT" else None)
    page.goto(server.address)
    page.wait_for_selector("#work:visible")
    drop(page, path)
    page.uncheck("#tidy")
    ask(page, "liver, spleen")
    wait_for_masks(page, 2)
    page.uncheck('tr[data-structure="spleen"] input')
    draw(page, "liver")
    page.click("#done")
    drawn = masks_of(page, tmp_path, "drawn").full_mask("liver")
    first = len(uploads)

    server.forget()
    ask(page, "liver, spleen, left kidney")
    wait_for_masks(page, 3)
    assert len(uploads) > first
    assert not page.is_visible("#problem")
    assert not page.is_checked('tr[data-structure="spleen"] input')
    found = masks_of(page, tmp_path, "asked")
    np.testing.assert_array_equal(found.full_mask("liver"), drawn)
    assert found["liver"].origin.maker.value == "edited"
    second = len(uploads)

    server.forget()
    draw(page, "left kidney")
    page.click("#apply")
    page.wait_for_selector('tr[data-structure="left kidney"]:has-text("corrected")')
    page.wait_for_selector("#apply:not([disabled])")
    assert len(uploads) > second
    assert not page.is_visible("#problem")
    found = masks_of(page, tmp_path, "corrected")
    assert [mask.structure for mask in found] == ["liver", "left kidney"]
    assert found["left kidney"].origin.maker.value == "edited"


def draw(page, structure: str) -> None:
    """Draw a dot into the middle of the axial picture."""
    page.click(f'tr[data-structure="{structure}"] button[aria-label^="Correct"]')
    page.click("#axial canvas")


def masks_of(page, folder, name: str):
    return read_seg_nrrd(saved(page, "#save_slicer", folder / f"{name}.seg.nrrd"))
