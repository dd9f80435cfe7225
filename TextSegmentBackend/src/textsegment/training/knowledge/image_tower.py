"""The image encoder in training: a vector for each structure of a crop, from all stages of the encoder."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from textsegment.model.config import SATConfig
from textsegment.model.sat import SAT
from textsegment.model.unet import IMAGE_CHANNELS, Encoder

_SLOPE = 1e-2


class ImageTower(nn.Module):
    """Encoder of the U-Net of SAT, with a head that maps a structure to the width of the text encoder.

    Args:
        config: Network whose encoder it is.
        width: Number of channels of a text.
    """

    def __init__(self, config: SATConfig, width: int) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config.features, config.encoder_convs)
        self.head = nn.Sequential(
            nn.Linear(config.latent_channels, width), nn.GELU(), nn.Linear(width, width), nn.GELU()
        )
        for module in self.encoder.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, a=_SLOPE)
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward(self, image: Tensor, masks: Tensor) -> Tensor:
        """Return a vector for each mask, L2-normalised, (N, width).

        At each stage the features are averaged under the mask, which is max-pooled by 2 from stage to stage,
        so that no structure vanishes.

        Args:
            image: Normalised voxels (1, 1, h, w, d); h, w, d are multiples of 32.
            masks: Masks (N, 1, h, w, d) of zeros and ones, none empty.
        """
        vectors = []
        for stage, features in enumerate(self.encoder(image.expand(-1, IMAGE_CHANNELS, -1, -1, -1))):
            if stage > 0:
                masks = F.max_pool3d(masks, 2)
            total = torch.einsum("chwd,nhwd->nc", features[0], masks[:, 0])
            vectors.append(total / masks.sum((2, 3, 4)))
        return F.normalize(self.head(torch.cat(vectors, dim=1)), dim=1)

    def give_encoder_to(self, network: SAT) -> None:
        """Copy the encoder into a segmentation network of the same configuration, to train from it."""
        network.backbone.encoder.load_state_dict(self.encoder.state_dict())
