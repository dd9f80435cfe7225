"""Tree, sets, figures and report, and structures that only a person draws."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
import slicerio
from watched_page import Watched, ask, open_phantom, saved, wait_for_masks, wait_until

from textsegment.files.images.seg_nrrd import read_seg_nrrd
from textsegment.vocabulary.template import load_templates


@pytest.fixture
def page(doubted: Watched, tmp_path):
    return open_phantom(doubted, tmp_path)


def test_terms_of_the_tree_are_ticked_into_the_text_and_out_of_it(page):
    page.fill("#text", "liver")
    page.click("#browse")
    page.fill("#search", "left kidney")
    page.wait_for_selector('#browser label:has-text("left kidney")')
    page.check('#browser input[data-name="left kidney"]')
    page.wait_for_selector('#terms:has-text("left kidney")')
    assert page.input_value("#text") == "liver, left kidney"
    page.uncheck('#browser input[data-name="left kidney"]')
    wait_until(page, "document.querySelector('#text').value === 'liver'")
    page.fill("#search", "")
    page.wait_for_selector("#browser li details")
    page.locator("#browser [data-part=tree] > li > details > summary").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#browser [data-part=tree] li li")
    page.keyboard.press("Escape")
    assert not page.is_visible("#browser")


def test_a_set_is_added_to_the_text(page):
    page.click("#browse")
    page.click("#browser details summary >> text=Sets")
    label = next(iter(load_templates().values())).label
    page.click(f'#browser [data-part=sets] button:has-text("{label}")')
    page.wait_for_selector("#terms .runs", state="attached")
    page.click("#browser form button")
    page.wait_for_selector("#segment:not([disabled])")


def test_all_masks_are_shown_and_hidden_at_once(page):
    ask(page, "left kidney, liver, right kidney")
    wait_for_masks(page, 3)
    eyes = page.locator("#rows input")
    assert page.is_checked("#all")
    page.uncheck('tr[data-structure="liver"] input')
    assert page.eval_on_selector("#all", "(box) => box.indeterminate")
    page.click("#all")
    assert [eyes.nth(n).is_checked() for n in range(3)] == [True] * 3
    page.click("#all")
    assert [eyes.nth(n).is_checked() for n in range(3)] == [False] * 3


def test_figures_and_report(page, tmp_path):
    ask(page, "left kidney, liver, spleen")
    wait_for_masks(page, 3)
    table = saved(page, "#save_statistics", tmp_path / "figures.csv").read_text("utf-8")
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [row["structure"] for row in rows] == ["left kidney", "liver", "spleen"]
    assert rows[0]["verdict"] == "check"
    assert rows[0]["volume_ml"] == "150"
    assert (rows[2]["voxel_count"], rows[2]["mean_intensity"]) == ("0", "")
    report = saved(page, "#save_report", tmp_path / "report.html").read_text("utf-8")
    assert report.count("data:image/png") == 2  # none of what was not found
    assert "the model is unsure of 75 % of it" in report
    assert "phantom" not in report  # the name of a file may be that of a patient


def test_label_map_is_read_by_others_and_never_loses_a_voxel(page, tmp_path):
    ask(page, "liver, left kidney, right kidney")
    wait_for_masks(page, 3)
    page.click("#save_labels")
    page.wait_for_selector("#problem:visible")  # liver and left kidney overlap
    page.uncheck('tr[data-structure="liver"] input')
    image = sitk.ReadImage(saved(page, "#save_labels", tmp_path / "labels.nii.gz"))
    path = saved(page, "#save_slicer", tmp_path / "masks.seg.nrrd")
    masks = read_seg_nrrd(path)
    by_slicer = slicerio.read_segmentation(str(path))
    assert [one["name"] for one in by_slicer["segments"]] == [mask.structure for mask in masks]
    counts = [int((by_slicer["voxels"] == one["labelValue"]).sum()) for one in by_slicer["segments"]]
    assert counts == [int(mask.mask.sum()) for mask in masks]
    labels = sitk.GetArrayFromImage(image).transpose(2, 1, 0)
    for number, name in enumerate(("left kidney", "right kidney"), start=1):
        np.testing.assert_array_equal(labels == number, masks.full_mask(name))
    np.testing.assert_allclose(image.TransformIndexToPhysicalPoint((3, 4, 5)), (-3, -4, 5))


def test_what_only_a_person_draws_is_carried_to_the_rest(page, tmp_path):
    ask(page, "liver")
    wait_for_masks(page, 1)
    page.fill("#new_name", "liver")
    page.click("#draw button")
    page.wait_for_selector("#problem:visible")
    page.fill("#new_name", "odd lump")
    page.click("#draw button")
    page.click("#done")
    assert page.locator("#rows tr").count() == 1  # nothing was drawn, so there is nothing
    page.fill("#new_name", "odd lump")
    page.click("#draw button")
    for _ in range(2):
        box = page.locator("#axial canvas").bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.focus("#axial canvas")
        for _ in range(4):
            page.keyboard.press("ArrowUp")
    page.click("#apply")
    page.wait_for_selector("#apply:not([disabled])")
    page.wait_for_selector('tr[data-structure="odd lump"] button:not([disabled]):has-text("odd lump")')
    found = read_seg_nrrd(saved(page, "#save_slicer", tmp_path / "drawn.seg.nrrd"))
    lump = found.full_mask("odd lump")
    assert set(np.flatnonzero(lump.any((0, 1)))) >= {8, 9, 10, 11, 12}  # also between the two slices
    assert found["odd lump"].origin.maker.value == "edited"
    assert found["liver"].origin.maker.value == "model"
