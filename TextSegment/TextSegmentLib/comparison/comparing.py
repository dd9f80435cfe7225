"""Comparison of two segmentations of the scene, measured in the engine's Python as on the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _
from textsegment.errors import OutputError, VolumeInvalidError
from textsegment.geometry import Geometry
from textsegment.segmentation import Segmentation
from textsegment.wire.comparison_order import ComparisonOrder
from textsegment.wire.failures import ErrorReport

from TextSegmentLib.background import BackgroundTask
from TextSegmentLib.engine.interpreter import Interpreter
from TextSegmentLib.engine.requirements import requirements_named
from TextSegmentLib.export.regions import RegionSource, list_regions, take_region
from TextSegmentLib.export.writer import PackagesMissingError, ask
from TextSegmentLib.scene.volume_node import read_volume_node

_SCRIPT = Path(__file__).with_name("script.py")


@dataclass(frozen=True)
class ComparisonResult:
    """Outcome of a comparison.

    Attributes:
        columns: Headings of the measures.
        rows: Name and measures of each structure that both have.
        missing: Names that only the reference has.
        extra: Names that only the result has.
        warnings: Warnings for the user.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    warnings: tuple[str, ...]


class Comparing:
    """A comparison, which starts in the background as soon as it is created.

    Args:
        result_node: Segmentation to judge.
        reference_node: Segmentation to judge it by.
        volume_node: Volume on whose grid they are compared.
        tolerance_mm: Tolerance of the surface Dice.
        page: Page to write; None for none.
        interpreter: Python that compares.

    Raises:
        VolumeInvalidError: One of them has no segments.
        OutputError: The page exists already (nothing is ever overwritten), or its folder does not exist.
        TextSegmentError: The image or a segment cannot be used.
    """

    def __init__(
        self,
        result_node: Any,
        reference_node: Any,
        volume_node: Any,
        tolerance_mm: float,
        page: Path | None,
        interpreter: Interpreter,
    ) -> None:
        if page is not None:
            _require_free(page)
        self._geometry = read_volume_node(volume_node).geometry
        self._result = _sources(result_node, volume_node)
        self._reference = _sources(reference_node, volume_node)
        self._tolerance_mm, self._page, self._interpreter = tolerance_mm, page, interpreter
        self._task = BackgroundTask(lambda _report, _cancel: self._work()).start()

    @property
    def is_over(self) -> bool:
        """Whether the comparison has ended, successfully or not."""
        return self._task.is_over

    def result(self) -> ComparisonResult:
        """Return the outcome, once the comparison is over.

        Raises:
            PackagesMissingError: The interpreter lacks packages.
            InputError: The two have no structure in common.
            TextSegmentError: The comparison failed for another reason.
        """
        return self._task.result()

    def _work(self) -> ComparisonResult:
        order = ComparisonOrder(
            _segmentation(self._result, self._geometry),
            _segmentation(self._reference, self._geometry),
            self._tolerance_mm,
            None if self._page is None else str(self._page),
        )
        packages = requirements_named("scipy", "contourpy", "pillow")
        answer = ask(self._interpreter, _SCRIPT, json.dumps(list(packages)), order.to_json())
        if "missing" in answer and "rows" not in answer:
            raise PackagesMissingError(answer["missing"])
        if "error" in answer:
            raise ErrorReport.from_json(answer["error"].encode()).to_error()
        return ComparisonResult(
            tuple(answer["columns"]),
            tuple(map(tuple, answer["rows"])),
            tuple(answer["missing"]),
            tuple(answer["extra"]),
            (*self._notes(), *answer["warnings"]),
        )

    def _notes(self) -> tuple[str, ...]:
        if all(source.is_on(self._geometry) for source in (*self._result, *self._reference)):
            return ()
        return (_("Segments on another grid were resampled to that of the image."),)


def _sources(segmentation_node: Any, volume_node: Any) -> list[RegionSource]:
    regions = list_regions(segmentation_node)
    if not regions:
        raise VolumeInvalidError(
            _("The segmentation {name} has no segments.").format(name=segmentation_node.GetName()),
            _("Choose another one."),
        )
    return [take_region(segmentation_node, volume_node, region) for region in regions]


def _segmentation(sources: Sequence[RegionSource], geometry: Geometry) -> Segmentation:
    masks = tuple(source.to_mask(geometry) for source in sources)
    for source in sources:
        source.require_unchanged()
    return Segmentation(geometry, masks)


def _require_free(page: Path) -> None:
    if not page.parent.is_dir():
        raise OutputError(_("The folder of the page is not there."), _("Choose another one, or make it."))
    if page.exists():
        raise OutputError(
            _("There is a file of this name already."), _("Choose another name: nothing is overwritten.")
        )
