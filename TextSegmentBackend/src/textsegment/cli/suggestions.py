"""Suggestions for a text that cannot run as typed, accepted on the terminal with a single key."""

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
    """Return the text with all suggestions taken.

    Args:
        text: Text as typed.
        modalities: Modality of the image, or all modalities while it has not been read.
        available: Structures the model has, or None for all.

    Returns:
        None if there is no terminal to ask on, a term leaves a choice open, or the user declines.
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
