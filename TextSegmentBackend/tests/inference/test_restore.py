"""The way back: shapes that are known exactly return to the scan's own grid, whatever its orientation."""

from itertools import permutations, product

import numpy as np
import pytest

from textsegment.geometry import Box, Geometry
from textsegment.inference.accumulate import LEVELS, ProbabilityBox
from textsegment.inference.image.canonical import CanonicalImage, to_canonical
from textsegment.inference.image.restore import restore_mask
from textsegment.segmentation import StructureMask
from textsegment.volume import Volume

# Three balls (centre in RAS mm from the middle of the scan, radius in mm): no mirror image fits.
SHAPE = (((5, 4, -3), 24), ((-20, 9, 7), 16), ((8, 22, 16), 14))
LEFT = (((-25, 3, 0), 17),)
RIGHT = (((24, 3, 0), 15),)
SIZE_MM = (112, 108, 104)

Balls = tuple[tuple[tuple[float, float, float], float], ...]


def rotation(x: float, y: float, z: float) -> np.ndarray:
    cx, cy, cz = np.cos(np.radians([x, y, z]))
    sx, sy, sz = np.sin(np.radians([x, y, z]))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def distance(geometry: Geometry, middle: np.ndarray, balls: Balls) -> np.ndarray:
    """Signed distance in mm of every voxel centre to the surface of the balls, negative inside."""
    points = geometry.to_ras(np.moveaxis(np.indices(geometry.spatial_shape), 0, -1)) - middle
    return np.min([np.linalg.norm(points - centre, axis=-1) - radius for centre, radius in balls], axis=0)


def scan(matrix: np.ndarray, spacing: tuple[float, float, float]) -> tuple[Volume, np.ndarray]:
    """A scan about the balls with a dark margin, and the position of its middle."""
    affine = np.eye(4)
    affine[:3, :3] = matrix @ np.diag(spacing)
    extent = np.abs(np.linalg.inv(matrix)) @ SIZE_MM
    x, y, z = (max(int(n), 1) for n in np.ceil(extent / spacing))
    middle = np.array([-40.0, 25.0, 310.0])
    affine[:3, 3] = middle - affine[:3, :3] @ ((np.array([x, y, z]) - 1) / 2)
    geometry = Geometry((x, y, z), affine)
    bright = distance(geometry, middle, (((0, 0, 0), 50),)) < 0
    return Volume(bright * np.int16(100), geometry, "MR"), middle


def there_and_back(volume: Volume, middle: np.ndarray, balls: Balls, **grid: object) -> StructureMask:
    canonical = to_canonical(volume, **{"spacing": (1, 1, 3), **grid})
    # A network's answer: 1 inside, 0 outside, and in between within a voxel of the surface.
    width = max(canonical.geometry.spacing)
    probability = np.clip(0.5 - distance(canonical.geometry, middle, balls) / (2 * width), 0, 1)
    return restore_mask("shape", whole(probability, canonical), canonical, volume)


def whole(probability: np.ndarray, canonical: CanonicalImage) -> ProbabilityBox:
    levels = np.round(probability * LEVELS).astype(np.uint8)
    return ProbabilityBox(Box((0, 0, 0), canonical.geometry.spatial_shape), levels)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def assert_returns(volume: Volume, middle: np.ndarray, least_dice: float = 0.99, **grid: object) -> None:
    truth = distance(volume.geometry, middle, SHAPE) < 0
    mask = there_and_back(volume, middle, SHAPE, **grid).full(volume.geometry.spatial_shape)
    assert dice(mask, truth) >= least_dice
    shift = np.argwhere(mask).mean(axis=0) - np.argwhere(truth).mean(axis=0)
    assert np.abs(shift).max() < 0.5


ORIENTATIONS = [
    np.eye(3)[list(axes)].T @ np.diag(signs)
    for axes, signs in product(permutations(range(3)), product([1, -1], repeat=3))
]


@pytest.mark.parametrize("matrix", ORIENTATIONS, ids=lambda m: Geometry((1, 1, 1), _affine(m)).axis_codes)
def test_all_48_orientations(matrix: np.ndarray) -> None:
    volume, middle = scan(matrix, (1.9, 2.2, 2.5))
    assert_returns(volume, middle)


def _affine(matrix: np.ndarray) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = matrix
    return affine


SHEAR = np.array([[1, 0, 0], [0, 1, 0.25], [0, 0, 0.97]])
TURN = np.array([[0, -1, 0], [0, 0, 1], [-1, 0, 0]])


@pytest.mark.parametrize(
    "matrix",
    [
        rotation(8, -5, 12),
        rotation(30, 20, -44) @ TURN,
        rotation(44, 44, 44),
        rotation(8, -5, 12) @ np.diag([-1, -1, 1]),
        SHEAR,
        np.diag([-1, -1, 1]) @ SHEAR,
        rotation(-12, 15, 3) @ SHEAR @ TURN,
        SHEAR @ SHEAR.T @ rotation(3, 4, 5),
    ],
)
@pytest.mark.parametrize("orientation", ["RAS", "ASR"])
def test_oblique_and_sheared(matrix: np.ndarray, orientation: str) -> None:
    volume, middle = scan(matrix, (1.9, 2.1, 2.3))
    assert_returns(volume, middle, orientation=orientation)


@pytest.mark.parametrize(
    ("spacing", "least_dice"),
    [((0.7, 0.7, 5.0), 0.99), ((1, 1, 3), 0.99), ((4.0, 4.0, 4.0), 0.97), ((0.9, 0.9, 10.0), 0.97)],
)
@pytest.mark.parametrize("canonical", [(1, 1, 3), (3, 3, 3)])
def test_voxel_sizes(
    spacing: tuple[float, float, float], least_dice: float, canonical: tuple[float, float, float]
) -> None:
    volume, middle = scan(np.diag([-1, -1, 1]), spacing)
    assert_returns(volume, middle, least_dice, spacing=canonical)


def test_left_stays_left() -> None:
    for matrix in ORIENTATIONS[::5]:
        volume, middle = scan(matrix, (3, 3, 3))
        for balls, side in ((LEFT, -1), (RIGHT, 1)):
            mask = there_and_back(volume, middle, balls).full(volume.geometry.spatial_shape)
            x = volume.geometry.to_ras(np.argwhere(mask)).mean(axis=0)[0] - middle[0]
            assert x * side > 10


@pytest.mark.parametrize(("n", "last_centre"), [(10, 9.0), (11, 9.0), (12, 12.0)])
def test_voxels_beyond_the_last_coarse_centre_are_not_cut(n: int, last_centre: float) -> None:
    volume = Volume(np.full((n, 4, 4), 5.0) + np.arange(n)[:, None, None], _grid((n, 4, 4)), "MR")
    canonical = to_canonical(volume, spacing=(3, 3, 3))
    assert canonical.geometry.to_ras([canonical.full_shape[0] - 1, 0, 0])[0] == last_centre
    mask = restore_mask("all", whole(np.ones(canonical.voxels.shape), canonical), canonical, volume)
    assert mask.statistics.voxel_count == n * 16
    assert mask.statistics.touches_border
    assert mask.statistics.mean_confidence == pytest.approx(1)


def _grid(shape: tuple[int, int, int]) -> Geometry:
    return Geometry(shape, np.eye(4))


def test_nothing_beyond_the_foreground_crop() -> None:
    voxels = np.zeros((20, 20, 20))
    voxels[5:15, 6:14, 7:13] = 9
    volume = Volume(voxels, _grid(voxels.shape), "MR")
    canonical = to_canonical(volume, spacing=(1, 1, 1))
    mask = restore_mask("all", whole(np.ones(canonical.voxels.shape), canonical), canonical, volume)
    np.testing.assert_array_equal(mask.full(voxels.shape), voxels > 0)
    assert not mask.statistics.touches_border
    assert mask.statistics.mean_intensity == 9
    assert mask.statistics.volume_ml == pytest.approx(0.48)


@pytest.mark.parametrize("shape", [(30, 28, 1), (1, 30, 28), (30, 1, 1), (1, 1, 1)])
def test_singleton_dimensions(shape: tuple[int, int, int]) -> None:
    volume = Volume(np.ones(shape), Geometry(shape, np.diag([-2.0, -2.0, 7.0, 1])), "MR")
    canonical = to_canonical(volume, spacing=(1, 1, 3))
    mask = restore_mask("all", whole(np.ones(canonical.voxels.shape), canonical), canonical, volume)
    assert mask.statistics.voxel_count == np.prod(shape)


def test_same_grid_gives_the_same_mask() -> None:
    rng = np.random.default_rng(5)
    volume = Volume(np.ones((12, 13, 14)), Geometry((12, 13, 14), np.diag([1.0, 1, 3, 1])), "MR")
    canonical = to_canonical(volume, spacing=(1, 1, 3))
    levels = rng.integers(0, 255, (12, 13, 14), dtype=np.uint8)
    mask = restore_mask("noise", ProbabilityBox(Box((0, 0, 0), (12, 13, 14)), levels), canonical, volume)
    np.testing.assert_array_equal(mask.full((12, 13, 14)), levels > 127)


def test_nowhere_is_an_empty_mask_with_a_warning() -> None:
    volume, _ = scan(np.eye(3), (4, 4, 4))
    canonical = to_canonical(volume, spacing=(1, 1, 3))
    faint = ProbabilityBox(Box((0, 0, 0), (3, 3, 3)), np.full((3, 3, 3), 100, dtype=np.uint8))
    for probability in (None, faint):
        mask = restore_mask("spleen", probability, canonical, volume)
        assert mask.statistics.is_empty
        assert np.isnan(mask.statistics.mean_confidence)
        assert any("spleen" in warning for warning in mask.warnings)
        assert not mask.full(volume.geometry.spatial_shape).any()
