"""Writes the outputs, each file completely or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from textsegment.cli.outputs import OutputOptions
from textsegment.derive.plan import DerivationPlan
from textsegment.errors import OutputError
from textsegment.files.report.summary import write_json
from textsegment.segmentation import Segmentation
from textsegment.volume import Volume

if TYPE_CHECKING:
    from textsegment.files.scan import Scan


def write_masks(
    scan: Scan, result: Segmentation, plan: DerivationPlan, targets: OutputOptions
) -> tuple[str, ...]:
    """Write all results and the preview, and return warnings about them, each once.

    Raises:
        OutputError: If a file cannot be written; files written before it stay.
    """
    from textsegment.files.results import is_structure_set, write_result

    said: list[str] = []
    for path in targets.results:
        if targets.replace is not None and is_structure_set(path):
            said += _write_successor(scan, result, plan, targets, path)
            continue
        write_result(
            result,
            path,
            names=plan.names,
            source=scan.source,
            short_names=targets.short_names,
            append_to=targets.append_to if is_structure_set(path) else None,
            presentation=targets.presentation,
            segmentation_type=targets.segmentation_type,
            styles=plan.styles,
            on_warning=said.append,
        )
    if targets.preview is not None:
        from textsegment.files.report.preview import write_preview

        write_preview(scan.volume, result, targets.preview, names=plan.names)
    return tuple(dict.fromkeys(said))


def _write_successor(
    scan: Scan, result: Segmentation, plan: DerivationPlan, targets: OutputOptions, path: str
) -> list[str]:
    """Write a structure set that takes the place of an earlier one, and return warnings about it."""
    from textsegment.files.results import write_result
    from textsegment.files.rtstruct.previous import read_previous

    assert targets.replace is not None
    assert scan.source is not None
    with TemporaryDirectory(prefix="textsegment-") as folder:
        previous = read_previous(targets.replace, scan.source, Path(folder))
        masks = previous.left_to_write(result, plan.names, short_names=targets.short_names)
        if not len(masks):
            raise OutputError(
                "All of these structures are kept as a person has edited them, so there is nothing to write.",
                "Ask for others, or leave --replace out.",
            )
        said: list[str] = list(previous.cautions)
        write_result(
            masks,
            path,
            names=plan.names,
            source=scan.source,
            short_names=targets.short_names,
            append_to=previous.append_to,
            presentation=targets.presentation,
            styles=plan.styles,
            on_warning=said.append,
        )
    return said


def write_reports(
    volume: Volume,
    result: Segmentation,
    plan: DerivationPlan,
    report: Mapping[str, Any],
    targets: OutputOptions,
) -> None:
    """Write the JSON report and the HTML report, as far as they are requested.

    Raises:
        OutputError: If a report cannot be written.
    """
    if targets.report is not None:
        write_json(report, targets.report)
    if targets.page is not None:
        from textsegment.files.report.page import write_report_page

        write_report_page(volume, result, report, targets.page)
