"""Machine-readable report on a result; ``page`` renders it for people."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from textsegment.caution import about
from textsegment.doubt import Doubt, Verdict, of_all
from textsegment.files.disk.atomic import atomic_output
from textsegment.segmentation import MaskStatistics, Segmentation
from textsegment.volume import Volume

DEMONSTRATION = "sat-demo is a demonstration, not for clinical use."
RESEARCH = "For research only: not a medical device."


def disclaimer_of(model: str) -> str:
    """Return the disclaimer that must accompany every result of a model."""
    return DEMONSTRATION if model == "sat-demo" else RESEARCH


def make_report(
    volume: Volume,
    result: Segmentation,
    *,
    names: Mapping[str, str] | None = None,
    missing: Mapping[str, Sequence[str]] | None = None,
    notes: Sequence[str] = (),
    seconds: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Return the report on one image, without its name, path or header entries.

    Its keys are those of the provenance (``model``, ``weights_sha256``, ``version``, ``device``, …),
    ``image``, ``timings_s``, ``structures`` (statistics of each structure; ``output`` is its name in the
    files, ``recipe`` how it was derived, ``tidied`` whether rules of anatomy changed it, ``codes`` are the
    codes of its ``warnings``, ``doubt`` is what speaks against it and the verdict, ``measured`` the numbers
    behind that), ``missing`` (lines of the template that the model does not support, by reason),
    ``warnings``, ``notes`` and ``disclaimer``.

    Args:
        volume: Scan that was segmented.
        result: Masks on the grid of the scan.
        names: Output names by structure; structures not listed keep their own name.
        missing: Lines of a template that the model does not support, by reason.
        notes: Messages for the user.
        seconds: Duration of each step in seconds.
    """
    geometry = volume.geometry
    return {
        **result.provenance,
        "image": {
            "modality": volume.modality,
            "shape": geometry.spatial_shape,
            "spacing_mm": [round(size, 6) for size in geometry.spacing],
        },
        "timings_s": {step: round(value, 3) for step, value in (seconds or {}).items()},
        "structures": [
            {
                "name": mask.structure,
                "output": output,
                "recipe": mask.origin.recipe or None,
                "tidied": mask.origin.tidied,
                "state": mask.statistics.state.value,
                "voxels": mask.statistics.voxel_count,
                "volume_ml": round(mask.statistics.volume_ml, 4),
                "mean_intensity": _number(mask.statistics.mean_intensity),
                "mean_confidence": _number(mask.statistics.mean_confidence),
                "touches_border": mask.statistics.touches_border,
                "warnings": (said := [about(mask.structure, warning) for warning in mask.warnings]),
                "codes": [caution.code for caution in said],
                "doubt": _doubt(doubt),
                "measured": _measured(mask.statistics),
            }
            for mask, output, doubt in zip(result, result.named(names), of_all(result), strict=True)
        ],
        "missing": {reason: list(lacking) for reason, lacking in (missing or {}).items()},
        "warnings": result.warnings,
        "codes": [getattr(warning, "code", "said") for warning in result.warnings],
        "notes": list(notes),
        "disclaimer": disclaimer_of(str(result.provenance.get("model", ""))),
    }


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write a report as JSON.

    Raises:
        DiskFullError: The disk is full.
        OutputError: The file cannot be written.
    """
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    with atomic_output(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def verdict_of(entry: Mapping[str, Any]) -> str:
    """Return the verdict on a structure of a report: ``check``, ``probably absent``, or an empty string."""
    verdict = entry["doubt"]["verdict"] if entry["doubt"] else ""
    return verdict if verdict in (Verdict.CHECK.value, Verdict.PROBABLY_ABSENT.value) else ""


def _doubt(doubt: Doubt) -> dict[str, Any] | None:
    """Return verdict and reasons; None if nothing speaks against a mask."""
    if not doubt.reasons:
        return None
    return {
        "verdict": doubt.verdict.value if doubt.is_judged else "not judged",
        "text": doubt.caution and str(doubt.caution),
        "reasons": [
            {"code": reason.code, "text": reason, "values": dict(reason.values)} for reason in doubt.reasons
        ],
    }


def _measured(statistics: MaskStatistics) -> dict[str, float]:
    """Return the measurements by which a mask is judged, those that were made."""
    optional = (field.name for field in fields(statistics) if field.default is not MISSING)
    values = {name: getattr(statistics, name) for name in optional}
    return {n: round(value, 4) for n, value in values.items() if value is not None and not math.isnan(value)}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
