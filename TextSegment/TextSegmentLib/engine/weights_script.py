"""Downloads or removes the weights of a model. Runs in the Python of the engine, as a script.

Its arguments are ``download`` or ``remove``, and the name of the model. It prints lines of JSON, and goes on
after the offer of a download only when it reads the line ``yes``.
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
    """Do it, and say how it goes."""
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
