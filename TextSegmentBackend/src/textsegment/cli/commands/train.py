"""``textsegment train``: trains a small model from labeled scans."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train_command(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET.json", help="Describes scans and structures.")],
    scans: Annotated[Path, typer.Option(help="Folder that the paths in DATASET.json are relative to.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder of the run; an unfinished run in it goes on.")
    ],
    start_from: Annotated[
        Path | None,
        typer.Option(help="Trained weights (.safetensors) to begin with, instead of random ones."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Patches in all.")] = 4000,
    warm_up_steps: Annotated[int, typer.Option(min=0, help="Patches with the softmax loss alone.")] = 600,
    learning_rate: Annotated[float, typer.Option(min=0.0, help="At its highest.")] = 2e-3,
    checkpoint_every: Annotated[int, typer.Option(min=1, help="Steps between two checkpoints.")] = 200,
    seed: Annotated[int, typer.Option(help="Of weights and augmentation.")] = 0,
) -> None:
    """Train a model of the architecture of sat-demo from labelled scans.

    A run that was broken off goes on at its last checkpoint when the command is given again.
    """
    from textsegment.model.config import SAT_DEMO
    from textsegment.training.dataset import read_description
    from textsegment.training.train import Trainer, TrainingSettings

    settings = TrainingSettings(
        steps=steps,
        warm_up_steps=warm_up_steps,
        learning_rate=learning_rate,
        checkpoint_every=checkpoint_every,
        seed=seed,
    )
    trainer = Trainer(SAT_DEMO, read_description(dataset, scans), output, settings, typer.echo, start_from)
    typer.echo(f"The model is trained: {trainer.run()}")
