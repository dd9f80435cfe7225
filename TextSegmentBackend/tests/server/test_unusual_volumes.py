"""What is unusual but not wrong: it succeeds, and the answer says what to look at."""

from __future__ import annotations

import json

import numpy as np
import pytest
from server_process import frames, report
from wire_samples import OBLIQUE

from textsegment.geometry import Geometry
from textsegment.segmenter import MaskReady
from textsegment.testing import ball, phantom
from textsegment.volume import Volume
from textsegment.wire.frames import Done
from textsegment.wire.volumes.codec import wire_volume


def answer(server, volume, prompts) -> tuple[dict, Done]:
    """Masks by structure, and the end."""
    server.put(volume)
    *events, last = frames(server.post(volume.digest, prompts), volume)
    assert isinstance(last, Done)
    return {e.mask.structure: e.mask for e in events if isinstance(e, MaskReady)}, last


def test_sheared_grid_is_warned_about(server):
    """Faults 22 and 29."""
    tilted = OBLIQUE.copy()
    tilted[1, 2] = 0.7
    _, end = answer(server, wire_volume(phantom((30, 30, 20), tilted)), ["liver"])
    assert any("sheared" in warning for warning in end.warnings)


@pytest.mark.parametrize(
    ("shape", "spacing", "word"),
    [
        ((40, 40, 6), (1, 1, 20), "anisotropic"),
        ((64, 64, 2), (1, 1, 2), "thick"),
        ((1, 9, 9), (5, 5, 5), "thick"),
    ],
)
def test_anisotropic_or_tiny_volume_is_warned_about(server, shape, spacing, word):
    """Fault 24."""
    _, end = answer(server, wire_volume(phantom(shape, np.diag([*spacing, 1.0]))), ["liver"])
    assert any(word in warning for warning in end.warnings)


def test_prompts_that_come_twice_give_one_mask(server):
    """Fault 25."""
    volume = wire_volume(phantom())
    server.put(volume)
    body = json.dumps({"volume": volume.digest, "prompts": ["liver", " LIVER ", "Left  Kidney", "liver"]})
    *events, _ = frames(server.post_raw(body.encode()), volume)
    found = [e.mask.structure for e in events if isinstance(e, MaskReady)]
    assert found == ["liver", "left kidney"]


def test_structure_outside_the_image_is_empty_and_flagged(server):
    """Fault 26."""
    masks, _ = answer(server, wire_volume(phantom()), ["spleen"])
    assert masks["spleen"].statistics.is_empty
    assert any("Not found" in warning for warning in masks["spleen"].warnings)


def test_overlapping_structures_are_all_kept(server):
    """Fault 27."""
    volume = wire_volume(phantom((60, 60, 60), np.diag([1.0, 1, 1, 1])))
    names = ["left kidney", "right kidney", "liver", "aorta", "pancreas", "heart"]
    masks, _ = answer(server, volume, names)
    together = sum(mask.full((60, 60, 60)).astype(int) for mask in masks.values())
    assert together.max() > 1
    assert together.sum() == sum(mask.statistics.voxel_count for mask in masks.values())


@pytest.mark.parametrize(
    "prompt", ["../../etc/passwd", "<script>", "'; drop table", "liver\u202e", "💥", "%n%s"]
)
def test_hostile_prompts_are_unknown_structures(server, prompt):
    """Fault 28."""
    volume = wire_volume(phantom())
    server.put(volume)
    refused = server.post_raw(json.dumps({"volume": volume.digest, "prompts": [prompt]}).encode())
    assert refused.status_code == 422
    assert report(refused).code in ("structure_unknown", "prompt_invalid")


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (2, 1, 0)])
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, -1)])
def test_masks_lie_on_the_grid_of_the_volume_whatever_its_axes(server, axes, signs):
    affine = np.eye(4)
    affine[:3, :3] = np.diag([0.9, 1.1, 2.5])[:, axes] * signs
    affine[:3, 3] = [-50, 70, 900]
    voxels = np.arange(31 * 29 * 17, dtype=np.int16).reshape(31, 29, 17)
    volume = wire_volume(Volume(voxels, Geometry(voxels.shape, affine), "CT"))
    masks, _ = answer(server, volume, ["liver"])
    assert np.array_equal(masks["liver"].full(voxels.shape), ball("liver", volume.geometry))
    assert masks["liver"].statistics.mean_intensity == pytest.approx(
        voxels[ball("liver", volume.geometry)].mean()
    )
