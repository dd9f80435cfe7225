"""Sending of an exported object to another system, by a child process in the engine's Python."""

from __future__ import annotations

import json
from pathlib import Path

from textsegment.wire.failures import ErrorReport

from TextSegmentLib.engine.interpreter import Interpreter
from TextSegmentLib.engine.requirements import requirements_named
from TextSegmentLib.export.destinations import Destination
from TextSegmentLib.export.writer import PackagesMissingError, ask

_SCRIPT = Path(__file__).with_name("send_script.py")


def send(path: Path, destination: Destination, interpreter: Interpreter) -> None:
    """Send a DICOM file to a destination, once; takes seconds, so call it in a worker.

    Raises:
        PackagesMissingError: The interpreter lacks packages.
        DestinationUnreachableError: The destination cannot be reached.
        DestinationRefusedError: It refuses the connection or the object.
        TextSegmentError: Sending failed for another reason.
    """
    order = {"paths": [str(path)], "destination": dict(destination.table)}
    answer = ask(interpreter, _SCRIPT, json.dumps(list(requirements())), json.dumps(order))
    if "missing" in answer:
        raise PackagesMissingError(answer["missing"])
    if "error" in answer:
        raise ErrorReport.from_json(answer["error"].encode()).to_error()


def requirements() -> tuple[str, ...]:
    """Return the requirements of the packages that send."""
    return requirements_named("pydicom", "pynetdicom", "dicomweb-client", "pydantic", "filelock")
