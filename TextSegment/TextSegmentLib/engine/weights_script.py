"""Downloads the weights of a model. Runs in the Python of the engine, as a script.

Its argument is the name of the model. It prints lines of JSON, and goes on after the offer only when it reads
the line ``yes``.
"""

import json
import sys
import time

from textsegment.errors import TextSegmentError
from textsegment.inference.weights.acquire import download

_EVERY_S = 0.2


def _print(**message):
    print(json.dumps(message), flush=True)


def _consent(offer):
    _print(offer=offer.notice, size=offer.size)
    return sys.stdin.readline().strip() == "yes"


def main():
    """Download, and say how it goes."""
    last = 0.0

    def on_progress(file, done, total):
        nonlocal last
        if done == total or time.monotonic() - last > _EVERY_S:
            last = time.monotonic()
            _print(file=file, done=done, total=total)

    try:
        download(sys.argv[1], consent=_consent, on_progress=on_progress)
    except TextSegmentError as error:
        _print(error=error.message, hint=error.hint)
        sys.exit(1)


if __name__ == "__main__":
    main()
