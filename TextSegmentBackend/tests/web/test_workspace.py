"""The page in a real browser, with the real server and model: drop, type, see, save."""

from __future__ import annotations

import base64
import itertools
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from server_process import ServerProcess
from watched_page import KEY, Watched

from textsegment.client.remote import RemoteSegmenter
from textsegment.files.images.seg_nrrd import read_seg_nrrd
from textsegment.files.reading import read_volume
from textsegment.files.sample import sample_scan
from textsegment.geometry import Geometry
from textsegment.volume import Volume
from textsegment.wire.volume_codec import wire_volume

PLACE = re.compile(r"R (\S+)\s+A (\S+)\s+S (\S+) mm · (\S+)")


def drop(page, path: Path) -> None:
    page.set_input_files("#file", str(path))
    page.wait_for_selector("#planes:visible")


def ask(page, text: str) -> None:
    page.fill("#text", text)
    page.wait_for_selector("#segment:not([disabled])")
    page.click("#segment")


def saved(page, button: str, path: Path) -> Path:
    with page.expect_download() as download:
        page.click(button)
    download.value.save_as(path)
    return path


def test_from_a_dropped_scan_to_saved_masks(watched: Watched, tmp_path):
    """The whole way; the masks are those that a Python client gets from the same server, bit by bit."""
    page = watched.open()
    page.click("#sample")
    page.wait_for_selector("#segment:not([disabled])")
    ask(page, "lungs, heart, livr")
    page.wait_for_selector("#terms .asks button")
    page.click("#terms .asks button")  # a suggestion never runs unasked
    page.wait_for_selector("#segment:not([disabled])")
    page.click("#segment")
    page.wait_for_selector("#rows tr:nth-child(3)")
    page.wait_for_selector("#segment:visible")
    volume = read_volume(sample_scan(), modality="CT")
    with RemoteSegmenter(watched.server.url) as segmenter:
        expected = segmenter.segment(volume, ["lung", "heart", "liver"])
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
        mask = segmenter.segment(volume, ["liver"]).full_mask("liver")
    largest = int(mask.sum(axis=(0, 1)).argmax())
    height = volume.geometry.to_ras([[0, 0, largest]])[0][2]
    assert float(PLACE.search(page.inner_text("#place"))[3]) == pytest.approx(height, abs=0.06)


def oriented(axes: tuple[int, ...], signs: tuple[int, ...]) -> np.ndarray:
    """An affine whose voxel axes point along these patient axes, with three different voxel sizes."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for voxel_axis, (axis, sign) in enumerate(zip(axes, signs, strict=True)):
        affine[axis, voxel_axis] = sign * (1.5, 2.0, 3.5)[voxel_axis]
    affine[:3, 3] = (12, -7, 40)
    return affine


ORIENTATIONS = [
    oriented(axes, signs)
    for axes in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]


def test_right_is_on_the_left_of_the_screen_in_all_orientations(watched: Watched):
    """Radiological convention in all 48 orientations: the code that draws, asked where pixels lie."""
    page = watched.open()
    found = page.evaluate(
        """async (affines) => {
          const { Grid } = await import("/app/grid.js");
          const { Plane, PLANES } = await import("/app/planes.js");
          return affines.map((affine) => {
            const grid = new Grid([4, 5, 6], affine);
            const corners = {};
            for (const name of Object.keys(PLANES)) {
              const plane = new Plane(grid, name);
              const at = (x, y) => grid.toWorld(plane.voxel(x, y, 1));
              corners[name] = [at(0, 0), at(plane.width - 1, 0), at(0, plane.height - 1)];
            }
            return { corners, letters: grid.orientation };
          });
        }""",
        [affine.ravel().tolist() for affine in ORIENTATIONS],
    )
    assert len(found) == 48
    for affine, shown in zip(ORIENTATIONS, found, strict=True):
        assert shown["letters"] == "".join(nib.aff2axcodes(affine))
        for name, (right, down) in {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}.items():
            first, across, below = shown["corners"][name]
            assert across[right] < first[right], (name, shown["letters"])
            assert below[down] < first[down], (name, shown["letters"])
            assert [n for n in range(3) if abs(across[n] - first[n]) > 1e-9] == [right]
            assert [n for n in range(3) if abs(below[n] - first[n]) > 1e-9] == [down]


def phantom(affine: np.ndarray) -> np.ndarray:
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


@pytest.mark.parametrize("number", [0, 13, 22, 47])
def test_bright_corner_is_drawn_where_it_belongs(watched: Watched, tmp_path, number):
    """The patient's right at the left of the axial picture, the front at its top: in pixels of the screen."""
    affine = ORIENTATIONS[number]
    path = tmp_path / "phantom.nii.gz"
    nib.save(nib.Nifti1Image(phantom(affine), affine), path)
    page = watched.open()
    drop(page, path)
    shape = np.array((20, 24, 16))
    axis = int(np.abs(affine[2, :3]).argmax())
    page.select_option("#window", "soft")
    page.click("#axial canvas")
    steps = round(shape[axis] * 0.25)
    for _ in range(steps):  # towards the head
        page.keyboard.press("ArrowUp")
    page.wait_for_timeout(200)
    bright = page.evaluate(
        """() => {
          const canvas = document.querySelector("#axial canvas");
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const sum = [0, 0, 0];
          for (let n = 0; n < data.length; n += 4) {
            if (data[n] < 240 || data[n + 1] < 240 || data[n + 2] < 240) continue;
            sum[0] += (n / 4) % canvas.width;
            sum[1] += Math.floor(n / 4 / canvas.width);
            sum[2] += 1;
          }
          return [sum[0] / sum[2] / canvas.width, sum[1] / sum[2] / canvas.height, sum[2]];
        }"""
    )
    assert bright[2] > 100
    assert bright[0] < 0.49
    assert bright[1] < 0.49


@pytest.mark.parametrize("kind", ["int16", "uint16 scaled", "float64", "big endian", "nrrd"])
def test_reads_the_same_volume_as_the_package(watched: Watched, tmp_path, kind):
    """The digest of what the page would upload is that of the package's own reader."""
    affine = ORIENTATIONS[13]
    voxels = phantom(affine)
    path = tmp_path / "scan.nii"
    if kind == "nrrd":
        path = sample_scan()
    elif kind == "big endian":
        header = nib.Nifti1Header(endianness=">")
        nib.save(nib.Nifti1Image(voxels, affine, header), path)
    elif kind == "uint16 scaled":
        image = nib.Nifti1Image((voxels + 1000).astype(np.uint16), affine)
        image.header.set_slope_inter(0.5, -1000.25)
        nib.save(image, path)
    else:
        nib.save(nib.Nifti1Image(voxels.astype(kind), affine), path)
    page = watched.open()
    affine, digest = page.evaluate(
        """async ([content, name]) => {
          const { readScan } = await import("/app/scan_file.js");
          const { Volume } = await import("/app/volume_codec.js");
          const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
          const { grid, voxels } = await readScan(new File([bytes], name));
          return [grid.affine, await new Volume(grid, voxels, "CT").digest()];
        }""",
        [base64.b64encode(path.read_bytes()).decode(), path.name],
    )
    volume = read_volume(path, modality="CT")
    np.testing.assert_allclose(np.reshape(affine, (4, 4)), volume.geometry.affine, atol=1e-9)
    # The last digits of the place may differ, as readers multiply in another order.
    same_place = Geometry(volume.geometry.spatial_shape, np.reshape(affine, (4, 4)))
    assert digest == wire_volume(Volume(volume.voxels, same_place, "CT")).digest


def write_bad(path: Path, kind: str) -> None:
    """Write a file that is no single scan."""
    voxels = phantom(np.eye(4))
    if kind == "colours":
        colours = np.zeros((8, 8, 4), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
        nib.save(nib.Nifti1Image(colours, np.eye(4)), path)
    elif kind == "cut off":
        nib.save(nib.Nifti1Image(voxels, np.eye(4)), path)
        path.write_bytes(path.read_bytes()[:5000])
    elif kind == "constant":
        nib.save(nib.Nifti1Image(np.zeros((8, 8, 8), np.int16), np.eye(4)), path)
    elif kind == "no place":
        nib.save(nib.Nifti1Image(voxels, np.eye(4)), path)
        content = bytearray(path.read_bytes())
        content[280:328] = bytes(48)
        path.write_bytes(content)
    elif kind == "dicom":
        path.write_bytes(bytes(128) + b"DICM" + bytes(100))
    else:
        path.write_bytes(b"This is no scan.")


@pytest.mark.parametrize("kind", ["colours", "cut off", "constant", "no place", "dicom", "text"])
def test_what_is_no_scan_gets_a_sentence_and_draws_nothing(watched: Watched, tmp_path, kind):
    path = tmp_path / "bad.nii"
    write_bad(path, kind)
    page = watched.open()
    page.set_input_files("#file", str(path))
    page.wait_for_selector("#problem:visible")
    assert page.inner_text("#problem").endswith(".")
    assert "defect" not in page.inner_text("#problem")
    assert not page.is_visible("#planes")


def test_several_volumes_ask_which(watched: Watched, tmp_path):
    path = tmp_path / "four.nii"
    voxels = np.stack([phantom(np.eye(4)) + shift for shift in (0, 5)], -1).astype(np.int16)
    nib.save(nib.Nifti1Image(voxels, np.eye(4)), path)
    page = watched.open()
    page.set_input_files("#file", str(path))
    page.wait_for_selector("#volumes:visible")
    page.select_option("#number", "2")
    page.wait_for_selector("#planes:visible")
    assert PLACE.search(page.inner_text("#place"))[4] in ("5", "1005")


def test_key_is_taken_out_of_the_address(browser, keyed_server: ServerProcess):
    page = browser.new_page()
    page.goto(f"{keyed_server.url}/#key={KEY}")
    page.wait_for_selector("#work:visible")
    assert page.url == keyed_server.url + "/"
    assert KEY not in page.content()
    assert page.evaluate("Object.keys(localStorage).length + Object.keys(sessionStorage).length") == 0
    page.close()


def test_server_with_a_key_asks_for_it(browser, keyed_server: ServerProcess):
    page = browser.new_page()
    page.goto(keyed_server.url)
    page.wait_for_selector("#unlock:visible")
    page.fill("#key", "wrong-key-" + "x" * 20)
    page.click("#unlock button")
    page.wait_for_selector("#problem:visible")
    page.fill("#key", KEY)
    page.click("#unlock button")
    page.wait_for_selector("#work:visible")
    page.close()


def test_cancel_and_a_lost_server_are_survived(browser, tmp_path):
    """A job can be cancelled; when the server is gone the page says so and keeps what it shows."""
    path = tmp_path / "phantom.nii"
    nib.save(nib.Nifti1Image(phantom(np.eye(4)), np.eye(4)), path)
    page = browser.new_page()
    with ServerProcess(arguments=[{"seconds": 2.0}]) as server:
        page.goto(server.url)
        page.wait_for_selector("#work:visible")
        drop(page, path)
        ask(page, "liver, left kidney, right kidney")
        page.wait_for_selector("#rows tr")
        page.click("#cancel")
        page.wait_for_selector("#segment:visible")
        rows = page.locator("#rows tr").count()
        assert rows < 3
        assert not page.is_visible("#problem")
    page.click("#segment")
    page.wait_for_selector("#problem:visible")
    assert "server" in page.inner_text("#problem")
    assert page.locator("#rows tr").count() == rows
    page.close()


def circle(page, radius: float) -> None:
    """Draw a closed outline around the middle of the axial picture with the mouse."""
    box = page.locator("#axial canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x + radius, y)
    page.mouse.down()
    for angle in np.radians(np.arange(0, 375, 15)):
        page.mouse.move(x + radius * np.cos(angle), y + radius * np.sin(angle))
    page.mouse.up()


def masks_of(page, folder: Path, name: str):
    return read_seg_nrrd(saved(page, "#save_slicer", folder / f"{name}.seg.nrrd"))


def test_a_drawn_slice_is_carried_to_the_rest_and_every_step_can_be_undone(watched: Watched, tmp_path):
    """What was drawn is in the answer as drawn, and marked as a person's; undo brings back what was."""
    page = watched.open()
    page.click("#sample")
    ask(page, "heart, liver")
    page.wait_for_selector("#rows tr:nth-child(2)")
    page.wait_for_selector("#segment:visible")
    before = masks_of(page, tmp_path, "before")
    page.click('tr[data-structure="heart"] td:nth-child(3) button')  # its largest slice
    page.click('tr[data-structure="heart"] td:nth-child(6) button')
    circle(page, 70)
    page.click("#apply")
    page.wait_for_selector("#apply:not([disabled])")
    page.wait_for_selector('tr[data-structure="heart"]:has-text("corrected")')
    after = masks_of(page, tmp_path, "after")
    old, new = before.full_mask("heart"), after.full_mask("heart")
    k = int(old.sum((0, 1)).argmax())
    drawn = new[:, :, k] & ~old[:, :, k]
    assert drawn.sum() > 20  # the circle is larger than the heart, and filled
    assert (new != old).any((0, 1)).sum() > 1  # other slices followed
    assert after["heart"].origin.maker.value == "edited"
    np.testing.assert_array_equal(after.full_mask("liver"), before.full_mask("liver"))
    assert after["liver"].origin.maker.value == "model"
    # Saving ended the correction; a corrected structure is never computed anew.
    page.click("#segment")
    page.wait_for_selector('#warnings:has-text("kept as it was corrected")')
    np.testing.assert_array_equal(masks_of(page, tmp_path, "again").full_mask("heart"), new)


def test_strokes_are_undone_one_by_one(watched: Watched, tmp_path):
    page = watched.open()
    page.click("#sample")
    ask(page, "heart")
    page.wait_for_selector("#rows tr")
    page.wait_for_selector("#segment:visible")
    before = masks_of(page, tmp_path, "before").full_mask("heart")
    page.click('tr[data-structure="heart"] td:nth-child(6) button')
    page.click("#apply")
    page.wait_for_selector("#problem:visible")  # nothing was drawn
    circle(page, 40)
    page.keyboard.press("e")
    circle(page, 90)
    page.keyboard.press("Control+z")
    page.click("#undo")
    page.click("#undo")  # one too many does nothing
    page.click("#done")
    np.testing.assert_array_equal(masks_of(page, tmp_path, "undone").full_mask("heart"), before)
    page.click('tr[data-structure="heart"] td:nth-child(6) button')
    circle(page, 40)
    page.click("#done")
    drawn = masks_of(page, tmp_path, "drawn")
    assert (drawn.full_mask("heart") != before).any((0, 1)).sum() == 1
    assert drawn["heart"].origin.maker.value == "edited"
