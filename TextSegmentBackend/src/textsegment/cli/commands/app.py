"""``textsegment app``: the web workspace with an engine on this computer, in one command."""

from __future__ import annotations

import os
import secrets
from typing import Annotated

import typer

from textsegment.cli.commands.serve import serve_command


def app_command(
    model: Annotated[str, typer.Option(help="sat-demo, sat-nano, sat-pro, or a file.")] = "sat-demo",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    port: Annotated[int, typer.Option(help="Port; 0 for any free one.")] = 0,
    sample: Annotated[bool, typer.Option("--sample", help="Begin with the sample scan.")] = False,
) -> None:
    """Open the web workspace in the browser, with an engine on this computer, until Ctrl+C.

    Drop a scan on the page, type names of structures, look at their masks, save them. Nothing leaves this
    computer. Other users of it cannot ask the engine: the address that is opened holds a key, made anew each
    time.
    """
    os.environ["TEXTSEGMENT_TOKEN"] = secrets.token_urlsafe(32)
    serve_command(port=port, model=model, device=[device], open_page=True, with_sample=sample)
