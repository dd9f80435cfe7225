"""The command line application: its commands and its error handling.

Commands import heavy packages (PyTorch, SimpleITK) in their bodies, so that ``--help`` responds at once.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import textsegment
from textsegment.cli.commands.app import app_command
from textsegment.cli.commands.calibrate import calibrate_command
from textsegment.cli.commands.compare import compare_command
from textsegment.cli.commands.correct import correct_command
from textsegment.cli.commands.data import data_app
from textsegment.cli.commands.demo import demo_command
from textsegment.cli.commands.evaluate import evaluate_command
from textsegment.cli.commands.inspect import inspect_command
from textsegment.cli.commands.node import node_app
from textsegment.cli.commands.segment import segment_command
from textsegment.cli.commands.selftest import selftest_command
from textsegment.cli.commands.serve import serve_command
from textsegment.cli.commands.terms import terms_app
from textsegment.cli.commands.train import train_command
from textsegment.cli.commands.train_text import train_text_command
from textsegment.cli.commands.weights import weights_app
from textsegment.cli.errors import CANCELLED, exit_code, missing_package, show_defect, show_error
from textsegment.cli.interrupts import raise_on_interrupt
from textsegment.errors import TextSegmentError


class _Commands(TyperGroup):
    """Group that turns typed errors into two lines on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        raise_on_interrupt()
        try:
            return super().invoke(ctx)
        except TextSegmentError as error:
            raise self._shown(ctx, error) from error
        except ModuleNotFoundError as error:
            raise self._shown(ctx, missing_package(error)) from error
        except KeyboardInterrupt as error:
            typer.echo("Cancelled. What was finished before stays.", err=True)
            raise typer.Exit(CANCELLED) from error

    @staticmethod
    def _shown(ctx: Any, error: TextSegmentError) -> typer.Exit:
        if ctx.params.get("debug"):
            traceback.print_exc()
        show_error(error)
        return typer.Exit(exit_code(error))


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"textsegment {textsegment.__version__}")
        raise typer.Exit


@app.callback()
def textsegment_command(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Segment anatomy in CT, MR and PET volumes by naming it.

    For research: not a medical device.
    """
    if not debug:
        sys.excepthook = show_defect


app.command("segment")(segment_command)
app.command("evaluate")(evaluate_command)
app.command("correct")(correct_command)
app.command("inspect")(inspect_command)
app.command("compare")(compare_command)
app.command("demo")(demo_command)
app.command("app")(app_command)
app.command("selftest")(selftest_command)
app.command("serve")(serve_command)
app.add_typer(terms_app, name="terms")
app.add_typer(weights_app, name="weights")
app.add_typer(data_app, name="data")
app.add_typer(node_app, name="node")
app.command("train")(train_command)
app.command("train-text")(train_text_command)
app.command("calibrate")(calibrate_command)


def run(arguments: Sequence[str] | None = None) -> None:
    """Run a command line, by default that of the process, and exit with its exit code."""
    typer.main.get_command(app)(arguments)
