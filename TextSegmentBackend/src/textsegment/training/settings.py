"""Recipes of training: how the published models were trained, and how small ones learn from few scans."""

from __future__ import annotations

import dataclasses
import math
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from textsegment.errors import InputError, SettingsError
from textsegment.model.config import CONFIGS, SATConfig

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Size = tuple[int, int, int]

_DEEPEST = 32
"""Factor by which the deepest stage of the U-Net is coarser than the patch."""

PARTS = {
    "backbone": ("network.backbone.",),
    "query": ("network.projection_layer.", "network.transformer_decoder."),
    "mask": ("network.mask_embed_proj.", "heads."),
    "text": ("text.",),
}
"""Prefixes of the parameters of each part that can be trained or frozen."""
ADAPTERS = {
    "query-adapters": ("projection_layer.", "transformer_decoder."),
    "image-adapters": ("backbone.encoder.",),
}
"""Prefixes, in the network, of the weights that get low-rank adapters, by the name of the part to train."""


def _require_patch(size: Size) -> None:
    """Refuse a size of patches that the U-Net cannot take.

    Raises:
        SettingsError: It is not three multiples of 32, or would leave a single voxel at the deepest stage, of
            which no deviation can be computed.
    """
    fits = len(size) == 3 and all(isinstance(n, int) and n > 0 and n % _DEEPEST == 0 for n in size)
    if not fits or math.prod(size) == _DEEPEST**3:
        raise SettingsError(
            f"A patch of {' × '.join(map(str, size))} voxels does not fit the network.",
            "Use multiples of 32, at least one of them 64 or more.",
        )


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training run.

    Attributes:
        steps: Total number of steps.
        batch: Patches per step, over all processes.
        warm_up_steps: Steps in which the learning rate rises linearly; then it falls as half a cosine.
        learning_rate: Peak learning rate of AdamW.
        weight_decay: Weight decay of AdamW.
        clip: Largest norm of the gradient; 0 for no limit.
        objective: ``independent``: Dice and cross-entropy of each prompt, as published. ``exclusive``: a
            softmax over the structures that exclude each other besides, with which small networks learn from
            few scans.
        exclusive_only_steps: With ``exclusive``, number of first steps with the softmax alone.
        augmentation: ``published`` or ``strong``, which also rotates and imitates other scanners.
        prompts: Largest number of structures of a patch that are learnt from it.
        negatives: Number of absent structures that are asked for, relative to those that are there.
        sizes: Sizes of patches in voxels, each with its relative frequency; empty for the size of use.
        stride: Distance of the voxels that the loss looks at, at full resolution.
        average_decay: Decay of the running mean of the weights, which is what gets exported.
        checkpoint_every: Steps between checkpoints.
        validate_every: Steps between validations on held-out patients; 0 for none.
        patience: Validations without a better result after which training stops; 0 for never.
        revive: Whether structures that are never found start again from a similarly named one.
        train: Parts that are trained (see ``PARTS`` and ``ADAPTERS``); the others keep their weights.
        adapter_rank: Rank of the adapters.
        replay: Share of patches from further sets (``--replay``), against forgetting.
        bfloat16: Whether the U-Net runs in mixed precision; None where that is faster.
        cache_gb: Memory for scans that have been read, in gigabytes, in each process that prepares patches.
        workers: Processes that prepare patches ahead; 0 prepares them in between. A GPU needs several.
        seed: Seed of weights, sampling and augmentation.
    """

    steps: int = 200_000
    batch: int = 1
    warm_up_steps: int = 20_000
    learning_rate: float = 1e-4
    weight_decay: float = 1e-2
    clip: float = 0.0
    objective: Literal["independent", "exclusive"] = "independent"
    exclusive_only_steps: int = 0
    augmentation: Literal["published", "strong", "none"] = "published"
    prompts: int = 32
    negatives: float = 0.5
    sizes: tuple[tuple[Size, float], ...] = ()
    stride: Size = (1, 1, 1)
    average_decay: float = 0.999
    checkpoint_every: int = 1000
    validate_every: int = 5000
    patience: int = 0
    revive: bool = False
    train: tuple[str, ...] = tuple(PARTS)
    adapter_rank: int = 8
    replay: float = 0.2
    bfloat16: bool | None = None
    cache_gb: float = 4.0
    workers: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if unknown := [part for part in self.train if part not in PARTS | ADAPTERS]:
            raise SettingsError(
                f"{unknown[0]!r} is no part that can be trained.",
                f"Choose from {', '.join((*PARTS, *ADAPTERS))}.",
            )
        if self.adapter_rank < 1:
            raise SettingsError("The rank of adapters is 1 at least.")
        for size, _odds in self.sizes:
            _require_patch(size)
        if self.steps < 1 or self.batch < 1 or self.prompts < 1:
            raise SettingsError("Steps, batch and prompts are 1 at least.")

    def rate(self, step: int) -> float:
        """Return the learning rate of a step: linear warm-up, then half a cosine down to zero."""
        if step < self.warm_up_steps:
            return self.learning_rate * (step + 1) / self.warm_up_steps
        share = (step - self.warm_up_steps) / max(1, self.steps - self.warm_up_steps)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))


PUBLISHED_RECIPE = TrainingSettings(sizes=(((288, 288, 64), 1.0),))
"""SAT's recipe: 200,000 steps on crops of 288 × 288 × 64 voxels (arXiv 2312.17183 and its code)."""

DEMO_RECIPE = TrainingSettings(
    steps=4000,
    warm_up_steps=100,
    learning_rate=2e-3,
    clip=5.0,
    objective="exclusive",
    exclusive_only_steps=600,
    augmentation="strong",
    prompts=28,
    sizes=(((128, 96, 64), 0.3), ((96, 96, 64), 0.2), ((96, 64, 64), 0.3), ((64, 64, 64), 0.2)),
    stride=(2, 2, 2),
    average_decay=0.995,
    checkpoint_every=200,
    validate_every=0,
    revive=True,
)
"""Recipe of the demonstration model, for hours on two processor cores instead of days on many GPUs."""


def fine_tuning(recipe: TrainingSettings) -> TrainingSettings:
    """Return a recipe for few cases of a site, starting from trained weights.

    The U-Net keeps its weights: what it sees does not change, only what it is asked to make of it.
    """
    return replace(
        recipe,
        steps=1000,
        warm_up_steps=50,
        learning_rate=recipe.learning_rate / 4,
        exclusive_only_steps=0,
        train=("query-adapters", "mask", "text"),
        average_decay=0.99,
        checkpoint_every=100,
        validate_every=100,
        patience=5,
        revive=False,
    )


def read_model(name: str) -> tuple[SATConfig, TrainingSettings]:
    """Return architecture and recipe of a model.

    Args:
        name: ``sat-nano``, ``sat-pro`` or ``sat-demo``, or the path of a TOML file: fields of
            :class:`SATConfig`, or ``base`` for those of a known model, and a table ``[training]`` with fields
            of :class:`TrainingSettings`.

    Raises:
        SettingsError: There is no such model, or the file has unknown fields.
        InputError: The file cannot be read.
    """
    if not name.endswith(".toml"):
        if name not in CONFIGS:
            raise SettingsError(
                f"There is no model {name!r}.", f"Use {', '.join(CONFIGS)}, or a .toml file of your own."
            )
        return CONFIGS[name], DEMO_RECIPE if name == "sat-demo" else PUBLISHED_RECIPE
    path = Path(name)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name} cannot be read.", "Give a TOML file.") from error
    training = content.pop("training", {})
    base = content.pop("base", None)
    if base is not None and base not in CONFIGS:
        raise SettingsError(f"{path.name}: there is no model {base!r}.", f"Use one of {', '.join(CONFIGS)}.")
    recipe = DEMO_RECIPE if base in (None, "sat-demo") else PUBLISHED_RECIPE
    try:
        fields = {key: _tuples(value) for key, value in content.items()}
        config = replace(CONFIGS[base], **fields) if base else SATConfig(**fields)
        _require_patch(config.patch_size)
        return config, replace(recipe, **{key: _tuples(value) for key, value in training.items()})
    except TypeError as error:
        names = sorted(f.name for kind in (SATConfig, TrainingSettings) for f in dataclasses.fields(kind))
        raise SettingsError(
            f"{path.name} lacks fields, or has unknown ones: {error}.", f"Known are {', '.join(names)}."
        ) from error


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
