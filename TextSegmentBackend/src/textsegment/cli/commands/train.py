"""``textsegment train``: trains a model on prepared sets of labelled scans."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def train_command(
    sets: Annotated[
        list[Path], typer.Argument(metavar="SET…", help="Folders that `textsegment data prepare` made.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder of the run; an unfinished run in it goes on.")
    ],
    model: Annotated[
        str, typer.Option(help="Architecture and recipe: sat-nano, sat-pro, sat-demo, or a .toml file.")
    ] = "sat-nano",
    start_from: Annotated[
        str | None,
        typer.Option("--from", metavar="WEIGHTS", help="Trained weights to begin with: a name or a file."),
    ] = None,
    is_fine_tuning: Annotated[
        bool,
        typer.Option("--fine-tune", help="For few cases of a site: short, U-Net frozen, stops by itself."),
    ] = False,
    replay: Annotated[
        list[Path] | None, typer.Option(help="Set to train on beside, against forgetting. Repeatable.")
    ] = None,
    parts: Annotated[
        str | None,
        typer.Option(
            "--train",
            help="Parts that learn, with commas; see docs/training.md.",
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps in all.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Patches in a step, over all processes.")] = None,
    learning_rate: Annotated[float | None, typer.Option(min=0.0, help="At its highest.")] = None,
    validate_every: Annotated[
        int | None, typer.Option(min=0, help="Steps between validations on held-out patients; 0: none.")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(min=0, help="Validations without a better result before it stops; 0: never.")
    ] = None,
    checkpoint_every: Annotated[int | None, typer.Option(min=1, help="Steps between checkpoints.")] = None,
    processes: Annotated[
        int, typer.Option(min=1, help="Processes on this machine, each with a GPU or a share of the cores.")
    ] = 1,
    on_ray: Annotated[
        bool,
        typer.Option("--ray", help="Processes of Ray Train, on the cluster of RAY_ADDRESS or this machine."),
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes that prepare patches ahead, for each GPU.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights, sampling and augmentation.")] = None,
) -> None:
    """Train a model.

    By default everything is as SAT was trained. A run that was broken off goes on at its last checkpoint when
    the command is given again. What was trained is used with `--model OUTPUT/NAME.safetensors` everywhere.
    """
    from dataclasses import replace

    from textsegment.training.run import Run, train
    from textsegment.training.settings import fine_tuning, read_model

    config, recipe = read_model(model)
    if is_fine_tuning:
        recipe = fine_tuning(recipe)
    changes: dict[str, Any] = {
        "steps": steps,
        "batch": batch,
        "learning_rate": learning_rate,
        "validate_every": validate_every,
        "patience": patience,
        "checkpoint_every": checkpoint_every,
        "workers": workers,
        "seed": seed,
        "train": tuple(part.strip() for part in parts.split(",")) if parts else None,
    }
    given = {name: value for name, value in changes.items() if value is not None}
    settings = replace(recipe, **given)
    run = Run(config, settings, tuple(sets), output, start_from, tuple(replay or ()))
    train(run, typer.echo, processes=processes, on_ray=on_ray)
