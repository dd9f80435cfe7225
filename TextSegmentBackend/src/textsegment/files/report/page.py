"""Report as a printable page: a single HTML file without scripts or external resources."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from textsegment.files.disk.atomic import atomic_output
from textsegment.files.report.pictures import Picture, colors_of, overview_pictures, structure_pngs
from textsegment.files.report.style import STYLE
from textsegment.segmentation import Segmentation
from textsegment.volume import Volume

_CLASSES = {"found": "found", "cut off": "cut", "not found": "none"}
_CUT_OFF = "Cut off: the structure reaches the border of the image, the volume is that of the visible part."


def write_report_page(
    volume: Volume, segmentation: Segmentation, report: Mapping[str, Any], path: Path | str
) -> None:
    """Write a report for people: structures found, volumes, confidences, missing structures and pictures.

    Args:
        volume: Scan that was segmented.
        segmentation: Masks on the grid of the scan.
        report: Output of ``make_report`` for them.
        path: File to write, ending in ``.html``.

    Raises:
        DiskFullError: The disk is full.
        OutputError: The file cannot be written.
    """
    sections = [
        _head(report),
        _overview(overview_pictures(volume, segmentation)),
        _table(report["structures"], [f"rgb{color}" for color in colors_of(segmentation)]),
        _missing(report["missing"]),
        _sentences("Warnings", _warnings(report)),
        _sentences("Notes", report["notes"]),
        _signature(),
        _gallery(report["structures"], structure_pngs(volume, segmentation)),
    ]
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        "<title>Segmentation report – unapproved</title>"
        f"<style>{STYLE}</style></head>\n<body>\n{''.join(filter(None, sections))}</body></html>\n"
    )
    with atomic_output(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _head(report: Mapping[str, Any]) -> str:
    image = report["image"]
    spacing = " × ".join(f"{size:.3g}" for size in image["spacing_mm"])
    facts = {
        "Model": report.get("model"),
        "Weights (SHA-256)": report.get("weights_sha256"),
        "TextSegment": report.get("version"),
        "Template": report.get("template"),
        "Made": datetime.now().strftime("%Y-%m-%d %H:%M"),
        "Image": f"{image['modality']}, {' × '.join(map(str, image['shape']))} voxels of {spacing} mm",
    }
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in facts.items() if value
    )
    return (
        "<header><h1>Segmentation report</h1>"
        '<p class="banner"><strong>Unapproved.</strong> Made by a machine: check every structure before use. '
        f"{escape(report['disclaimer'])}</p><dl>{rows}</dl></header>\n"
    )


def _overview(pictures: Sequence[Picture]) -> str:
    total = sum(picture.width for picture in pictures)
    images = "".join(
        _image(picture.png, "Slice with all structures", f"width:{98 * picture.width / total:.2f}%")
        for picture in pictures
    )
    return f'<div class="overview">{images}</div>\n'


def _table(entries: Sequence[Mapping[str, Any]], colors: Sequence[str]) -> str:
    head = "".join(
        f"<th{' class=number' if is_number else ''}>{text}</th>"
        for text, is_number in (
            ("", False),
            ("Name", False),
            ("Structure", False),
            ("Volume, ml", True),
            ("Confidence", True),
            ("State", False),
            ("Checked", False),
        )
    )
    rows = "".join(_row(entry, color) for entry, color in zip(entries, colors, strict=True))
    return f"<h2>Structures</h2><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>\n"


def _row(entry: Mapping[str, Any], color: str) -> str:
    confidence = entry["mean_confidence"]
    made_of = entry["recipe"] or entry["name"]
    cells = (
        f'<td><span class="swatch" style="background:{color}"></span></td>',
        f"<td><strong>{escape(entry['output'])}</strong></td>",
        f'<td class="{"recipe" if entry["recipe"] else ""}">{escape(made_of)}</td>',
        f'<td class="number">{_millilitres(entry["volume_ml"]) if entry["voxels"] else "–"}</td>',
        f'<td class="number">{"–" if confidence is None else f"{confidence:.2f}"}</td>',
        f'<td><span class="{_CLASSES[entry["state"]]}">{entry["state"]}</span>{_doubt(entry["doubt"])}</td>',
        '<td class="box">☐</td>',
    )
    return f"<tr>{''.join(cells)}</tr>"


def _doubt(doubt: Mapping[str, Any] | None) -> str:
    return f'<div class="doubt">{escape(doubt["text"])}</div>' if doubt and doubt["text"] else ""


def _missing(missing: Mapping[str, Sequence[str]]) -> str:
    if not missing:
        return ""
    items = "".join(
        f"<li>{escape(reason)}: <strong>{escape(', '.join(names))}</strong></li>"
        for reason, names in missing.items()
    )
    return f'<section class="missing"><h2>Not available</h2><ul>{items}</ul></section>\n'


def _warnings(report: Mapping[str, Any]) -> list[str]:
    entries = report["structures"]
    own = [warning for entry in entries for warning in entry["warnings"]]
    if any(entry["state"] == "cut off" for entry in entries):
        own.append(_CUT_OFF)
    return list(dict.fromkeys((*report["warnings"], *own)))


def _sentences(title: str, sentences: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f"<section><h2>{title}</h2><ul>{items}</ul></section>\n" if items else ""


def _signature() -> str:
    return '<p class="signature"><span>Checked by</span><span>Date</span></p>\n'


def _gallery(entries: Sequence[Mapping[str, Any]], pictures: Mapping[str, bytes]) -> str:
    figures = "".join(
        f"<figure>{_image(pictures[entry['name']], entry['output'])}"
        f"<figcaption>{escape(entry['output'])}</figcaption></figure>"
        for entry in entries
        if entry["name"] in pictures
    )
    if not figures:
        return ""
    title = "Each structure in the axial slice where it is largest"
    return f'<h2>{title}</h2><div class="gallery">{figures}</div>\n'


def _image(png: bytes, description: str, style: str = "") -> str:
    data = base64.b64encode(png).decode("ascii")
    return f'<img style="{style}" alt="{escape(description)}" src="data:image/png;base64,{data}">'


def _millilitres(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
