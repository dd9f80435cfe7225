"""Machine-readable report on a result; ``page`` renders it for people."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from textsegment.caution import about
from textsegment.files.atomic import atomic_output
from textsegment.segmentation import Segmentation
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
    files, ``recipe`` how it was derived, ``tidied`` whether rules of anatomy changed it, and ``codes`` are
    the codes of its ``warnings``), ``missing`` (lines of the template that the model does not support, by
    reason), ``warnings``, ``notes`` and ``disclaimer``.

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
            }
            for mask, output in zip(result, result.named(names), strict=True)
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


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
