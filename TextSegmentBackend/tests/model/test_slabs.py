"""Large layers, channels last and slab by slab, give what the plain layers give."""

import numpy as np
import pytest
import torch
from named_weights import named_tensors, published_shapes
from torch import nn

from textsegment.model import slabs
from textsegment.model.channels_first import JoinedSkip
from textsegment.model.checkpoints.published import load_published
from textsegment.model.config import SAT_NANO
from textsegment.model.sat import SAT
from textsegment.model.slabs import convolve, finished, mean_of_blocks, takes
from textsegment.model.unet import ConvBlock, ConvStage, UNet

pytestmark = pytest.mark.skipif(not slabs._SUITED, reason="for x86 processors")


@pytest.fixture(params=[1, 20_000, 10**9], ids=["rows in pairs", "some rows", "in one piece"])
def every_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slabs, "SMALL_VOXELS", 0)
    monkeypatch.setattr(slabs, "ENCODER_VOXELS", 0)
    monkeypatch.setattr(slabs, "SLAB_BYTES", request.param)


def normed(block: nn.Module) -> nn.Module:
    """Give every norm scales of both signs."""
    for module in block.modules():
        if isinstance(module, nn.InstanceNorm3d):
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    return block


@pytest.mark.usefixtures("every_size")
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("height", [1, 2, 7, 8, 13])
def test_a_tensor(stride: int, height: int) -> None:
    torch.manual_seed(0)
    block = normed(ConvBlock(3, 5, stride))
    x = torch.randn(1, 3, height, 10, 12)
    before = x.clone()
    with torch.no_grad():
        torch.testing.assert_close(finished(block(x)), plain(block, x), atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(x, before, rtol=0, atol=0)


@pytest.mark.usefixtures("every_size")
def test_one_grey_channel_repeated() -> None:
    torch.manual_seed(0)
    block = normed(ConvBlock(3, 5))
    grey = torch.randn(1, 1, 9, 10, 12).expand(-1, 3, -1, -1, -1)
    with torch.no_grad():
        torch.testing.assert_close(finished(block(grey)), plain(block, grey), atol=2e-5, rtol=1e-4)


@pytest.mark.usefixtures("every_size")
@pytest.mark.parametrize("height", [2, 3, 8, 13])
def test_layers_after_one_another(height: int) -> None:
    torch.manual_seed(0)
    stage = normed(ConvStage(3, 6, 3))
    x = torch.randn(1, 3, height, 10, 12)
    with torch.no_grad():
        torch.testing.assert_close(stage(x), plain(stage, x), atol=1e-4, rtol=1e-3)


@pytest.mark.usefixtures("every_size")
@pytest.mark.parametrize("height", [2, 6, 10])
def test_an_upsampled_tensor_beside_its_skip(height: int) -> None:
    torch.manual_seed(0)
    upsample = nn.ConvTranspose3d(6, 4, kernel_size=2, stride=2)
    block = normed(ConvBlock(8, 4))
    deeper, skip = torch.randn(1, 6, height // 2, 4, 3), torch.randn(1, 4, height, 8, 6)
    with torch.no_grad():
        expected = plain(block, torch.cat((upsample(deeper), skip), dim=1))
        result = finished(block(JoinedSkip(upsample, deeper, skip)))
    torch.testing.assert_close(result, expected, atol=2e-5, rtol=1e-4)


@pytest.mark.usefixtures("every_size")
@pytest.mark.parametrize("mixed", [False, True], ids=["float32", "bfloat16"])
def test_whole_unet(mixed: bool) -> None:
    torch.manual_seed(0)
    unet = UNet((4, 4, 6, 6, 8, 8), (2,) * 6, (2,) * 5)
    image = torch.randn(1, 3, 64, 64, 64)
    expected = unet.decoder(unet.encoder(image)).detach()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        result = unet.decoder(unet.encoder(image))
    assert result.dtype == (torch.bfloat16 if mixed else torch.float32)
    error = torch.linalg.vector_norm(result.float() - expected) / torch.linalg.vector_norm(expected)
    assert error < (0.1 if mixed else 1e-4)


def test_statistics_of_a_full_patch() -> None:
    """A running float32 sum over as many voxels is off by 4e-3 in the variance."""
    torch.manual_seed(0)
    conv, norm = nn.Conv3d(1, 6, 3, padding=1), nn.InstanceNorm3d(6, affine=True)
    image = torch.randn(1, 1, *SAT_NANO.patch_size).mul_(0.5).add_(4)
    with torch.no_grad():
        assert takes(conv, image)
        convolved = convolve(conv, norm, 0.01, image)
    for channel in range(6):
        values = convolved.values[0, channel].numpy().astype(np.float64)
        variance = values.var()
        assert abs(convolved.variance[channel].item() / variance - 1) < 1e-5
        assert abs(convolved.mean[channel].item() - values.mean()) < 1e-5 * np.sqrt(variance)


@pytest.mark.slow
def test_a_larger_patch_of_sat_nano() -> None:
    """Named weights; the bottleneck has 18 voxels, and level 0 is larger than what keeps channels first."""
    with torch.device("meta"):
        network = SAT(SAT_NANO)
    load_published(network, named_tensors(published_shapes("keys_nano.tsv"), salt="b"))
    network.eval().requires_grad_(False)
    patch, queries = torch.randn(1, 1, 96, 96, 64), torch.randn(3, SAT_NANO.width)
    with torch.enable_grad():  # the plain layers
        expected = network(patch, queries)
    with torch.no_grad():
        result = network(patch, queries)
    error = torch.linalg.vector_norm(result - expected) / torch.linalg.vector_norm(expected)
    assert error < 1e-5
    assert ((result > 0) != (expected > 0)).double().mean() < 1e-5


def test_small_layers_are_left_to_the_bit() -> None:
    """Their sums must be those of the plain layers, which a bottleneck of few voxels magnifies."""
    torch.manual_seed(0)
    unet = UNet((4, 4, 6, 6, 8, 8), (2,) * 6, (2,) * 5)
    image = torch.randn(1, 3, 64, 32, 32)
    expected = unet.decoder(unet.encoder(image)).detach()
    with torch.no_grad():
        assert torch.equal(unet.decoder(unet.encoder(image)), expected)


def test_the_encoder_of_a_small_patch_is_left_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its deeper layers magnify any other rounding; those of the decoder do not, and run in slabs."""
    monkeypatch.setattr(slabs, "SMALL_VOXELS", 0)
    torch.manual_seed(0)
    unet = UNet((4, 4, 6, 6, 8, 8), (2,) * 6, (2,) * 5)
    image = torch.randn(1, 3, 64, 32, 32)
    expected = [latent.detach() for latent in unet.encoder(image)]
    with torch.no_grad():
        for latent, same in zip(unet.encoder(image), expected, strict=True):
            assert torch.equal(latent, same)
        assert takes(unet.decoder.stages[-1].convs[0].conv, JoinedSkip(nn.Identity(), image, expected[0]))
        with torch.autocast("cpu", torch.bfloat16):
            assert takes(unet.encoder.stages[0][0].convs[0].conv, image)


@pytest.mark.parametrize(
    "x",
    [
        torch.empty(2, 3, 8, 8, 8),
        torch.empty(1, 3, 8, 8, 8).double(),
        torch.empty(1, 3, 8, 8, 8, device="meta"),
    ],
)
def test_batches_other_types_and_other_devices_go_another_way(
    x: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slabs, "SMALL_VOXELS", 0)
    monkeypatch.setattr(slabs, "ENCODER_VOXELS", 0)
    conv = nn.Conv3d(3, 5, 3, padding=1)
    assert takes(conv, torch.empty(1, 3, 8, 8, 8))
    assert not takes(conv, x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_mean_of_blocks(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 5, 16, 8, 24).to(dtype)
    expected = nn.functional.avg_pool3d(x.float(), 8)
    last = x.contiguous(memory_format=torch.channels_last_3d)
    torch.testing.assert_close(mean_of_blocks(last, 8), expected)


def plain(block: nn.Module, x: torch.Tensor) -> torch.Tensor:
    with torch.enable_grad():
        result: torch.Tensor = block(x)
    return result.detach()
