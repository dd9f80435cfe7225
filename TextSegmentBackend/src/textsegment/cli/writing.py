"""Writes the outputs, each file completely or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from textsegment.cli.outputs import OutputOptions
from textsegment.derive.plan import DerivationPlan
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
