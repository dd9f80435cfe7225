"""Scans that the page opens: drawn where they belong, equal to what the package reads, or refused."""

from __future__ import annotations

import base64
import itertools
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from watched_page import PLACE, Watched, drop, phantom_of

from textsegment.files.reading import read_volume
from textsegment.files.sample import sample_scan
from textsegment.geometry import Geometry
from textsegment.volume import Volume
from textsegment.wire.volumes.codec import wire_volume


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
          const { Plane, PLANES } = await import("/app/view/planes.js");
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


@pytest.mark.parametrize("number", [0, 13, 22, 47])
def test_bright_corner_is_drawn_where_it_belongs(watched: Watched, tmp_path, number):
    """The patient's right at the left of the axial picture, the front at its top: in pixels of the screen."""
    affine = ORIENTATIONS[number]
    path = tmp_path / "phantom.nii.gz"
    nib.save(nib.Nifti1Image(phantom_of(affine), affine), path)
    page = watched.open()
    drop(page, path)
    shape = np.array((20, 24, 16))
    axis = int(np.abs(affine[2, :3]).argmax())
    page.select_option("#window", "soft tissue")
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
    voxels = phantom_of(affine)
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
          const { readScan } = await import("/app/files/scan.js");
          const { Volume } = await import("/app/protocol/volume_codec.js");
          const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
          const { grid, voxels } = await readScan([new File([bytes], name)]);
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
    voxels = phantom_of(np.eye(4))
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
    voxels = np.stack([phantom_of(np.eye(4)) + shift for shift in (0, 5)], -1).astype(np.int16)
    nib.save(nib.Nifti1Image(voxels, np.eye(4)), path)
    page = watched.open()
    page.set_input_files("#file", str(path))
    page.wait_for_selector("#volumes:visible")
    page.select_option("#number", "2")
    page.wait_for_selector("#planes:visible")
    assert PLACE.search(page.inner_text("#place"))[4] in ("5", "1005")
