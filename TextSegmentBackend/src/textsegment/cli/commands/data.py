"""``textsegment data``: prepares sets of labelled scans for training and evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

data_app = typer.Typer(no_args_is_help=True, help="Sets of labelled scans: prepare them.")


@data_app.command("prepare")
def prepare_command(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE…",
            help="MSD, nnU-Net, TotalSegmentator or BIDS folder; results beside their scans; or a JSON file.",
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="SET", help="Folder of the set.")],
    model: Annotated[
        str,
        typer.Option(help="Model on whose grid the set is: sat-demo, sat-nano, sat-pro, weights, or .toml."),
    ] = "sat-nano",
    scans: Annotated[
        Path | None, typer.Option(help="Folder that the paths in a JSON file are relative to.")
    ] = None,
    answers: Annotated[
        Path | None, typer.Option(help='JSON file of meanings: {"Cancer": "liver tumor", "bed": "other"}.')
    ] = None,
    validation: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="Fraction of the patients to hold out for validation.")
    ] = 0.2,
    seed: Annotated[int, typer.Option(help="Decides which patients are held out.")] = 0,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out cases that cannot be used, and say so.")
    ] = False,
) -> None:
    """Bring labelled scans into the standard form, check them, and split them by patient.

    Names are understood as in `textsegment segment`; each that does not mean exactly one structure is asked
    about. The scans themselves stay where they are.
    """
    from textsegment.datasets.meanings import read_answers
    from textsegment.datasets.preparation import PreparationSettings, prepare
    from textsegment.datasets.sources.opening import open_source
    from textsegment.inference.weights.models import config_of
    from textsegment.training.settings import read_model

    config = read_model(model)[0] if model.endswith(".toml") else config_of(model)
    settings = PreparationSettings(
        spacing=config.spacing,
        validation=validation,
        seed=seed,
        answers=read_answers(answers),
        skip_bad=skip_bad,
    )
    made = prepare([open_source(source, scans) for source in sources], output, settings, typer.echo)
    for note in made.notes:
        typer.echo(f"Worth a look: {note}", err=True)
    left_out = f", {len(made.left_out)} left out" if made.left_out else ""
    typer.echo(f"The set has {made.cases} cases{left_out}. Look at {made.page}.")
