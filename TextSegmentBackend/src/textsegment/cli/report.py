"""Summaries of a result in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from textsegment.caution import Caution
from textsegment.derive.tidy import said_of_tidying
from textsegment.doubt import Verdict
from textsegment.files.report.summary import verdict_of

_STYLES = {"found": "green", "cut off": "yellow", "not found": "red"}


def print_table(report: Mapping[str, Any]) -> None:
    """Print the structures of a report as a table, followed by warnings and notes."""
    console = Console()
    unit, form = ("HU", ".0f") if report["image"]["modality"] == "CT" else ("image unit", ".4g")
    table = Table(header_style="bold")
    table.add_column("Structure", overflow="fold")
    table.add_column("State", no_wrap=True)
    for heading in ("Volume, ml", f"Mean, {unit}", "Confidence"):
        table.add_column(heading, justify="right", no_wrap=True)
    for entry in report["structures"]:
        table.add_row(
            Text(_shown_name(entry)),
            _state(entry),
            _millilitres(entry["volume_ml"]) if entry["voxels"] else "–",
            _plain(entry["mean_intensity"], form),
            _plain(entry["mean_confidence"], ".2f"),
        )
    console.print(table)
    for line in remarks(report):
        was_mended = bool(said_of_tidying([line]))
        console.print(Text(f"  {line}", style="dim") if was_mended else Text(f"! {line}", style="yellow"))
    for reason, names in report["missing"].items():
        console.print(Text(f"! {reason}: {', '.join(names)}.", style="yellow"))
    for note in report["notes"]:
        console.print(Text(f"  {note}", style="dim"))


def print_facts(report: Mapping[str, Any]) -> None:
    """Print the model, device and time of a result, and the disclaimer."""
    console = Console()
    seconds = sum(report["timings_s"].values())
    made = [str(report[key]) for key in ("model", "device", "precision") if key in report]
    facts = f"{', '.join(made)}, {seconds:.1f} s"
    console.print(Text(facts, style="dim"))
    console.print(Text(report["disclaimer"], style="bold yellow"))


def _state(entry: Mapping[str, Any]) -> Text:
    state, verdict = entry["state"], verdict_of(entry)
    if verdict == Verdict.PROBABLY_ABSENT.value:
        return Text(verdict, style="yellow")
    return Text(state, style=_STYLES[state]) + Text(f", {verdict}" if verdict else "", style="yellow")


def _shown_name(entry: Mapping[str, Any]) -> str:
    name, output = entry["name"], entry["output"]
    same = name.replace("_", " ").casefold() == output.replace("_", " ").casefold()
    return output if same else f"{output} ({name})"


def remarks(report: Mapping[str, Any]) -> list[str]:
    """Return the doubts and warnings of a report, about the image and about structures, each once.

    That a structure was not found is shown as its state, not as a warning.
    """
    doubts = [
        f"{_shown_name(entry)}: {entry['doubt']['text']}"
        for entry in report["structures"]
        if entry["doubt"] and entry["doubt"]["text"]
    ]
    own = doubts + [
        warning
        for entry in report["structures"]
        for warning in entry["warnings"]
        if warning != Caution("not_found", structure=entry["name"])
    ]
    if any(entry["state"] == "cut off" for entry in report["structures"]):
        own.append("Cut off: reaches the border of the image, so the volume is that of the visible part.")
    return list(dict.fromkeys((*report["warnings"], *own)))


def _plain(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _millilitres(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
