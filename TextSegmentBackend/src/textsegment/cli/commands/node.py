"""``textsegment node``: takes series, delivers structure sets; see ``docs/node.md``."""

from __future__ import annotations

import json
import os
import signal
import threading
import warnings
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from textsegment.cli.remote import connect
from textsegment.errors import DependencyMissingError

if TYPE_CHECKING:
    from textsegment.node.rules.decision import Decision
    from textsegment.node.settings import NodeSettings
    from textsegment.segmenter import Segmenter

node_app = typer.Typer(
    no_args_is_help=True, help="A DICOM node: images in, reviewed structure sets out (docs/node.md)."
)

Config = Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="Configuration of the node.")]
_NO_MATCH = 3


@node_app.command("run")
def run_command(
    config: Config = Path("node.toml"),
    announce: Annotated[bool, typer.Option("--announce", help="When ready, print a line on stdout.")] = False,
    segmenter: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Take series, segment them by rules, and deliver the results, until Ctrl+C or SIGTERM.

    Exit codes: 0 stopped, 2 configuration or port in use, 5 weights, 6 device, 7 missing package, 9 server.
    """
    _require_packages()
    from textsegment.node.node import Node, quiet_libraries
    from textsegment.node.settings import read_settings
    from textsegment.server.logs import use_json_logs

    settings = read_settings(config)
    os.umask(0o077)
    use_json_logs()
    warnings.simplefilter("ignore")  # those of libraries quote what is in the images
    quiet_libraries()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    node = Node(settings, _made(segmenter) if segmenter else _segmenter(settings))
    node.start()
    if announce:
        print("ready", flush=True)
    stopped.wait()
    node.stop()


@node_app.command("check")
def check_command(
    rules: Annotated[Path, typer.Argument(metavar="RULES.toml", help="Rules, or the whole configuration.")],
    series: Annotated[
        Path | None,
        typer.Argument(metavar="SERIES", help="Folder with DICOM images: what would happen to them?"),
    ] = None,
    sender: Annotated[str, typer.Option(help="AE title that the images would come from.")] = "",
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check rules, and explain what they would do with real series. Nothing is segmented or sent.

    Exit codes: 0 a rule matches (or there is no series and the rules are valid), 2 invalid rules, 3 no rule
    matches, or the images cannot be read.
    """
    _require_packages()
    from textsegment.node.rules.explanation import explain
    from textsegment.node.settings import read_rules

    found = read_rules(rules)
    if series is None:
        typer.echo(
            json.dumps({"rules": [rule.name for rule in found.rules]}) if json_ else _listed(found.rules)
        )
        return
    explained = explain(found, series, sender=sender)
    if json_:
        typer.echo(json.dumps([each.to_json() for each in explained], indent=1))
    else:
        for each in explained:
            _print_decision(each.label, each.decision)
            for line in each.lines:
                typer.echo(f"  {line}")
    if not any(each.decision.rule for each in explained):
        raise typer.Exit(_NO_MATCH)


@node_app.command("status")
def status_command(
    config: Config = Path("node.toml"),
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Number of the newest series that are shown.")] = 20,
) -> None:
    """Show what became of the series, from the journal of a node, whether it is running or not.

    Exit codes: 0 all is well, 8 something waits for too long, or was given up.
    """
    _require_packages()
    from textsegment.node.journal.journal import Journal
    from textsegment.node.monitor import faults_of, status_of
    from textsegment.node.settings import read_settings

    settings = read_settings(config)
    journal = Journal(settings.folder / "journal.sqlite", read_only=True)
    status = status_of(journal, limit=limit)
    minutes = 30.0 if settings.monitor is None else settings.monitor.red_after_minutes
    status["faults"] = faults_of(journal, minutes * 60)
    journal.close()
    typer.echo(json.dumps(status, indent=1)) if json_ else _print_status(status)
    if status["faults"]:
        raise typer.Exit(8)


def _segmenter(settings: NodeSettings) -> Segmenter:
    engine = settings.engine
    if engine.server is not None:
        return connect(
            engine.server,
            token_file=engine.token_file,
            ca_file=engine.ca_file,
            allow_plain_http=engine.allow_plain_http,
        )
    from textsegment.inference.engine import LocalSegmenter

    return LocalSegmenter(
        engine.model or "sat-demo", device=engine.device or "auto", precision=engine.precision or "auto"
    )


def _made(name: str) -> Segmenter:
    """Return a segmenter of tests and benchmarks, by ``module:class``."""
    from importlib import import_module

    module, _, kind = name.partition(":")
    found: Segmenter = getattr(import_module(module), kind)()
    return found


def _require_packages() -> None:
    try:
        import dicomweb_client  # noqa: F401
        import filelock  # noqa: F401
        import prometheus_client  # noqa: F401
        import pydantic  # noqa: F401
        import pynetdicom  # noqa: F401
    except ModuleNotFoundError as error:
        raise DependencyMissingError(
            f"The package {error.name} is not installed.",
            "Run `pip install 'textsegment[engine,dicom,node]'`.",
        ) from error


def _listed(rules: Any) -> str:
    return "\n".join(
        ["The rules are valid, and are tried in this order:", *(f"  {rule.name}" for rule in rules)]
    )


def _print_decision(label: str, decision: Decision) -> None:
    verdict = f"rule {decision.rule.name!r}" if decision.rule is not None else "no rule matches: ignored"
    typer.echo(f"{label}: {verdict}")
    for trial in decision.trials:
        mark = "matches" if trial.matches else "does not match"
        typer.echo(f"  {trial.rule.name}: {mark}")
        for check in trial.checks:
            sign = "yes" if check.holds else "no "
            typer.echo(f"    {sign} {check.name}: {check.value or '(empty)'}   wanted: {check.wanted}")


def _print_status(status: dict[str, Any]) -> None:
    console = Console()
    counts = ", ".join(f"{count} {state}" for state, count in status["counts"].items() if count)
    console.print(f"Series: {counts or 'none yet'}")
    if status["series"]:
        table = Table("Entry", "Changed", "State", "Images", "Rule", "Tries", "Why")
        for entry in status["series"]:
            code = f" [{entry['code']}]" if entry["code"] else ""
            why = f"{entry['reason']}{code} {entry['hint']}".strip()
            changed = f"{datetime.fromtimestamp(entry['changed_at']):%d %b %H:%M}"
            table.add_row(
                str(entry["entry"]), changed, entry["state"], str(entry["images"]), entry["rule"],
                str(entry["attempts"]), why.replace("[", "\\["),
            )  # fmt: skip
        console.print(table)
    for each in status["deliveries"]:
        console.print(
            f"Entry {each['entry']}, {each['file']} → {each['destination']}: {each['state']} after "
            f"{each['attempts']} tries. {each['reason']}",
            markup=False,
        )
    console.print(f"Wrong: {', '.join(status['faults'])}" if status["faults"] else "All is well.")
