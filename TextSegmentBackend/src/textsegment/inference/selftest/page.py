"""The outcome of a self-test as one HTML page and one JSON file, to be attached to a report."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from textsegment.files.disk.atomic import atomic_output
from textsegment.files.report.preview import write_preview
from textsegment.files.report.style import STYLE
from textsegment.files.report.summary import write_json
from textsegment.inference.selftest.check import Check
from textsegment.inference.selftest.run import SelfTest

PAGE, JSON = "selftest.html", "selftest.json"


def write_selftest(test: SelfTest, folder: Path) -> tuple[Path, Path]:
    """Write the page and the JSON file into a folder that exists, and return their paths.

    Raises:
        OutputError: A file cannot be written.
    """
    page = folder / PAGE
    with atomic_output(page) as temporary:
        temporary.write_text(_page(test), encoding="utf-8")
    write_json(test.report, folder / JSON)
    return page, folder / JSON


def _page(test: SelfTest) -> str:
    verdict = "Passed" if test.passed else "Failed: do not use this model as it is"
    sections = [
        f"<header><h1>Self-test of {escape(test.report['model'])}</h1>"
        f'<p class="banner"><strong>{verdict}.</strong> Of a model on one computer and one sample scan: it '
        "says whether weights and installation work, not how good the masks of other scans are.</p></header>",
        _picture(test),
        _checks(test.checks),
        _facts("Times, in seconds", test.report["timings_s"]),
        _facts("Memory", _memory(test.report)),
        _facts("Computer and versions", _versions(test.report)),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Self-test</title>'
        f"<style>{STYLE}</style></head>\n<body>\n{''.join(sections)}</body></html>\n"
    )


def _picture(test: SelfTest) -> str:
    if test.segmentation is None:
        return ""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "preview.png"
        write_preview(test.volume, test.segmentation, path)
        data = base64.b64encode(path.read_bytes()).decode("ascii")
    return f'<img style="width:100%" alt="Slices of the sample scan" src="data:image/png;base64,{data}">\n'


def _checks(checks: tuple[Check, ...]) -> str:
    rows = "".join(
        f'<tr><td>{escape(check.name)}</td><td class="{"found" if check.passed else "none"}">'
        f"{'as it should be' if check.passed else 'failed'}</td><td>{escape(check.finding)}</td></tr>"
        for check in checks
    )
    return (
        "<h2>Checks</h2><table><thead><tr><th>Of what</th><th>Outcome</th><th>Found</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>\n"
    )


def _facts(title: str, facts: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<dt>{escape(str(name).replace('_', ' '))}</dt><dd>{escape(str(value))}</dd>"
        for name, value in facts.items()
        if value is not None
    )
    return f"<h2>{title}</h2><dl>{rows}</dl>\n" if rows else ""


def _memory(report: Mapping[str, Any]) -> dict[str, str]:
    expected = report["expected"]["memory_bytes"]
    found = {f"most used, {where}": _gib(count) for where, count in report["peak_memory_bytes"].items()}
    return found | ({} if expected is None else {"said beforehand": _gib(expected)})


def _versions(report: Mapping[str, Any]) -> dict[str, Any]:
    machine = {name: value for name, value in report["machine"].items() if not name.endswith("_bytes")}
    return {
        "TextSegment": report["version"],
        "weights (SHA-256)": report["weights_sha256"],
        "precision": report["precision"],
        **machine,
        "memory": _gib(report["machine"]["memory_bytes"]),
    }


def _gib(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"
