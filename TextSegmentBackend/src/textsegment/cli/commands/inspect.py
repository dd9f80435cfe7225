"""``textsegment inspect``: reports what an image is, any doubts about it, and the cost of segmenting it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from textsegment.cli.errors import BATCH_INCOMPLETE, exit_code, show_error
from textsegment.cli.progress import duration
from textsegment.errors import DeviceError, InputError, WeightsError
from textsegment.modality import modality_code

if TYPE_CHECKING:
    from textsegment.inference.engine import LocalSegmenter
    from textsegment.model.config import SATConfig
    from textsegment.volume import Volume

_SOURCES = {
    "given": "as you say",
    "header": "the DICOM header says so",
    "name": "guessed from the name",
    "values": "guessed from the voxel values",
}


def inspect_command(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Images, DICOM folders, folders of images, zip files."),
    ],
    modality: Annotated[str | None, typer.Option(help="CT, MR or PT, if you know it.")] = None,
    series: Annotated[
        str | None, typer.Option(help="Number of the series, where a DICOM folder holds several.")
    ] = None,
    volume: Annotated[
        int | None,
        typer.Option(help="Number, from 1, of the volume in a file of several (time points, channels)."),
    ] = None,
    model: Annotated[
        str, typer.Option(help="Model whose cost is told: sat-demo, sat-nano, sat-pro, or a weights file.")
    ] = "sat-demo",
    json: Annotated[Path | None, typer.Option(help="Write it into this file, too.")] = None,
) -> None:
    """Say what images are: geometry, unit, modality, series to choose from, every doubt, and the cost.

    Nothing is segmented. Exit codes: 0 all can be segmented, 3 the image cannot, 8 some of several cannot.
    """
    from textsegment.files.inspection import inspect_scan
    from textsegment.files.report.summary import write_json
    from textsegment.files.scan_search import find_scans
    from textsegment.inference.weights.models import config_of

    config = config_of(model)  # refused before the first image is read
    code = None if modality is None else modality_code(modality)
    found = find_scans(paths)
    for note in found.notes():
        typer.echo(note)
    entries: list[dict[str, Any]] = []
    errors: list[InputError] = []
    for scan, name in zip(found.scans, found.names(), strict=True):
        typer.echo(name)
        try:
            found.require_clear(scan)
            inspection = inspect_scan(scan, modality=code, series=series, volume_number=volume)
        except InputError as error:
            entries.append({"name": name, "error": {"code": error.code, "message": error.message}})
            errors.append(error)
            show_error(error, "  Error")
            continue
        entry = {"name": name, **inspection.to_json(), "estimate": None}
        if inspection.volume is not None and inspection.error is None:
            entry["estimate"] = _estimate(inspection.volume, model, config)
        entries.append(entry)
        for line in _lines(entry):
            typer.echo(f"  {line}")
        if inspection.error is not None:
            errors.append(inspection.error)
            show_error(inspection.error, "  Error")
    if json is not None:
        write_json({"images": entries}, json)
    if errors:
        raise typer.Exit(exit_code(errors[0]) if len(found.scans) == 1 else BATCH_INCOMPLETE)


@lru_cache
def _segmenter(model: str) -> LocalSegmenter | None:
    """Return a segmenter for the model, or None if it cannot be used on this computer."""
    from textsegment.inference.engine import LocalSegmenter

    try:
        return LocalSegmenter(model)
    except (WeightsError, DeviceError):
        return None


def _estimate(volume: Volume, model: str, config: SATConfig) -> dict[str, Any]:
    from textsegment.inference.estimate import estimate

    cost = estimate(volume, config, _segmenter(model))
    return {
        "model": model,
        "patches": cost.patches,
        "memory_bytes": cost.memory_bytes,
        "seconds": cost.seconds,
    }


def _lines(entry: Mapping[str, Any]) -> list[str]:
    lines = [f"what      {entry['kind']}"]
    if len(entry["series"]) > 1:
        lines += [f"choose    {series}" for series in entry["series"]]
    elif entry["series"]:
        lines.append(f"series    {entry['series'][0]}")
    if entry["volumes"] > 1:
        lines.append(f"volumes   {entry['volumes']}, one by --volume 1 … {entry['volumes']}; here the first")
    if entry["image"] is not None:
        lines += _image_lines(entry["image"])
    if entry["estimate"] is not None:
        lines.append(_cost_line(entry["estimate"]))
    return lines + [f"! {doubt['text']}" for doubt in entry["doubts"]]


def _image_lines(image: Mapping[str, Any]) -> list[str]:
    i, j, k = image["shape"]
    sizes = " × ".join(f"{size:.4g}" for size in image["spacing_mm"])
    extent = " × ".join(f"{size:.0f}" for size in image["extent_mm"])
    low, high = ("?" if value is None else f"{value:g}" for value in (image["lowest"], image["highest"]))
    return [
        f"grid      {i} × {j} × {k} voxels of {sizes} mm, {extent} mm in all, axes {image['axes']}",
        f"values    {low} to {high}, {image['type']}",
        f"modality  {image['modality']}: {_SOURCES[image['modality_from']]}",
        f"unit      {image['unit']}",
    ]


def _cost_line(cost: Mapping[str, Any]) -> str:
    parts = ["1 patch" if cost["patches"] == 1 else f"{cost['patches']} patches"]
    if cost["seconds"] is not None:
        parts.append(f"about {duration(cost['seconds'])}")
    if cost["memory_bytes"] is not None:
        parts.append(f"{cost['memory_bytes'] / 2**30:.1f} GiB of memory")
    return f"cost      {', '.join(parts)} with {cost['model']}"
