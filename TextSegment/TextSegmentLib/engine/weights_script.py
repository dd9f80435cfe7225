"""Script that downloads or removes the weights of a model; runs in the engine's Python.

Its arguments are ``download`` or ``remove``, and the name of the model. It prints lines of JSON. A download
prints its offer first, and begins only after reading the line ``yes``.
"""

import json
import sys
import time
from typing import Any

from textsegment.errors import TextSegmentError
from textsegment.inference.weights.acquire import download
from textsegment.inference.weights.remove import remove

_EVERY_S = 0.2


def _print(**message: Any) -> None:
    print(json.dumps(message), flush=True)


def _consent(offer: Any) -> bool:
    _print(offer=offer.notice, size=offer.size)
    return sys.stdin.readline().strip() == "yes"


def _download(model: str) -> None:
    last = 0.0

    def on_progress(file: str, done: int, total: int) -> None:
        nonlocal last
        if done == total or time.monotonic() - last > _EVERY_S:
            last = time.monotonic()
            _print(file=file, done=done, total=total)

    download(model, consent=_consent, on_progress=on_progress)


def main() -> None:
    """Carry out the command, and print its progress and outcome."""
    verb, model = sys.argv[1:]
    try:
        if verb == "remove":
            _print(freed=remove(model))
        else:
            _download(model)
    except TextSegmentError as error:
        _print(error=error.message, hint=error.hint)
        sys.exit(1)


if __name__ == "__main__":
    main()
