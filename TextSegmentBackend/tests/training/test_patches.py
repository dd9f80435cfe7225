"""Patches keep labels on their voxels; what is asked for follows the published proportions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from spheres import QUICK, TINY

from textsegment.datasets.data_set import DataSet
from textsegment.training.sampling.case import TrainingCase, load_case
from textsegment.training.sampling.cases import TrainingCases, repeats
from textsegment.training.sampling.choice import choose
from textsegment.training.sampling.patches import PatchSource


def striped(**changes: object) -> TrainingCase:
    """A case of 40 slabs along z, one structure each, of which the first is partly drawn."""
    atoms = np.zeros((40, 40, 80), dtype=np.int16)
    atoms[:, :, :] = 1 + np.arange(80) // 2
    fields: dict[str, object] = {
        "image": atoms.astype(np.float16),
        "atoms": atoms,
        "membership": np.vstack([np.zeros((1, 40), bool), np.eye(40, dtype=bool)]),
        "structures": tuple(f"s{n}" for n in range(40)),
        "absent": tuple(f"absent {n}" for n in range(30)),
        "modality": "CT",
        "extents": {"s10": (20, 21)},
        "exclusive": frozenset(f"s{n}" for n in range(40)),
    }
    return TrainingCase(**(fields | changes))


def test_a_case_knows_drawn_structures_unions_and_absent_ones(spheres: DataSet) -> None:
    case = load_case(spheres[0])
    assert case.structures == ("left kidney", "right kidney", "kidney")
    assert case.absent == ("liver",)
    assert case.exclusive == {"left kidney", "right kidney"}
    assert abs(float(case.image.astype(float).mean())) < 1e-2
    for column, name in enumerate(case.structures):
        box_and_mask = spheres[0].canonical_mask(name)
        assert box_and_mask is not None
        box, mask = box_and_mask
        assert np.array_equal(case.membership[case.atoms[box], column], mask)
        assert case.membership[case.atoms, column].sum() == mask.sum()


@pytest.mark.parametrize("augmentation", ["none", "published", "strong"])
def test_patches_have_the_size_of_use_and_keep_labels_on_their_voxels(
    spheres: DataSet, augmentation: str
) -> None:
    source = PatchSource(replace(QUICK, augmentation=augmentation), TINY.patch_size)
    case = load_case(spheres[0])
    brighter = []
    for number in range(8):
        patch = source.cut(case, np.random.default_rng(number))
        assert patch.image.shape == (1, 1, *TINY.patch_size)
        assert patch.atoms.shape == TINY.patch_size
        right = patch.targets(["right kidney"])[0]
        if right.any():
            brighter.append(
                bool(patch.image[0, 0][right].mean() > patch.image[0, 0][patch.atoms == 0].mean())
            )
    assert len(brighter) > 3
    assert all(brighter)


def test_a_patch_is_a_function_of_its_seed(spheres: DataSet) -> None:
    case = load_case(spheres[0])
    first, second, other = (
        PatchSource(QUICK, TINY.patch_size).cut(case, np.random.default_rng((0, step, 1)))
        for step in (5, 5, 6)
    )
    assert torch.equal(first.image, second.image)
    assert torch.equal(first.atoms, second.atoms)
    assert not torch.equal(first.image, other.image)


def test_crops_lie_on_foreground() -> None:
    atoms = np.zeros((200, 40, 40), dtype=np.int16)
    atoms[180:182, 20:22, 20:22] = 1
    image, membership = atoms.astype(np.float16), np.array([[False], [True]])
    case = striped(image=image, atoms=atoms, membership=membership, structures=("s0",), extents={})
    source = PatchSource(replace(QUICK, augmentation="none", sizes=(((64, 32, 32), 1.0),)), TINY.patch_size)
    for number in range(10):
        assert source.cut(case, np.random.default_rng(number)).present() == ["s0"]


def test_prompts_are_those_in_the_patch_and_half_as_many_that_are_not() -> None:
    """Positive ones up to 32, then negative ones up to half as many; without any, up to 32 at random."""
    source = PatchSource(replace(QUICK, augmentation="none", sizes=(((64, 32, 32), 1.0),)), TINY.patch_size)
    patch = source.cut(striped(), np.random.default_rng(0))
    there = patch.present()
    assert 16 <= len(there) <= 17
    chosen = choose(patch, 32, 0.5, np.random.default_rng(0))
    assert chosen[: len(there)] == there
    assert len(chosen) == len(there) + round(0.5 * len(there))
    assert len(choose(patch, 10, 0.5, np.random.default_rng(0))) == 15
    empty = replace(patch, atoms=torch.zeros_like(patch.atoms))
    assert len(choose(empty, 32, 0.5, np.random.default_rng(0))) == 32


def test_beyond_the_ends_of_a_partly_drawn_structure_nothing_is_known() -> None:
    source = PatchSource(replace(QUICK, augmentation="none", sizes=(((32, 32, 96), 1.0),)), TINY.patch_size)
    patch = source.cut(striped(), np.random.default_rng(0))
    known = patch.known(["s10", "s11"])
    assert np.flatnonzero(known[0].all((0, 1))[:80]).tolist() == [20, 21]
    assert known[1].all()
    assert patch.targets(["s10"])[0][:, :, 20:22].all()


def test_atoms_about_which_nothing_is_known_belong_to_nothing() -> None:
    atoms = striped().atoms.copy()
    atoms[:10] = -1
    patch = PatchSource(
        replace(QUICK, augmentation="none", sizes=(((64, 64, 96), 1.0),)), TINY.patch_size
    ).cut(striped(atoms=atoms), np.random.default_rng(0))
    assert not patch.targets(["s3", "s39"])[:, :10].any()
    assert not patch.known(["s3"])[0, :10, :40, :80].any()


def test_memory_of_cases_is_bounded(spheres: DataSet) -> None:
    """15.1: it does not grow with the number of cases."""
    one = load_case(spheres[0]).nbytes
    cases = TrainingCases([spheres], TINY.patch_size, cache_bytes=2 * one + one // 2)
    for index in (0, 1, 2, 0, 1):
        cases.get(index)
        assert cases.held_bytes <= 2 * one + one // 2
    assert cases.get(1) is cases.get(1)


def test_larger_scans_with_more_labels_are_drawn_more_often(spheres: DataSet) -> None:
    case = spheres[0]
    assert repeats(case, (64, 64, 64)) == 1
    wide = replace(case.record, roi_y1x1z1_y2x2z2=[0, 0, 0, 128, 96, 10], label=["x"] * 64)
    assert repeats(replace(case, record=wide), (64, 64, 64)) == 6
