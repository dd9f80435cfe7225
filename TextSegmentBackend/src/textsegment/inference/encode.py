"""Encode the voxels of a patch as features, which must be finite: NaN or infinity never becomes a mask."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textsegment.errors import WeightsError
from textsegment.inference.device import CPU, computing, free_bytes
from textsegment.inference.memory import unet_bytes
from textsegment.model.sat import SAT, PatchFeatures


def encode_patch(
    network: SAT, patch: NDArray[np.float32], device: torch.device, precision: torch.dtype
) -> PatchFeatures:
    """Run the U-Net on a patch, and again in float32 if half precision overflows.

    Args:
        network: Network on the device, in evaluation mode.
        patch: Normalised voxels (h, w, d).
        device: Device of the network.
        precision: Data type in which the U-Net computes.

    Returns:
        Features on the device: tokens in float32, pixel features in the type in which they were computed.

    Raises:
        MemoryError: The computer has less free memory than the U-Net needs.
        WeightsError: The features are not finite even in float32.
    """
    image = torch.from_numpy(patch)[None, None].to(device)
    for dtype in dict.fromkeys((precision, torch.float32)):
        # When the host runs out of memory the operating system kills the process, so do not even try.
        if device == CPU and free_bytes(CPU) < unet_bytes(network.config, CPU, dtype):
            raise MemoryError
        with computing(device, dtype):
            features = network.encode_image(image)
        if _is_finite(features.tokens) and _is_finite(features.pixel_features):
            return features._replace(tokens=features.tokens.float())
        del features
    raise not_finite()


def not_finite() -> WeightsError:
    """Return the error for a network that answers with NaN or infinity."""
    return WeightsError("The network answers with numbers that are not finite.", "Import its weights again.")


def _is_finite(x: Tensor) -> bool:
    if x.dim() == 4 and x[0].numel() and x.stride(0) == 1:
        x = x.permute(1, 2, 3, 0)  # channels are last: without this order, all of it would be copied
    low, high = torch.aminmax(x)  # both are NaN if one value is
    return bool(torch.isfinite(low) and torch.isfinite(high))
