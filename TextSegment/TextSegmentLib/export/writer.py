"""Writing of DICOM objects by a child process, in the Python that runs the engine.

Slicer's own Python lacks contourpy, and in older versions highdicom too; also, reading a series takes seconds
in which Slicer would freeze. The masks go through a pipe, so that the requested file is the only one ever
written. So do the paths of the images, since any user of the computer can read command lines.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _
from textsegment.errors import DependencyMissingError, GeometryError, TextSegmentError
from textsegment.wire.export_order import ExportOrder, MismatchReason
from textsegment.wire.failures import ErrorReport

from TextSegmentLib.engine.child_process import launch
from TextSegmentLib.engine.interpreter import Interpreter

_SCRIPT = Path(__file__).with_name("script.py")


class PackagesMissingError(DependencyMissingError):
    """The engine's Python lacks packages needed for writing.

    Attributes:
        requirements: Missing requirements.
    """

    def __init__(self, requirements: Sequence[str]) -> None:
        super().__init__(
            _("The Python of the engine lacks packages: {names}.").format(names=", ".join(requirements)),
            _("Install them."),
        )
        self.requirements = tuple(requirements)


def write(order: ExportOrder, requirements: Sequence[str], interpreter: Interpreter) -> tuple[str, ...]:
    """Write a DICOM object; takes seconds, so call it in a worker.

    Args:
        order: What to write, and where.
        requirements: Requirements of the packages that write it.
        interpreter: Python that has these packages.

    Returns:
        Warnings for the user.

    Raises:
        PackagesMissingError: The interpreter lacks packages.
        GeometryError: The DICOM images are not those of the volume.
        TextSegmentError: Writing failed for another reason.
    """
    answer = ask(interpreter, _SCRIPT, json.dumps(list(requirements)), order.to_json())
    if "missing" in answer:
        raise PackagesMissingError(answer["missing"])
    if "mismatch" in answer:
        raise _mismatch(MismatchReason(answer["mismatch"]))
    if "error" in answer:
        raise ErrorReport.from_json(answer["error"].encode()).to_error()
    return tuple(answer["warnings"])


def _mismatch(reason: MismatchReason) -> GeometryError:
    if reason is MismatchReason.MOVED:
        return GeometryError(
            _("The image is not where its DICOM files have it: it was moved, cut or resampled."),
            _("Load the DICOM images again, and put the segmentation on them."),
        )
    hint = _("Choose the folder of the images that were segmented.")
    if reason is MismatchReason.OTHER_IMAGE:
        return GeometryError(
            _("The images in this folder have the same grid, but show something else."), hint
        )
    return GeometryError(_("No series in this folder has the grid of the image."), hint)


def ask(interpreter: Interpreter, script: Path, *lines: str) -> dict[str, Any]:
    """Run a script in the engine's Python with lines of input, and return its answer."""
    process = launch([interpreter.executable, str(script)], interpreter.environment(), errors_apart=True)
    # Standard error may quote the files, and with them patient data, so it is discarded.
    output, _errors = process.communicate("".join(f"{line}\n" for line in lines))
    try:
        answer: dict[str, Any] = json.loads(output.splitlines()[-1])
    except (ValueError, LookupError) as error:
        raise TextSegmentError(
            _("The program in the Python of the engine stopped (exit code {code}).").format(
                code=process.returncode
            ),
            _("Check the Python of the engine, in its section."),
        ) from error
    return answer
