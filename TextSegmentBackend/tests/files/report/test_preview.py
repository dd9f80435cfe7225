import matplotlib.image
import numpy as np
import pytest
from made_scans import SHAPE, all_orientations, overlapping_masks, rotation, segmentation, separate_masks
from made_scans import affine as made_affine

from textsegment.files.report.colors import distinct_colors, luminance
from textsegment.files.report.preview import write_preview
from textsegment.files.report.slices import VIEWS, fullest_slice
from textsegment.geometry import Geometry, closest_axes
from textsegment.vocabulary.structures import load_structures
from textsegment.volume import Volume

WARNING_COLOR = np.array([255, 179, 71])

TURNED = [made_affine(rotation(0.2, -0.3, 0.25)), made_affine(rotation(-2.9, 0.2, 1.4))]


def gradients(geometry):
    """RAS position of each voxel, ``[i, j, k, 3]``."""
    return geometry.to_ras(np.moveaxis(np.indices(geometry.spatial_shape), 0, -1))


def volume_of(affine_ras, component, shape=SHAPE):
    geometry = Geometry(shape, affine_ras)
    return Volume(gradients(geometry)[..., component], geometry, "MR")


@pytest.mark.parametrize(
    "matrix",
    [*all_orientations(), made_affine(rotation(0.2, -0.3, 0.25)), made_affine(rotation(-2.9, 0.2, 1.4))],
)
def test_right_is_left_front_is_up_and_head_is_up(matrix):
    """In any orientation of the grid: the rows and columns of each view run as a radiologist expects."""
    scan = segmentation(matrix, separate_masks())
    for view in VIEWS:
        along_row = fullest_slice(volume_of(matrix, view.horizontal), scan, view).pixels
        along_column = fullest_slice(volume_of(matrix, view.vertical), scan, view).pixels
        assert (np.diff(along_row, axis=1) < 0).all()
        assert (np.diff(along_column, axis=0) < 0).all()


def test_letters_say_what_is_shown():
    letters = {view.name: view.letters for view in VIEWS}
    assert letters == {"axial": "RLAP", "coronal": "RLSI", "sagittal": "APSI"}


@pytest.mark.parametrize("matrix", all_orientations()[::5])
def test_pixels_and_masks_lie_on_each_other_and_have_the_right_size(matrix):
    masks = separate_masks()
    geometry = Geometry(SHAPE, matrix)
    # The scan is the mask itself, so the picture of one has to be the picture of the other.
    volume = Volume(masks["liver"].astype(np.int16), geometry, "MR")
    for view in VIEWS:
        piece = fullest_slice(volume, segmentation(matrix, {"liver": masks["liver"]}), view)
        assert np.array_equal(piece.pixels > 0, piece.masks[0])
        axes = closest_axes(matrix)
        mm = [
            SHAPE[axes.index(axis)] * geometry.spacing[axes.index(axis)]
            for axis in (view.vertical, view.horizontal)
        ]
        assert np.allclose(piece.size_mm, mm)


def test_slice_with_most_structures_is_shown():
    masks = {name: np.zeros((20, 20, 20), dtype=bool) for name in ("liver", "spleen", "aorta")}
    masks["liver"][2:15, 2:15, 0:5] = True
    masks["spleen"][3:5, 3:5, 11:14] = True
    masks["aorta"][8:9, 8:9, 10:13] = True
    scan = segmentation(np.eye(4), masks)
    volume = Volume(np.zeros((20, 20, 20)), scan.geometry, "CT")
    axial = fullest_slice(volume, scan, VIEWS[0])
    assert axial.position_mm in (11, 12)
    assert [mask is not None for mask in axial.masks] == [False, True, True]


def pixels_of(path):
    return (matplotlib.image.imread(path)[..., :3] * 255).round().astype(int)


def count_near(pixels, color, tolerance=12):
    return int((np.abs(pixels - np.asarray(color)).max(axis=-1) <= tolerance).sum())


def test_contours_of_every_structure_are_in_the_picture(tmp_path):
    scan = segmentation(np.diag([2.0, 2, 3, 1]), overlapping_masks())
    write_preview(Volume(np.zeros(SHAPE), scan.geometry, "CT"), scan, tmp_path / "out.png")
    pixels = pixels_of(tmp_path / "out.png")
    structures = load_structures()
    colors = distinct_colors([structures[mask.structure].color for mask in scan])
    for mask, color in zip(scan, colors, strict=True):
        # The swatch of the legend is about 500 pixels; contours come on top of it.
        seen = count_near(pixels, color)
        assert (seen == 0) if mask.statistics.is_empty else (seen > 900)


def test_demonstration_model_says_so(tmp_path):
    for model in ("sat-demo", "sat-nano"):
        scan = segmentation(np.eye(4), separate_masks(), model=model)
        write_preview(Volume(np.zeros(SHAPE), scan.geometry, "CT"), scan, tmp_path / f"{model}.png")
    assert count_near(pixels_of(tmp_path / "sat-demo.png"), WARNING_COLOR) > 200
    assert count_near(pixels_of(tmp_path / "sat-nano.png"), WARNING_COLOR) == 0


def test_ct_window_does_not_depend_on_metal(tmp_path):
    scan = segmentation(np.eye(4), {})
    for name, metal in (("with", 30000), ("without", 240)):
        voxels = np.full(SHAPE, 40)
        voxels[0] = metal
        write_preview(Volume(voxels, scan.geometry, "CT"), scan, tmp_path / f"{name}.png")
    assert np.array_equal(pixels_of(tmp_path / "with.png"), pixels_of(tmp_path / "without.png"))


@pytest.mark.parametrize("shape", [(1, 8, 7), (9, 1, 7), (9, 8, 1), (1, 1, 1)])
def test_singleton_volumes(tmp_path, shape):
    scan = segmentation(np.eye(4), {"liver": np.ones(shape, dtype=bool)})
    write_preview(Volume(np.zeros(shape), scan.geometry, "MR"), scan, tmp_path / "out.png")
    assert pixels_of(tmp_path / "out.png").size


def test_hostile_names_nan_and_many_structures(tmp_path):
    hostile = ["$\\frac{", "名前", "x" * 200, "<b>&amp;"]
    names = [*hostile, *(f"structure {n}" for n in range(200))]
    nothing = np.zeros(SHAPE, dtype=bool)
    scan = segmentation(
        np.eye(4), dict.fromkeys(names, nothing) | dict.fromkeys(hostile, separate_masks()["liver"])
    )
    voxels = np.full(SHAPE, np.nan)
    write_preview(Volume(voxels, scan.geometry, "MR"), scan, tmp_path / "out.png")
    height, width, _ = pixels_of(tmp_path / "out.png").shape
    assert max(height, width) < 4000


def test_colours_can_be_seen_and_told_apart():
    colors = distinct_colors([structure.color for structure in list(load_structures().values())[:40]])
    assert min(luminance(color) for color in colors) >= 0.2
    distances = [np.linalg.norm(np.subtract(a, b)) for n, a in enumerate(colors) for b in colors[:n]]
    assert min(distances) > 20
    alike = distinct_colors([(221, 130, 101)] * 12)
    assert alike[0] == (221, 130, 101)
    assert len(set(alike)) == 12


def test_dark_and_grey_become_visible():
    for color in distinct_colors([(0, 0, 0), (20, 20, 90), (128, 128, 128)]):
        assert luminance(color) >= 0.2
        assert max(color) - min(color) > 60
