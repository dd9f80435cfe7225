"""Calibrations of weights, by their digest: those of the package, and those made on this computer."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from textsegment.doubt import Calibration
from textsegment.errors import WeightsTamperedError
from textsegment.files.disk.atomic import atomic_output, make_folder
from textsegment.inference.weights.store import Store


def calibration_of(digest: str) -> Calibration | None:
    """Return the calibration of weights; None if they were never calibrated.

    One that was made on this computer is preferred to that of the package.

    Args:
        digest: SHA-256 of the weights file, in hexadecimal.

    Raises:
        WeightsTamperedError: The file of calibrations on this computer is damaged.
    """
    for path in (_own_file(), _packaged_file()):
        try:
            entry = _read(path).get(digest)
            if entry is not None:
                return Calibration(
                    float(entry["unsure_95"]),
                    float(entry["unsure_98"]),
                    int(entry["scans"]),
                    int(entry["masks"]),
                )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WeightsTamperedError(
                "The file of calibrations is damaged.", f"Delete {path} and calibrate again."
            ) from error
    return None


def keep_calibration(model: str, digest: str, calibration: Calibration) -> Path:
    """Store a calibration beside the weights on this computer, and return the file.

    Args:
        model: Name of the model, for people who read the file.
        digest: SHA-256 of the weights file, in hexadecimal.
        calibration: Calibration to keep; an earlier one is replaced.

    Raises:
        WeightsTamperedError: The file is damaged.
        OutputError: The file cannot be written.
    """
    path = _own_file()
    make_folder(path.parent)
    try:
        known = _read(path)
    except ValueError as error:
        raise WeightsTamperedError("The file of calibrations is damaged.", f"Delete {path}.") from error
    known[digest] = {"model": model, **asdict(calibration)}
    with atomic_output(path) as temporary:
        temporary.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    return path


def _own_file() -> Path:
    return Store().folder / "calibrations.json"


def _packaged_file() -> Path:
    return Path(str(resources.files("textsegment.model"))) / "data" / "calibrations.json"


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    if not isinstance(content, dict):
        raise ValueError("no object")
    return content
