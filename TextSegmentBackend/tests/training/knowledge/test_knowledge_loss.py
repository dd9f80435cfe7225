"""Each loss equals a plain formula, and overflows at no temperature."""

import math

import pytest
import torch
import torch.nn.functional as F

from textsegment.training.knowledge.loss import image_text_loss, text_text_loss


def batch(count, width=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    both = torch.randn((2, count, width), generator=generator, dtype=torch.float64)
    return F.normalize(both[0], dim=1), F.normalize(both[1], dim=1)


def similarities(first, second, scale):
    return [
        [scale * sum(float(x) * float(y) for x, y in zip(a, b, strict=True)) for b in second] for a in first
    ]


def plain_text_text(first, second, ids, scale):
    """Cross-entropy with targets of 1 for equal ids, divided by their Euclidean norm."""
    total = 0.0
    for a, b in ((first, second), (second, first)):
        rows = similarities(a, b, scale)
        for i, row in enumerate(rows):
            log_sum = math.log(sum(math.exp(s) for s in row))
            ones = [1.0 if ids[i] == other else 0.0 for other in ids]
            norm = math.sqrt(sum(one**2 for one in ones))
            total -= sum(one / norm * (s - log_sum) for one, s in zip(ones, row, strict=True)) / len(rows)
    return total / 2


def plain_image_text(image, text, ids, scale):
    """−log of the own similarity's share among itself and those of other ids."""
    total = 0.0
    for a, b in ((image, text), (text, image)):
        rows = similarities(a, b, scale)
        for i, row in enumerate(rows):
            others = sum(math.exp(s) for j, s in enumerate(row) if ids[j] != ids[i])
            total -= math.log(math.exp(row[i]) / (math.exp(row[i]) + others)) / len(rows)
    return total / 2


@pytest.mark.parametrize("ids", [[0, 1, 2, 3, 4], [0, 1, 0, 2, 0], [7, 7, 7, 7, 7], [3]])
@pytest.mark.parametrize("scale", [1.0, 14.3])
@pytest.mark.parametrize(
    ("loss", "plain"), [(text_text_loss, plain_text_text), (image_text_loss, plain_image_text)]
)
def test_losses_equal_a_plain_formula(loss, plain, ids, scale):
    first, second = batch(len(ids))
    found = loss(first, second, torch.tensor(ids), torch.tensor(scale, dtype=torch.float64))
    assert float(found) == pytest.approx(plain(first, second, ids, scale), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("loss", [text_text_loss, image_text_loss])
def test_the_highest_temperature_does_not_overflow(loss):
    first = F.normalize(torch.ones(4, 3), dim=1).requires_grad_()
    found = loss(first, -first.detach(), torch.tensor([0, 1, 2, 2]), torch.tensor(1e4))
    torch.autograd.backward(found)
    assert torch.isfinite(found)
    assert torch.isfinite(first.grad).all()


def test_pairs_of_one_concept_and_modality_are_neither_pulled_nor_pushed():
    image, text = batch(3)
    text = text.clone().requires_grad_()
    # All three are the same concept and modality: nothing is left to tell apart.
    found = image_text_loss(image, text, torch.tensor([5, 5, 5]), torch.tensor(10.0, dtype=torch.float64))
    torch.autograd.backward(found)
    assert float(found.detach()) == pytest.approx(0, abs=1e-12)
    assert torch.allclose(text.grad, torch.zeros_like(text), atol=1e-12)
