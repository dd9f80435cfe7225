"""``textsegment weights``: lists, downloads, imports, verifies and removes model weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Table

if TYPE_CHECKING:
    from textsegment.inference.weights.acquire import Offer

weights_app = typer.Typer(
    no_args_is_help=True, help="Weights of the models: list, download, import, verify, remove."
)

Name = Annotated[str, typer.Argument(metavar="MODEL", help="sat-nano or sat-pro.")]

_OFFER = (
    "Test them on a sample scan before you rely on them: `textsegment selftest --model {name}`. It says "
    "first how much memory it takes, and then how many minutes."
)


@weights_app.command("list")
def list_command() -> None:
    """Show all models, and which can be used right away."""
    from textsegment.inference.weights.models import list_models

    table = Table("Model", "State", "Size", "From")
    for status in list_models():
        state = "ready" if status.ready else "not on this computer"
        table.add_row(status.name, state, f"{status.size / 1e6:,.0f} MB", status.origin)
    Console().print(table)


@weights_app.command("download")
def download_command(
    name: Name,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Agree to the download without being asked.")
    ] = False,
) -> None:
    """Fetch the weights of a model from the Hugging Face hub, or from the mirror in HF_ENDPOINT.

    A download that was broken off goes on where it stopped.
    """
    from textsegment.inference.weights.acquire import download

    def consent(offer: Offer) -> bool:
        typer.echo(offer.notice)
        if yes:
            return True
        try:
            return typer.confirm("Download them?")
        except typer.Abort:  # there is no one to answer
            return False

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    progress = Progress(*columns, console=Console(stderr=True))
    bars: dict[str, TaskID] = {}

    def show(file: str, done: int, total: int) -> None:
        if file not in bars:
            progress.start()
            bars[file] = progress.add_task(file, total=total)
        progress.update(bars[file], completed=done)

    try:
        path = download(name, consent=consent, on_progress=show)
    finally:
        progress.stop()
    typer.echo(f"{name} is ready: {path}")
    typer.echo(_OFFER.format(name=name))


@weights_app.command("import")
def import_command(
    name: Annotated[
        str, typer.Argument(metavar="MODEL", help="sat-nano or sat-pro; of trained weights, any other name.")
    ],
    source: Annotated[
        Path,
        typer.Argument(help="Folder with the .pth files of network and text encoder; or trained weights."),
    ],
) -> None:
    """Take weights from published files, or from a file that training wrote, without any network."""
    from textsegment.inference.weights.acquire import import_folder
    from textsegment.inference.weights.trained import import_trained

    path = import_trained(name, source) if source.suffix == ".safetensors" else import_folder(name, source)
    typer.echo(f"{name} is ready: {path}")
    typer.echo(_OFFER.format(name=name))


@weights_app.command("card")
def card_command(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="Name of a model, or path of a weights file.")],
) -> None:
    """Show what weights say about their making: what they learnt from, with licences, and their origin."""
    from textsegment.inference.weights.trained import card_of

    card = card_of(name)
    for key, value in card.items():
        typer.echo(f"{key}: {value}")
    if not card:
        typer.echo("The weights say nothing about their making.")


@weights_app.command("verify")
def verify_command(
    name: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="All that are here, if not given.")
    ] = None,
) -> None:
    """Check weights against the SHA-256 that was recorded on first sight, and against the network."""
    from textsegment.inference.weights.models import list_models, verify

    names = [name] if name else [status.name for status in list_models() if status.ready]
    for each in names:
        typer.echo(f"{each}: unchanged, SHA-256 {verify(each)}")
    if not names:
        typer.echo("There are no weights on this computer.")


@weights_app.command("remove")
def remove_command(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove them without being asked.")] = False,
) -> None:
    """Delete the weights of a model from this computer, and what a broken download has left."""
    from textsegment.errors import CancelledError
    from textsegment.inference.weights.remove import removable_bytes, remove

    size = removable_bytes(name) / 1e9
    if not yes:
        try:
            agrees = typer.confirm(f"Remove the weights of {name} ({size:.2f} GB)?")
        except typer.Abort:  # there is no one to answer
            agrees = False
        if not agrees:
            raise CancelledError("Nothing was removed.", "Answer yes, or add --yes.")
    typer.echo(f"{name}: removed, {remove(name) / 1e9:.2f} GB are free again.")
