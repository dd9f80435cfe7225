"""Inspection of a scan before it is segmented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textsegment.caution import Caution
from textsegment.errors import InputError, VolumeInvalidError
from textsegment.files.dicom.series import list_series
from textsegment.files.images.opening import FileKind, kind_of
from textsegment.files.reading import read_scan
from textsegment.volume import Volume

_UNITS = {"CT": "Hounsfield units", "PT": "SUV by body weight, or what the doubts say"}


@dataclass(frozen=True)
class Inspection:
    """Findings about a scan.

    Attributes:
        kind: Name of the format.
        series: Labels of the DICOM series to choose from, suitable for display.
        volume_count: Number of volumes (time points, channels) in the file.
        volume: The volume, or None if it cannot be read.
        modality_source: Source of the modality: ``given``, ``header``, ``name`` or ``values``.
        doubts: All warnings.
        error: Reason why the scan cannot be segmented as it is, or None.
    """

    kind: str
    series: tuple[str, ...] = ()
    volume_count: int = 1
    volume: Volume | None = None
    modality_source: str = ""
    doubts: tuple[str, ...] = ()
    error: InputError | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the findings as JSON-compatible values, without name, path or header entries of the scan."""
        error = self.error
        return {
            "kind": self.kind,
            "series": self.series,
            "volumes": self.volume_count,
            "image": None if self.volume is None else _image(self.volume, self.modality_source),
            "doubts": [{"code": getattr(doubt, "code", "said"), "text": doubt} for doubt in self.doubts],
            "error": error and {"code": error.code, "message": error.message, "hint": error.hint},
        }


def inspect_scan(
    path: Path, *, modality: str | None = None, series: str | None = None, volume_number: int | None = None
) -> Inspection:
    """Inspect one scan; reasons not to segment it are reported in the result.

    Args:
        path: File or folder, as for ``read_scan``.
        modality: Modality, as for ``read_scan``.
        series: DICOM series, as for ``read_scan``.
        volume_number: Number of the volume, as for ``read_scan``; by default, the first of several.
    """
    kind, count = "unknown", 1
    choices: tuple[str, ...] = ()
    error: InputError | None = None
    try:
        kind = _kind(path)
        if kind == FileKind.DICOM.value:
            choices = tuple(map(str, list_series(path)))
        try:
            volume = read_scan(path, modality=modality, series=series, volume_number=volume_number).volume
        except VolumeInvalidError as several:
            if several.volume_count == 1:
                raise
            count, error = several.volume_count, several
            volume = read_scan(path, modality=modality, series=series, volume_number=1).volume
    except InputError as found:
        return Inspection(kind, choices, error=found)
    except OSError:
        return Inspection(kind, error=InputError("The image may not be read.", "Check its permissions."))
    doubts = volume.warnings
    try:
        doubts = volume.require_segmentable()
    except InputError as found:
        error = found
    guessed = next((d for d in doubts if isinstance(d, Caution) and d.code == "modality_guessed"), None)
    source = "given" if modality else "header" if guessed is None else str(guessed.values["source"])
    return Inspection(kind, choices, count, volume, source, doubts, error)


def _kind(path: Path) -> str:
    if path.is_dir():
        return FileKind.DICOM.value
    kind = kind_of(path) if path.exists() else None
    return "unknown" if kind is None else kind.value


def _image(volume: Volume, source: str) -> Mapping[str, Any]:
    geometry, (low, high) = volume.geometry, volume.value_range
    extent = [n * s for n, s in zip(geometry.spatial_shape, geometry.spacing, strict=True)]
    return {
        "modality": volume.modality,
        "modality_from": source,
        "shape": geometry.spatial_shape,
        "spacing_mm": [round(size, 6) for size in geometry.spacing],
        "extent_mm": [round(size, 2) for size in extent],
        "axes": geometry.axis_codes,
        "type": str(volume.voxels.dtype),
        "lowest": _number(low),
        "highest": _number(high),
        "unit": _UNITS.get(volume.modality, "any"),
    }


def _number(value: float) -> float | None:
    return None if value != value or value in (float("inf"), -float("inf")) else value
