"""The sliding average against a plain one."""

import numpy as np
import pytest
import torch

from textsegment.inference.accumulate import THRESHOLD, Accumulator, window_shape
from textsegment.inference.image.patches import PatchGrid, patch_weight


@pytest.mark.parametrize(
    ("shape", "patch"),
    [
        ((20, 24, 70), (16, 16, 16)),
        ((90, 20, 17), (32, 32, 16)),
        ((16, 53, 16), (16, 16, 16)),
        ((5, 6, 7), (16, 16, 16)),
        ((17, 17, 17), (16, 16, 16)),
    ],
)
def test_equals_the_plain_average(shape: tuple[int, int, int], patch: tuple[int, int, int]) -> None:
    prompts = 3
    grid = PatchGrid(shape, patch)
    generator = torch.Generator().manual_seed(4)
    weight = torch.from_numpy(patch_weight(patch).copy())
    sums, weights = torch.zeros((prompts, *shape)), torch.zeros(shape)
    accumulator = Accumulator(prompts, grid, torch.device("cpu"))
    for box in grid.boxes:
        here = weight[tuple(slice(n) for n in box.shape)]
        probabilities = torch.rand((prompts, *box.shape), generator=generator)
        probabilities[1] *= 0.4  # never found
        probabilities[2, :, : box.shape[1] // 2] = 0
        sums[(slice(None), *box.slices)] += probabilities * here
        weights[box.slices] += here
        accumulator.begin_patch(box, here)
        accumulator.add(box, probabilities, here)
    mean = (sums / weights).numpy()
    found = accumulator.finish()
    assert found[1] is None
    for prompt in (0, 2):
        result = found[prompt]
        assert result is not None
        whole = np.zeros(shape, dtype=np.uint8)
        whole[result.box.slices] = result.levels
        np.testing.assert_array_equal(whole > THRESHOLD, mean[prompt] > 0.5)
        inside = mean[prompt][result.box.slices]
        kept = inside > 0.02
        np.testing.assert_allclose(result.levels[kept] / 254, inside[kept], atol=0.5 / 254 + 0.005)


def test_the_window_does_not_grow_with_the_image() -> None:
    assert window_shape(PatchGrid((40, 40, 1000), (32, 32, 32))) == (40, 40, 32)
    assert window_shape(PatchGrid((40, 40, 10), (64, 64, 32))) == (40, 40, 10)
