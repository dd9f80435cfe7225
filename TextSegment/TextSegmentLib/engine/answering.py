"""What scripts that run in the engine's Python have in common: they take one order, and print one answer."""

import json
import sys
from collections.abc import Callable
from typing import Any

from probe import missing  # type: ignore[import-not-found]


def answer_order(work: Callable[[str], dict[str, Any]]) -> None:
    """Read the required packages and an order, a line each, and print the answer as a line of JSON.

    Args:
        work: Makes the answer to an order. It imports what it needs itself: the packages may be missing.
    """
    lacking = missing(json.loads(sys.stdin.readline()))
    if lacking:
        print(json.dumps({"missing": lacking}))
        return
    from textsegment.errors import TextSegmentError
    from textsegment.wire.failures import ErrorReport

    try:
        answer = work(sys.stdin.readline())
    except TextSegmentError as error:
        answer = {"error": ErrorReport.from_error(error).to_json().decode()}
    print(json.dumps(answer))
