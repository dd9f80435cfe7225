"""``textsegment serve``: answers over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve_command(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 for any free one.")] = 8765,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with access keys, one a line; else the variable TEXTSEGMENT_TOKEN."),
    ] = None,
    device: Annotated[
        list[str] | None,
        typer.Option(help="auto, cpu, cuda, cuda:1 or mps; several times for several devices."),
    ] = None,
    model: Annotated[str, typer.Option(help="sat-demo, sat-nano or sat-pro.")] = "sat-demo",
    precision: Annotated[str, typer.Option(help="auto, fp32, fp16 or bf16.")] = "auto",
    announce_json: Annotated[
        bool, typer.Option("--announce-json", help="Print address and port as one line of JSON on stdout.")
    ] = False,
    segmenter: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Answer requests over HTTP until Ctrl+C."""
    import json

    from textsegment.server.run import run_server
    from textsegment.server.settings import ServerSettings, read_keys
    from textsegment.server.workers import LocalEngine

    settings = ServerSettings(host=host, port=port, keys=read_keys(token_file))
    if segmenter is not None:
        factory, _, arguments = segmenter.partition(" ")
        engine = LocalEngine([json.loads(arguments or "{}")] * len(device or [""]), factory)
    else:
        engine = LocalEngine(
            [{"model": model, "device": d, "precision": precision} for d in (device or ["auto"])],
        )
    run_server(engine, settings, announce_json=announce_json)
