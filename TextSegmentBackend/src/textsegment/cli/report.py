"""What is said about a result: a table for people, a JSON file for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from textsegment.files.atomic import atomic_output
from textsegment.segmentation import MaskStatistics, Segmentation
from textsegment.volume import Volume

DEMONSTRATION = "sat-demo is a demonstration, not for clinical use."
RESEARCH = "For research only: not a medical device."

_STYLES = {"found": "green", "cut off": "yellow", "not found": "red"}


def state_of(statistics: MaskStatistics) -> str:
    """Return ``found``, ``not found``, or ``cut off`` for a mask that reaches the border of the image."""
    if statistics.is_empty:
        return "not found"
    return "cut off" if statistics.touches_border else "found"


def disclaimer_of(model: str) -> str:
    """Return what has to be said beside every result of a model."""
    return DEMONSTRATION if model == "sat-demo" else RESEARCH


def make_report(
    volume: Volume, result: Segmentation, notes: Sequence[str], seconds: Mapping[str, float]
) -> dict[str, Any]:
    """Return the report of one image; it holds no name, path or header entry of the image.

    Keys: the provenance of the result (``model``, ``weights_sha256``, ``version``, ``device``, …), ``image``,
    ``timings_s``, ``structures`` (statistics of each), ``warnings``, ``notes``, ``disclaimer``.
    """
    geometry = volume.geometry
    return {
        **result.provenance,
        "image": {
            "modality": volume.modality,
            "shape": geometry.spatial_shape,
            "spacing_mm": [round(size, 6) for size in geometry.spacing],
        },
        "timings_s": {step: round(value, 3) for step, value in seconds.items()},
        "structures": [
            {
                "name": mask.structure,
                "state": state_of(mask.statistics),
                "voxels": mask.statistics.voxel_count,
                "volume_ml": round(mask.statistics.volume_ml, 4),
                "mean_intensity": _number(mask.statistics.mean_intensity),
                "mean_confidence": _number(mask.statistics.mean_confidence),
                "touches_border": mask.statistics.touches_border,
                "warnings": mask.warnings,
            }
            for mask in result
        ],
        "warnings": result.warnings,
        "notes": notes,
        "disclaimer": disclaimer_of(str(result.provenance.get("model", ""))),
    }


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write a report.

    Raises:
        DiskFullError: There is no room.
        OutputError: The file cannot be written.
    """
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    with atomic_output(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def print_table(report: Mapping[str, Any]) -> None:
    """Print the structures of a report, and below them what the user should know."""
    console = Console()
    unit, form = ("HU", ".0f") if report["image"]["modality"] == "CT" else ("image unit", ".4g")
    table = Table(header_style="bold")
    table.add_column("Structure", overflow="fold")
    table.add_column("State", no_wrap=True)
    for heading in ("Volume, ml", f"Mean, {unit}", "Confidence"):
        table.add_column(heading, justify="right", no_wrap=True)
    for entry in report["structures"]:
        state = entry["state"]
        table.add_row(
            Text(entry["name"]),
            Text(state, style=_STYLES[state]),
            _millilitres(entry["volume_ml"]) if entry["voxels"] else "–",
            _plain(entry["mean_intensity"], form),
            _plain(entry["mean_confidence"], ".2f"),
        )
    console.print(table)
    for line in _remarks(report):
        console.print(Text(f"! {line}", style="yellow"))
    for note in report["notes"]:
        console.print(Text(f"  {note}", style="dim"))


def print_facts(report: Mapping[str, Any]) -> None:
    """Print with what and how fast the result was made, and what it is not for."""
    console = Console()
    seconds = sum(report["timings_s"].values())
    made = [str(report[key]) for key in ("model", "device", "precision") if key in report]
    facts = f"{', '.join(made)}, {seconds:.1f} s"
    console.print(Text(facts, style="dim"))
    console.print(Text(report["disclaimer"], style="bold yellow"))


def _remarks(report: Mapping[str, Any]) -> list[str]:
    """Return the warnings that the table does not show already."""
    own = [warning for entry in report["structures"] if entry["voxels"] for warning in entry["warnings"]]
    if any(entry["state"] == "cut off" for entry in report["structures"]):
        own.append("Cut off: reaches the border of the image, so the volume is that of the visible part.")
    return list(dict.fromkeys((*report["warnings"], *own)))


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)


def _plain(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _millilitres(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
