"""Structures in 3-D: where they lie in the patient, which are shown, in which colours."""

from __future__ import annotations

import io

import numpy as np
import pytest
from made_scans import MIRRORED, OBLIQUE, SHEARED, all_orientations
from PIL import Image
from watched_page import (
    PATIENCE_MS,
    PLACE,
    Watched,
    ask,
    drop,
    needs_assets,
    open_phantom,
    phantom_file,
    wait_for_masks,
    wait_until,
)

from textsegment.geometry import Geometry

SHAPE = (9, 7, 5)
START, STOP = (2, 1, 1), (6, 4, 4)

SURFACE = """async ([affine, box, inside]) => {
  const { surfaceOf } = await import("/app/view/surface.js");
  const { Grid } = await import("/app/grid.js");
  const { Mask } = await import("/app/mask.js");
  const { packed } = await import("/app/view/drawing.js");
  const mask = new Mask({ structure: "a", start: box[0], stop: box[1], statistics: {}, warnings: [] },
    packed(Uint8Array.from(inside)));
  const { points, triangles } = surfaceOf(mask, new Grid([9, 7, 5], affine));
  return [[...points], [...triangles]];
}"""


def surface(page, affine, mask):
    """Points ``[n, 3]`` and triangles ``[n, 3]`` that the page finds for a mask of the box."""
    inside = mask.astype(int).ravel().tolist()
    points, triangles = page.evaluate(SURFACE, [affine.ravel().tolist(), [START, STOP], inside])
    return np.reshape(points, (-1, 3)), np.reshape(triangles, (-1, 3))


@pytest.mark.parametrize("affine", [*all_orientations()[::7], OBLIQUE, MIRRORED, SHEARED], ids=str)
def test_surfaces_lie_where_the_mask_lies(series_page, affine):
    """Asymmetric on every axis; outside is outside, mirrored or not."""
    mask = np.zeros(np.subtract(STOP, START), dtype=bool)
    mask[0, 0, 0] = mask[:, 1, 1] = mask[3, :, 1] = mask[3, 2, 1:] = True
    points, triangles = surface(series_page, affine, mask)
    index = Geometry(SHAPE, affine).to_index(points) - START
    voxels = np.argwhere(mask)
    # Of each voxel, the border is half a voxel around it; the surface is nowhere else.
    distance = np.abs(index[:, None] - voxels[None]).max(axis=2)
    assert distance.min(axis=1).max() <= 1.0
    assert distance.min(axis=0).max() <= 1.0
    np.testing.assert_allclose(index.min(0), voxels.min(0), atol=0.5)
    np.testing.assert_allclose(index.max(0), voxels.max(0), atol=0.5)
    corners = points[triangles]
    volume = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    assert 0 < volume <= mask.sum() * abs(np.linalg.det(affine[:3, :3]))
    edges = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] % 2 == 0).all()  # closed


@pytest.fixture
def page(doubted: Watched, tmp_path):
    opened = open_phantom(doubted, tmp_path)
    ask(opened, "liver, left kidney, right kidney")
    wait_for_masks(opened, 3)
    return opened


def picture(page) -> np.ndarray:
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    shot = page.locator("#scene canvas").screenshot()
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)


def pixels_of(pixels: np.ndarray, channel: int) -> np.ndarray:
    """Rows and columns in which a colour is seen."""
    others = np.delete(pixels, channel, axis=2).max(axis=2)
    return np.argwhere(pixels[:, :, channel] > others + 40)


def await_colours(page, *channels: int) -> list[np.ndarray]:
    """Wait until these colours are seen and no others; where they are."""
    for _ in range(600):
        found = [pixels_of(picture(page), channel) for channel in range(3)]
        if [len(places) > 50 for places in found] == [n in channels for n in range(3)]:
            return found
        page.wait_for_timeout(100)
    raise AssertionError("not drawn")


def insist(page) -> None:
    """Open the tile on a computer without a graphics card."""
    page.click("#show_scene")
    page.click("#scene button")


def place_of(page, structure: str) -> np.ndarray:
    """Where a structure is in the patient, in RAS millimetres."""
    page.click(f'tr[data-structure="{structure}"] button')
    return np.array([float(mm) for mm in PLACE.search(page.inner_text("#place")).groups()[:3]])


@needs_assets
def test_what_is_shown_is_drawn_in_its_colour_where_it_is(page):
    """From the front, as the coronal plane: the patient's right on the left, the head at the top."""
    insist(page)
    red, green, blue = (places.mean(axis=0) for places in await_colours(page, 0, 1, 2))
    liver, right_kidney, left_kidney = (
        place_of(page, name) for name in ("liver", "right kidney", "left kidney")
    )
    for one, other, shift in ((red, blue, liver - left_kidney), (green, red, right_kidney - liver)):
        down, across = one - other
        assert np.sign(across) == -np.sign(shift[0])
        assert np.sign(down) == -np.sign(shift[2])
    page.uncheck('tr[data-structure="liver"] input')
    await_colours(page, 1, 2)
    page.check('tr[data-structure="liver"] input')
    await_colours(page, 0, 1, 2)


STRETCHED = """[...document.querySelectorAll(".plane canvas")]
  .filter((canvas) => canvas.clientWidth && canvas.closest("#scene") === null)
  .some((canvas) => canvas.width !== canvas.clientWidth || canvas.height !== canvas.clientHeight)"""


@needs_assets
def test_planes_are_drawn_anew_where_the_tile_takes_their_room(page):
    high = page.locator("#axial canvas").bounding_box()["height"]
    insist(page)
    await_colours(page, 0, 1, 2)
    assert page.locator("#axial canvas").bounding_box()["height"] < high
    wait_until(page, f"!({STRETCHED})")
    page.focus("#scene canvas")
    page.keyboard.press("f")
    assert not page.is_visible("#axial")
    page.keyboard.press("f")
    wait_until(page, f"!({STRETCHED})")
    page.click("#show_scene")
    wait_until(page, f"!({STRETCHED})")
    assert page.locator("#axial canvas").bounding_box()["height"] == pytest.approx(high, abs=1)


@needs_assets
def test_it_turns_by_mouse_and_keys_and_is_closed(page):
    insist(page)
    await_colours(page, 0, 1, 2)
    page.focus("#scene canvas")
    before = picture(page)
    for key in ("ArrowLeft", "ArrowUp", "+"):
        page.keyboard.press(key)
    turned = picture(page)
    assert not np.array_equal(turned, before)
    box = page.locator("#scene canvas").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 140, box["y"] + 120)
    page.mouse.up()
    assert not np.array_equal(picture(page), turned)
    page.click("#show_scene")
    assert not page.is_visible("#scene")


@needs_assets
def test_a_corrected_mask_is_drawn_anew(page):
    insist(page)
    for name in ("left kidney", "right kidney"):
        page.uncheck(f'tr[data-structure="{name}"] input')
    before = len(await_colours(page, 0)[0])
    page.click('tr[data-structure="liver"] button[aria-label^="Correct"]')
    page.fill("#radius", "30")
    box = page.locator("#axial canvas").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.click("#done")
    page.wait_for_selector('tr[data-structure="liver"] small:has-text("Corrected")')
    for _ in range(600):
        if abs(len(pixels_of(picture(page), 0)) - before) > before / 20:
            return
        page.wait_for_timeout(100)
    raise AssertionError("not drawn anew")


def test_without_the_library_it_is_said(browser, doubtful_server, tmp_path):
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE_MS)
    context.route("**/app/assets/**", lambda route: route.fulfill(status=404))
    page = Watched(context.new_page(), doubtful_server).open()
    drop(page, phantom_file(tmp_path))
    ask(page, "liver")
    wait_for_masks(page, 1)
    insist(page)
    page.wait_for_selector("#problem:visible")
    assert page.inner_text("#problem").startswith("This server lacks what draws in 3-D.")
    assert not page.is_visible("#scene")
    context.close()
