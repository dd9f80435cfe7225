"""One key takes all suggestions: asked on a terminal when a text cannot run as it is."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable

import click
import typer

from textsegment.vocabulary.answers import with_suggestions

KEY = "s"


def take_suggestions(
    text: str, modalities: Iterable[str], available: Collection[str] | None = None
) -> str | None:
    """Return the text with all suggestions taken, or None: nobody is there to ask, or a term leaves a choice.

    Args:
        text: As typed.
        modalities: Of the image; all of them while it has not been read.
        available: Structures that the model has, or None for all.
    """
    if not sys.stdin.isatty():
        return None
    options = (with_suggestions(text, modality, available) for modality in modalities)
    answered = next((option for option in options if option.taken and not option.left), None)
    if answered is None:
        return None
    for term, names in answered.taken:
        typer.echo(f'"{term}" → {", ".join(names)}', err=True)
    typer.echo(f"Press {KEY} to take all suggestions, any other key to stop.", err=True)
    return answered.text if click.getchar().lower() == KEY else None
