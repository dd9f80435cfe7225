"""A network and text encoder of a few hundred kilobytes, and files as SAT's authors would publish them."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from textsegment.inference.weights.registry import PublishedModel
from textsegment.model.checkpoints.published import save_published
from textsegment.model.config import SATConfig
from textsegment.model.sat import SAT
from textsegment.model.text.mpnet import MPNetConfig
from textsegment.model.text.text_encoder import KnowledgeEncoder

TINY = SATConfig(
    name="sat-tiny",
    features=(4, 4, 4, 8, 8, 8),
    encoder_convs=(1,) * 6,
    decoder_convs=(1,) * 5,
    width=12,
    projection_hidden=12,
    mask_hidden=8,
    layers=2,
    heads=2,
    feed_forward=16,
    patch_size=(64, 64, 32),
)
TINY_TEXT = MPNetConfig(width=12, layers=1, heads=2, feed_forward=16, positions=258)


def write_published(path: Path, tensors: dict[str, Tensor]) -> Path:
    """Write tensors, by their full published names, as training would have left them."""
    learning_rate = np.float64(1e-4)
    moments = {number: {"exp_avg": torch.zeros(3), "step": torch.tensor(7.0)} for number in range(2)}
    optimizer = {"state": moments, "param_groups": [{"lr": learning_rate, "params": [0, 1]}]}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model_state_dict": tensors, "step": 7, "optimizer_state_dict": optimizer}, path)
    return path


def write_tiny_pair(folder: Path, seed: int = 0) -> tuple[Path, Path]:
    """Write a published network and its text encoder below a folder, as the hub has them."""
    torch.manual_seed(seed)
    network, text = folder / "Tiny/tiny.pth", folder / "Tiny/tiny_text_encoder.pth"
    for path, module in ((network, SAT(TINY)), (text, KnowledgeEncoder(TINY_TEXT))):
        path.parent.mkdir(parents=True, exist_ok=True)
        save_published(module, path)
        write_published(path, torch.load(path, weights_only=True)["model_state_dict"])
    return network, text


TINY_PUBLISHED = PublishedModel(
    TINY,
    TINY_TEXT,
    network_patterns=(r"(.*/)?tiny\.pth",),
    text_patterns=(r"(.*/)?tiny_text_encoder\.pth", r"text_encoder\.pth"),
    download_gb=0.003,
)
