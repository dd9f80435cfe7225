"""Both stages of knowledge injection, one after the other, in one folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from textsegment.datasets.data_set import DataSet
from textsegment.errors import InputError, SettingsError
from textsegment.model.config import CONFIGS
from textsegment.training.knowledge.base_encoder import load_base
from textsegment.training.knowledge.image_tower import ImageTower
from textsegment.training.knowledge.image_training import ImageTextData, ImageTextTrainer
from textsegment.training.knowledge.knowledge import Knowledge
from textsegment.training.knowledge.structure_crops import StructureSampler
from textsegment.training.knowledge.text_tower import SIZES, TextTower, pieces_of
from textsegment.training.knowledge.text_training import TextSettings, TextTrainer
from textsegment.training.loop.resumable_run import Report

STAGE_2_FOLDER = "image-text"


@dataclass(frozen=True)
class ImageStage:
    """What stage 2 needs.

    Attributes:
        sets: Folders of prepared sets.
        model: Name of the model whose image encoder is trained.
        steps: Number of steps.
        learning_rate: Highest learning rate.
    """

    sets: tuple[Path, ...]
    model: str = "sat-demo"
    steps: int = 1000
    learning_rate: float = 1e-3


def train_text(
    folder: Path,
    settings: TextSettings,
    *,
    size: str = "demo",
    base: str | None = None,
    images: ImageStage | None = None,
    report: Report,
) -> Path:
    """Train a text encoder on the vocabulary and, if there are images, on images too.

    Args:
        folder: Folder of the run; an unfinished run in it goes on.
        settings: Settings of stage 1; those of stage 2 differ in steps and learning rate.
        size: Size of a new encoder, one of ``SIZES``.
        base: Folder or hub repository of a trained MPNet to start from instead; see ``load_base``.
        images: What stage 2 needs; None to leave it out.
        report: Callback for messages about progress.

    Returns:
        Path of the text encoder.

    Raises:
        SettingsError: There is no such size or model, or the folder holds a run with other settings.
        InputError: A set cannot be read, is on the grid of another model, or has no structure to learn from.
        CheckpointError: A checkpoint or the base encoder is damaged.
    """
    if base is None and size not in SIZES:
        raise SettingsError(f"There is no size {size!r}.", f"Use one of {', '.join(SIZES)}.")
    sampled = (
        None if images is None else _samplers(images, settings.seed)
    )  # refuses before anything is computed
    knowledge = Knowledge.of_vocabulary()
    if base is None:
        tower = TextTower.new(SIZES[size], pieces_of(knowledge), settings.seed)
    else:
        tower = TextTower(load_base(base, folder / "base", report))
    if images is not None:
        _require_width(tower, images.model)
    path = TextTrainer(tower, knowledge, folder, settings, report).run()
    if images is None or sampled is None:
        return path
    data = ImageTextData(knowledge, *sampled)
    second = replace(settings, steps=images.steps, learning_rate=images.learning_rate)
    image = ImageTower(CONFIGS[images.model], tower.encoder.width)
    return ImageTextTrainer(tower, image, data, folder / STAGE_2_FOLDER, second, report).run()


def _require_width(tower: TextTower, model: str) -> None:
    ours, theirs = tower.encoder.width, CONFIGS[model].width
    if ours != theirs:
        raise SettingsError(
            f"The text encoder has {ours} channels, {model} needs {theirs}.",
            "Choose another --size or --model.",
        )


def _samplers(images: ImageStage, seed: int) -> tuple[StructureSampler, StructureSampler | None]:
    if images.model not in CONFIGS:
        raise SettingsError(f"There is no model {images.model!r}.", f"Use one of {', '.join(CONFIGS)}.")
    config = CONFIGS[images.model]
    sets = [DataSet(folder) for folder in images.sets]
    _require_spacing(sets, config.spacing, images.model)
    training = StructureSampler(sets, "train", config.patch_size, seed)
    has_validation = any(case.structures for each in sets for case in each.of_split("validation"))
    validation = StructureSampler(sets, "validation", config.patch_size, seed) if has_validation else None
    return training, validation


def _require_spacing(sets: Sequence[DataSet], spacing: tuple[float, float, float], model: str) -> None:
    for each in sets:
        if each.card.spacing != spacing:
            raise InputError(
                f"The set {each.card.name} was prepared for the grid of another model.",
                f"Prepare it again with --model {model}.",
            )
