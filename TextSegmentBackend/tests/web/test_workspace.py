"""The page in a real browser, with the real server and model: drop, type, see, save."""

from __future__ import annotations

import numpy as np
import pytest
from watched_page import PLACE, Watched, ask, open_phantom, saved, wait_for_masks

from textsegment.client.remote import RemoteSegmenter
from textsegment.derive.tidy_segment import segment_tidily
from textsegment.files.images.seg_nrrd import read_seg_nrrd
from textsegment.files.reading import read_volume
from textsegment.files.sample import sample_scan


def test_from_a_dropped_scan_to_saved_masks(watched: Watched, tmp_path):
    """The whole way; the masks are those that a Python client gets from the same server, bit by bit."""
    page = watched.open()
    page.click("#sample")
    page.wait_for_selector("#segment:not([disabled])")
    assert page.is_checked("#tidy")  # as is usual for this model
    ask(page, "lungs, heart, livr")
    page.wait_for_selector("#terms .asks button")
    page.click("#terms .asks button")  # a suggestion never runs unasked
    page.wait_for_selector("#segment:not([disabled])")
    page.click("#segment")
    page.wait_for_selector("#rows tr:nth-child(3)")
    page.wait_for_selector("#segment:visible")
    volume = read_volume(sample_scan(), modality="CT")
    with RemoteSegmenter(watched.server.url) as segmenter:
        expected = segment_tidily(segmenter, volume, ["lung", "heart", "liver"]).tidy
    found = read_seg_nrrd(saved(page, "#save_slicer", tmp_path / "page.seg.nrrd"))
    assert [mask.structure for mask in found] == [mask.structure for mask in expected]
    np.testing.assert_allclose(found.geometry.affine, expected.geometry.affine, atol=1e-9)
    for mask in expected:
        np.testing.assert_array_equal(found.full_mask(mask.structure), expected.full_mask(mask.structure))
        shown = page.inner_text(f'tr[data-structure="{mask.structure}"]')
        assert f"{mask.statistics.volume_ml:.0f} ml" in shown
    assert found.provenance["model"] == "sat-demo"


def test_click_on_a_structure_goes_to_its_largest_slice(watched: Watched):
    page = watched.open()
    page.click("#sample")
    ask(page, "liver")
    page.wait_for_selector("#rows button")
    page.wait_for_selector("#segment:visible")
    page.click("#rows button")
    volume = read_volume(sample_scan(), modality="CT")
    with RemoteSegmenter(watched.server.url) as segmenter:
        mask = segment_tidily(segmenter, volume, ["liver"]).tidy.full_mask("liver")
    largest = int(mask.sum(axis=(0, 1)).argmax())
    height = volume.geometry.to_ras([[0, 0, largest]])[0][2]
    assert float(PLACE.search(page.inner_text("#place"))[3]) == pytest.approx(height, abs=0.06)


def test_doubt_is_shown_in_words_and_can_be_filtered(doubted: Watched, tmp_path):
    """The server judges; the table says the verdict and why. What a person has corrected is not judged."""
    page = open_phantom(doubted, tmp_path)
    ask(page, "left kidney, right kidney, spleen")
    wait_for_masks(page, 3)
    left, right, spleen = (page.locator(f"#rows tr:nth-child({n})") for n in (1, 2, 3))
    assert "Check: " in left.inner_text()
    assert "the model is unsure of 75 % of it" in left.inner_text()
    assert "75 %" in right.inner_text()  # its mean confidence
    assert "unsure" not in right.inner_text()
    assert "Not found." in spleen.inner_text()
    page.check("#doubtful")
    assert [row.is_visible() for row in (left, right, spleen)] == [True, False, False]
    page.uncheck("#doubtful")
    assert right.is_visible()


def test_rows_are_sorted_by_doubt_volume_and_name(doubted: Watched, tmp_path):
    """By clicks and by the keyboard; a third time they are as asked for again, and files are always so."""
    page = open_phantom(doubted, tmp_path)
    asked = ["right kidney", "spleen", "left kidney", "liver"]
    ask(page, ", ".join(asked))
    wait_for_masks(page, 4)

    def shown() -> list[str]:
        return page.eval_on_selector_all("#rows tr", "(rows) => rows.map((row) => row.dataset.structure)")

    def sorted_as() -> list[str | None]:
        return [page.get_attribute(f"#heads th:nth-child({n})", "aria-sort") for n in (3, 4, 5)]

    assert shown() == asked
    page.click('button[data-sort="doubt"]')
    assert set(shown()[:2]) == {"left kidney", "liver"}  # unsure, and too small
    assert sorted_as() == [None, None, "descending"]
    assert page.locator("#rows .flag").count() == 2
    page.focus('button[data-sort="name"]')
    page.keyboard.press("Enter")
    assert shown() == sorted(asked)
    assert sorted_as() == ["ascending", None, None]
    page.keyboard.press("Space")
    assert shown() == sorted(asked, reverse=True)
    page.click('button[data-sort="volume"]')
    assert shown()[-1] == "spleen"  # not found
    page.click('button[data-sort="volume"]')
    assert shown()[0] == "spleen"
    found = read_seg_nrrd(saved(page, "#save_slicer", tmp_path / "sorted.seg.nrrd"))
    assert [mask.structure for mask in found] == asked
    page.click('button[data-sort="volume"]')
    assert shown() == asked
    ask(page, "left kidney, rib")
    page.click('button[data-sort="name"]')
    page.wait_for_selector("#segment:visible")
    assert shown() == sorted(shown())
