"""``textsegment train-text``: trains a text encoder on the vocabulary, and on images of structures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train_text_command(
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder of the run; an unfinished run in it goes on.")
    ],
    size: Annotated[
        str, typer.Option(help="Of a new encoder: words, toy, demo (the width of sat-demo) or published.")
    ] = "demo",
    base: Annotated[
        str | None,
        typer.Option(help="Start from a trained MPNet instead: a folder, or OWNER/NAME of the hub."),
    ] = None,
    open_layers: Annotated[
        int | None, typer.Option(min=1, help="Train the last layers only; 3 for a trained base.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps of stage 1 (texts).")] = 600,
    batch_size: Annotated[int, typer.Option(min=2, help="Pairs of texts a step.")] = 64,
    learning_rate: Annotated[float, typer.Option(min=0.0, help="At its highest; 1e-5 for a base.")] = 2e-3,
    data: Annotated[
        list[Path] | None,
        typer.Option("--set", help="Set made by `textsegment data prepare`, for stage 2 (images and texts)."),
    ] = None,
    model: Annotated[str, typer.Option(help="Model whose image encoder stage 2 trains.")] = "sat-demo",
    image_steps: Annotated[int, typer.Option(min=1, help="Steps of stage 2.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of weights, pairs and crops.")] = 0,
) -> None:
    """Train a text encoder to know which names, definitions and relations of anatomy belong together.

    Stage 1 learns from the texts of the vocabulary, stage 2 (with --set) also from images. Reports how often
    synonyms that were held out are found, before and after. docs/training.md tells more.
    """
    from textsegment.training.knowledge.stages import ImageStage, train_text
    from textsegment.training.knowledge.text_training import TextSettings

    settings = TextSettings(steps, batch_size, learning_rate, open_layers=open_layers, seed=seed)
    images = ImageStage(tuple(data), model, image_steps, learning_rate) if data else None
    path = train_text(output, settings, size=size, base=base, images=images, report=typer.echo)
    typer.echo(f"The text encoder is trained: {path}")
