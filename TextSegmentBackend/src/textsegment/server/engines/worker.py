"""The worker process, which holds one segmenter and runs one job at a time.

It communicates with its parent over a pipe. The parent sends JSON objects: a job (see ``WorkerProcess.run``),
``{"cancel": true}``, or ``{"ping": true}`` while there is no job. The child sends messages that begin with a
byte for their kind:

====  ==========================================================================
``I`` description of the model, JSON, sent once when the child is ready
``F`` encoded frame of the job
``P`` answer to a ping
``E`` end of the job: empty, or the report of the error that ended it, JSON
====  ==========================================================================

The child exits when the pipe is closed, so that it never outlives its parent.
"""

from __future__ import annotations

import base64
import importlib
import json
import logging
import os
import signal
import threading
from collections.abc import Mapping
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from textsegment.errors import DependencyMissingError, OutOfMemoryError, TextSegmentError
from textsegment.prompt import Prompt
from textsegment.segmenter import CancelToken, Event, Segmenter
from textsegment.server.engines.computation import NO_LIMITS, compute
from textsegment.server.logs import describe_defect, log, use_json_logs
from textsegment.server.volumes.stored_file import map_voxels
from textsegment.volume import Volume
from textsegment.wire.failures import ErrorReport
from textsegment.wire.frames import encode_frame
from textsegment.wire.messages import read_effort
from textsegment.wire.strict_json import Fields
from textsegment.wire.volumes.header import read_header

INFO, FRAME, END, PONG = b"I", b"F", b"E", b"P"


def load_segmenter(factory: str, arguments: Mapping[str, Any]) -> Segmenter:
    """Create a segmenter.

    Args:
        factory: Factory of the segmenter, as ``"module:name"``.
        arguments: Keyword arguments of JSON types.
    """
    module, _, name = factory.partition(":")
    segmenter: Segmenter = getattr(importlib.import_module(module), name)(**arguments)
    return segmenter


def worker_main(pipe: Connection, factory: str, arguments: Mapping[str, Any]) -> None:
    """Run the worker; the main function of the child process."""
    # A terminal sends these to all its processes, but the parent decides when the child ends.
    for name in ("SIGINT", "SIGHUP", "SIGQUIT"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    use_json_logs()
    try:
        segmenter = load_segmenter(factory, arguments)
        info = segmenter.info()
    except Exception as error:  # noqa: BLE001 - the process boundary, the parent raises it again
        pipe.send_bytes(END + report_of(error))
        return
    pipe.send_bytes(INFO + json.dumps(asdict(info)).encode())
    _Worker(pipe, segmenter).serve()


class _Worker:
    """Listens in a thread, so that a job can be cancelled while it is being computed."""

    def __init__(self, pipe: Connection, segmenter: Segmenter) -> None:
        self._pipe = pipe
        self._segmenter = segmenter
        self._jobs: SimpleQueue[tuple[dict[str, Any], CancelToken]] = SimpleQueue()

    def serve(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            job, cancel = self._jobs.get()
            self._tell(END + self._run(job, cancel))

    def _listen(self) -> None:
        cancel = CancelToken()
        while True:
            try:
                message = json.loads(self._pipe.recv_bytes())
            except (EOFError, OSError):
                os._exit(0)  # the parent is gone, and the main thread may be computing
            if message.get("cancel"):
                cancel.cancel()
            elif message.get("ping"):
                self._tell(PONG)
            else:
                cancel = CancelToken()
                self._jobs.put((message, cancel))

    def _run(self, job: dict[str, Any], cancel: CancelToken) -> bytes:
        try:
            header, _, _ = read_header(bytes.fromhex(job["header"]), NO_LIMITS)
            voxels = map_voxels(Path(job["voxels"]), header)
            volume = Volume(voxels, header.geometry, header.modality, known_digest=job["digest"])
            prompts = [Prompt(text) for text in job["prompts"]]
            effort = read_effort(Fields(job, "The job"))
            correction = base64.b64decode(job["correction"])
            tidy = bool(job["tidy"])
            done = compute(self._segmenter, volume, prompts, effort, correction, tidy, self._send, cancel)
            self._tell(FRAME + encode_frame(done))
        except Exception as error:  # noqa: BLE001 - the process boundary, the parent raises it again
            return report_of(error)
        return b""

    def _send(self, event: Event) -> None:
        self._tell(FRAME + encode_frame(event))

    def _tell(self, message: bytes) -> None:
        try:
            self._pipe.send_bytes(message)
        except OSError:
            os._exit(0)  # the parent is gone, as in `_listen`, which may notice it later


def report_of(error: Exception) -> bytes:
    """Return the report of an error as JSON; a defect is logged without its message."""
    if isinstance(error, ModuleNotFoundError):
        error = DependencyMissingError(
            f"The package {error.name} is not installed.", "Run `pip install 'textsegment[engine]'`."
        )
    elif isinstance(error, MemoryError):
        error = OutOfMemoryError("The memory of the engine does not suffice.", "Ask for fewer structures.")
    elif not isinstance(error, TextSegmentError):
        log("engine_defect", level=logging.ERROR, **describe_defect(error))
        error = TextSegmentError("The engine failed because of a defect of TextSegment.", "Report it.")
    return ErrorReport.from_error(error).to_json(details=True)
