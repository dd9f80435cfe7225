"""Plain convolutional U-Net: the image half of SAT.

Parameter names are those of the published checkpoints, so that loading needs no renaming.
Shapes in comments: B batch, C_s channels of stage s, (h, w, d) voxels of the patch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from textsegment.model import channels_first, slabs
from textsegment.model.channels_first import JoinedSkip
from textsegment.model.slabs import Convolved, finished

IMAGE_CHANNELS = 3
"""Number of input channels: SAT was built for colour images, so one grey channel is repeated three times."""


class ConvBlock(nn.Module):
    """Convolution → instance normalisation → leaky ReLU."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv3d(in_channels, out_channels, kernel_size=3, stride=stride, padding=1)
        self.norm = nn.InstanceNorm3d(out_channels, eps=1e-5, affine=True)
        self.activation = nn.LeakyReLU(0.01, inplace=True)

    def forward(self, x: Tensor | Convolved | JoinedSkip) -> Tensor | Convolved:
        """Map (B, in, h, w, d) to (B, out, h/stride, w/stride, d/stride).

        Without gradients, input and output may be other types than tensors, and the input may be overwritten.
        """
        if torch.is_grad_enabled():
            activated: Tensor = self.activation(self.norm(self.conv(x)))
            return activated
        slope = self.activation.negative_slope
        if slabs.takes(self.conv, x):
            return slabs.convolve(self.conv, self.norm, slope, x)
        x = finished(x) if isinstance(x, Convolved) else x
        return channels_first.normalize_in_place(channels_first.convolve(self.conv, x), self.norm, slope)


class ConvStage(nn.Module):
    """Sequence of blocks at one resolution; the stride is in the first block."""

    def __init__(self, in_channels: int, out_channels: int, count: int, stride: int = 1) -> None:
        super().__init__()
        first = ConvBlock(in_channels, out_channels, stride)
        self.convs = nn.Sequential(first, *(ConvBlock(out_channels, out_channels) for _ in range(count - 1)))

    def forward(self, x: Tensor | JoinedSkip) -> Tensor:
        """Map (B, in, h, w, d) to (B, out, h/stride, w/stride, d/stride)."""
        for block in self.convs:
            x = block(x)  # rebinding the name frees each tensor after its last use
        assert not isinstance(x, JoinedSkip)
        return finished(x)


class Encoder(nn.Module):
    """Encoder of six stages; each but the first halves the resolution."""

    def __init__(self, features: Sequence[int], convs: Sequence[int]) -> None:
        super().__init__()
        inputs = (IMAGE_CHANNELS, *features[:-1])
        # The published layout has this extra level of one-element sequences.
        self.stages = nn.ModuleList(
            nn.Sequential(ConvStage(i, o, n, stride=1 if s == 0 else 2))
            for s, (i, o, n) in enumerate(zip(inputs, features, convs, strict=True))
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map (B, 3, h, w, d) to one latent per stage, (B, C_s, h/2^s, w/2^s, d/2^s)."""
        latents = []
        for stage in self.stages:
            image = stage(image)
            latents.append(image)
        return latents


class Decoder(nn.Module):
    """Decoder of five stages up to full resolution, each joined by the skip at its resolution."""

    def __init__(self, features: Sequence[int], convs: Sequence[int]) -> None:
        super().__init__()
        below = features[:0:-1]  # deepest first
        here = features[-2::-1]
        self.transpconvs = nn.ModuleList(
            nn.ConvTranspose3d(b, c, kernel_size=2, stride=2) for b, c in zip(below, here, strict=True)
        )
        self.stages = nn.ModuleList(ConvStage(2 * c, c, n) for c, n in zip(here, convs, strict=True))

    def each_stage(self, latents: list[Tensor]) -> Iterator[Tensor]:
        """Yield the features of every stage, (B, C_s, h/2^s, w/2^s, d/2^s), deepest first.

        Empties ``latents``: each skip is freed as soon as it is used, which lowers the peak memory.
        """
        x = latents.pop()
        for upsample, stage in zip(self.transpconvs, self.stages, strict=True):
            assert isinstance(upsample, nn.ConvTranspose3d)
            assert isinstance(stage, ConvStage)
            if torch.is_grad_enabled():
                x = stage(torch.cat((upsample(x), latents.pop()), dim=1))
            else:  # the same without ever creating the concatenation
                x = stage(JoinedSkip(upsample, x, latents.pop()))
            yield x

    def forward(self, latents: list[Tensor]) -> Tensor:
        """Map the encoder's latents, which are emptied, to per-voxel features (B, C_0, h, w, d)."""
        for features in self.each_stage(latents):
            last = features
        return last


class UNet(nn.Module):
    """U-Net made of an encoder and a decoder."""

    def __init__(
        self, features: Sequence[int], encoder_convs: Sequence[int], decoder_convs: Sequence[int]
    ) -> None:
        super().__init__()
        self.encoder = Encoder(features, encoder_convs)
        self.decoder = Decoder(features, decoder_convs)
