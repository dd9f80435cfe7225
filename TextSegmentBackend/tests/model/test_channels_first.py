"""The sparing way through the U-Net gives what the plain layers give."""

import pytest
import torch
from torch import nn

from textsegment.model import channels_first
from textsegment.model.channels_first import JoinedSkip, convolve, normalize_in_place
from textsegment.model.unet import UNet


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("height", [1, 2, 7, 8, 13])
@pytest.mark.parametrize("elements", [1, 3000, 6000, 10**9])
def test_convolution(stride: int, height: int, elements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels_first, "SLAB_ELEMENTS", elements)
    torch.manual_seed(0)
    conv = nn.Conv3d(3, 5, 3, stride=stride, padding=1)
    x = torch.randn(2, 3, height, 10, 12)
    with torch.no_grad():
        torch.testing.assert_close(convolve(conv, x), conv(x))


@pytest.mark.parametrize("elements", [1, 5000, 10**9])
def test_convolution_of_an_upsampled_tensor_beside_its_skip(
    elements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels_first, "SLAB_ELEMENTS", elements)
    torch.manual_seed(0)
    upsample = nn.ConvTranspose3d(6, 4, kernel_size=2, stride=2)
    conv = nn.Conv3d(8, 4, 3, padding=1)
    deeper, skip = torch.randn(2, 6, 5, 4, 3), torch.randn(2, 4, 10, 8, 6)
    with torch.no_grad():
        joined = torch.cat((upsample(deeper), skip), dim=1)
        torch.testing.assert_close(convolve(conv, JoinedSkip(upsample, deeper, skip)), conv(joined))


@pytest.mark.parametrize("elements", [1, 10**4, 10**9])
def test_normalisation(elements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels_first, "SLAB_ELEMENTS", elements)
    norm = nn.InstanceNorm3d(7, affine=True)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    x = torch.randn(2, 7, 6, 5, 4) * 3 + 1
    with torch.no_grad():
        expected = nn.functional.leaky_relu(norm(x), 0.01)
        result = normalize_in_place(x, norm, 0.01)
    assert result is x
    torch.testing.assert_close(result, expected)


def test_whole_unet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels_first, "SLAB_ELEMENTS", 20_000)
    torch.manual_seed(0)
    unet = UNet((4, 4, 6, 6, 8, 8), (2,) * 6, (2,) * 5)
    image = torch.randn(2, 3, 64, 64, 32)
    plain = unet.decoder(unet.encoder(image))
    with torch.no_grad():
        sparing = unet.decoder(unet.encoder(image))
    torch.testing.assert_close(sparing, plain.detach(), atol=2e-4, rtol=1e-3)
