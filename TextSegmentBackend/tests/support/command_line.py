"""The command line inside the test process, with one engine for all tests: its features are kept."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import slicerio

from textsegment.cli.app import run
from textsegment.cli.session import Session
from textsegment.inference.engine import LocalSegmenter

CHEST = Path(slicerio.__file__).parent / "data" / "CTChest4.nrrd"


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def textsegment(*arguments: object) -> Ended:
    """Run a command to its end."""
    out, err, hook = io.StringIO(), io.StringIO(), sys.excepthook
    code = None
    try:
        with redirect_stdout(out), redirect_stderr(err):
            run([str(argument) for argument in arguments])
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.excepthook = hook
    assert isinstance(code, int)
    return Ended(code, out.getvalue(), err.getvalue())


@lru_cache(maxsize=1)
def demo_engine() -> LocalSegmenter:
    """The packaged demonstration model."""
    return LocalSegmenter("sat-demo", device="cpu")


def share_engine(monkeypatch) -> None:
    """Let commands that ask for nothing else use the one engine."""
    load = Session.segmenter.func

    def segmenter(self: Session) -> LocalSegmenter:
        chosen = (self.model, self.device, self.precision, self.server)
        return demo_engine() if chosen == ("sat-demo", "auto", "auto", None) else load(self)

    monkeypatch.setattr(Session, "segmenter", property(segmenter))
