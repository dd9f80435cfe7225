"""Every loss against a plain formula, voxel by voxel."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from textsegment.training.losses.loss import exclusive_loss, independent_loss, published_loss

SHAPE = (3, 2, 3, 2)


@pytest.fixture
def sample() -> tuple[Tensor, Tensor, Tensor]:
    """Logits, exclusive targets, and known voxels of three structures."""
    generator = torch.Generator().manual_seed(3)
    logits = 2 * torch.randn(SHAPE, generator=generator, dtype=torch.float64)
    numbers = torch.randint(0, 4, SHAPE[1:], generator=generator)
    targets = torch.stack([numbers == n for n in (1, 2, 3)])
    known = torch.rand(SHAPE, generator=generator) > 0.2
    return logits, targets, known


def voxels() -> list[tuple[int, int, int]]:
    return [(x, y, z) for x in range(SHAPE[1]) for y in range(SHAPE[2]) for z in range(SHAPE[3])]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def cross_entropy(p: float, truth: bool) -> float:
    return -math.log(p if truth else 1 - p)


def test_published_loss_is_dice_with_squares_and_cross_entropy(sample: tuple[Tensor, Tensor, Tensor]) -> None:
    logits, targets, known = sample
    total = 0.0
    for n in range(SHAPE[0]):
        both = squares = entropy = count = 0.0
        for v in voxels():
            if not known[n][v]:
                continue
            p, t = sigmoid(float(logits[n][v])), bool(targets[n][v])
            both += p * t
            squares += p * p + t
            entropy += cross_entropy(p, t)
            count += 1
        total += 1 - (2 * both + 1e-7) / (squares + 1e-7) + entropy / count
    assert float(published_loss(logits, targets, known)) == pytest.approx(total / SHAPE[0], rel=1e-9)


def test_independent_loss_is_dice_and_weighted_cross_entropy(sample: tuple[Tensor, Tensor, Tensor]) -> None:
    logits, targets, known = sample
    dice = entropy = count = 0.0
    for n in range(SHAPE[0]):
        both = sums = 0.0
        for v in voxels():
            if not known[n][v]:
                continue
            p, t = sigmoid(float(logits[n][v])), bool(targets[n][v])
            both += p * t
            sums += p + t
            entropy += cross_entropy(p, t)
            count += 1
        dice += (1 - (2 * both + 1) / (sums + 1)) / SHAPE[0]
    expected = dice + 4 * entropy / count
    assert float(independent_loss(logits, targets, known)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("balance", [0.0, 0.5])
def test_exclusive_loss_is_a_softmax_with_the_background(
    sample: tuple[Tensor, Tensor, Tensor], balance: float
) -> None:
    logits, targets, known = sample
    shares = {}
    labels = {}
    for v in voxels():
        exps = [1.0] + [math.exp(float(logits[n][v])) if known[n][v] else 0.0 for n in range(SHAPE[0])]
        shares[v] = [e / sum(exps) for e in exps]
        labels[v] = next((n + 1 for n in range(SHAPE[0]) if targets[n][v]), 0)
    # Where the truth of a structure is unknown, its own voxels are never asked for.
    certain = [v for v in voxels() if any(bool(known[n][v]) for n in range(SHAPE[0]))]
    certain = [v for v in certain if labels[v] == 0 or known[labels[v] - 1][v]]
    known = known & torch.stack([torch.tensor([v in certain for v in voxels()]).view(SHAPE[1:])] * SHAPE[0])
    counts = [sum(labels[v] == n for v in certain) for n in range(SHAPE[0] + 1)]
    weights = [max(count, 50) ** -balance for count in counts]
    entropy = sum(-weights[labels[v]] * math.log(shares[v][labels[v]]) for v in certain)
    entropy /= sum(weights[labels[v]] for v in certain)
    dice = 0.0
    for n in range(SHAPE[0]):
        seen = [v for v in voxels() if known[n][v]]
        both = sum(shares[v][n + 1] for v in seen if labels[v] == n + 1)
        sums = sum(shares[v][n + 1] + (labels[v] == n + 1) for v in seen)
        dice += (1 - (2 * both + 1) / (sums + 1)) / SHAPE[0]
    found = exclusive_loss(logits, targets, known, balance)
    assert float(found) == pytest.approx(entropy + dice, rel=1e-9)


@pytest.mark.parametrize("loss", [published_loss, independent_loss, exclusive_loss])
def test_unknown_voxels_have_no_gradient(loss, sample) -> None:
    """15.7: an unlabelled organ is not background."""
    logits, targets, known = sample
    logits = logits.clone().requires_grad_()
    loss(logits, targets & known, known).backward()
    assert logits.grad is not None
    assert not logits.grad[~known].any()
    assert logits.grad[known].any()


@pytest.mark.parametrize("loss", [published_loss, independent_loss, exclusive_loss])
def test_right_answers_cost_little_and_wrong_ones_much(loss) -> None:
    targets = torch.zeros(1, 4, 4, 4, dtype=torch.bool)
    targets[:, :2] = True
    right, known = torch.where(targets, 8.0, -8.0), torch.ones_like(targets)
    assert loss(right, targets, known) < 0.1
    assert loss(-right, targets, known) > 3


@pytest.mark.parametrize("loss", [published_loss, independent_loss, exclusive_loss])
def test_a_patch_about_which_nothing_is_known_costs_nothing_it_cannot_pay(loss) -> None:
    """A mean over no voxels is no number, and would spoil all weights."""
    logits = torch.randn(2, 3, 3, 3, requires_grad=True)
    nothing = torch.zeros(2, 3, 3, 3, dtype=torch.bool)
    value = loss(logits, nothing, nothing)
    value.backward()
    assert torch.isfinite(value)
    assert logits.grad is not None
    assert not logits.grad.any()
