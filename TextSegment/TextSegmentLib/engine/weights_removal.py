"""Removal of a model's weights from this computer, once the user has agreed."""

from __future__ import annotations

import json
from pathlib import Path

from slicer.i18n import tr as _
from textsegment.errors import WeightsError

from TextSegmentLib.background import BackgroundTask
from TextSegmentLib.engine.child_process import launch
from TextSegmentLib.engine.interpreter import Interpreter


def remove_weights(interpreter: Interpreter, model: str) -> BackgroundTask[int]:
    """Remove weights in the background; the result of the task is the number of bytes freed.

    The task fails with ``WeightsError`` if the weights cannot be removed.

    Args:
        interpreter: Python that has the engine's packages.
        model: ``sat-nano`` or ``sat-pro``.
    """
    script = str(Path(__file__).with_name("weights_script.py"))
    command, variables = [interpreter.executable, script, "remove", model], interpreter.environment()
    return BackgroundTask(lambda _report, _cancel: _remove(command, variables)).start()


def _remove(command: list[str], variables: dict[str, str]) -> int:
    output, _errors = launch(command, variables, errors_apart=True).communicate()
    try:
        answer = json.loads(output.splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise WeightsError(
            _("The weights could not be removed."), _("The details are in the log.")
        ) from error
    if "error" in answer:
        raise WeightsError(answer["error"], answer["hint"])
    return int(answer["freed"])
