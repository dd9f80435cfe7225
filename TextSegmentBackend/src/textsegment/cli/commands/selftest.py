"""``textsegment selftest``: checks a model on this computer, and leaves a page that can be sent to others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from textsegment.files.disk.atomic import make_folder


def selftest_command(
    model: Annotated[
        str, typer.Option(help="sat-demo, sat-nano, sat-pro, or a file of `textsegment train`.")
    ] = "sat-demo",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, fp16 or bf16.")] = "auto",
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for selftest.html and selftest.json.")
    ] = Path("selftest"),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Test a model: its weights, its numbers, and its masks of 3D Slicer's sample chest CT.

    How much memory and how many minutes it takes is said first. The page and the JSON file hold no paths, no
    names of computers and no data of patients; those of an earlier test in the folder are replaced.

    Exit codes: 0 passed, 5 failed, or the weights are missing or changed; others as for `segment`.
    """
    from textsegment.inference.selftest.page import write_selftest
    from textsegment.inference.selftest.run import run_selftest

    def say(sentence: str) -> None:
        if not quiet:
            typer.echo(sentence)

    folder = make_folder(output)
    test = run_selftest(model, device=device, precision=precision, on_step=say)
    paths = write_selftest(test, folder)
    for check in test.checks:
        say(f"{'ok    ' if check.passed else 'FAILED'} {check.name}: {check.finding}")
    took, memory = sum(test.report["timings_s"].values()), test.report["peak_memory_bytes"]["host"]
    say(f"{took:.0f} s, {memory / 2**30:.1f} GiB of memory. Written: {', '.join(map(str, paths))}")
    test.require_passed()
