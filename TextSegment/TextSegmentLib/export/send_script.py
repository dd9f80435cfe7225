"""Script that sends DICOM files to a destination; runs in the engine's Python.

It reads two lines from standard input, the required packages and an order, and prints one: what went wrong.
"""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from probe import missing  # type: ignore[import-not-found]


def main() -> None:
    """Send the files, and print the answer."""
    lacking = missing(json.loads(sys.stdin.readline()))
    if lacking:
        print(json.dumps({"missing": lacking}))
        return
    from textsegment.errors import TextSegmentError
    from textsegment.node.connections import DicomDestination, WebDestination
    from textsegment.node.network.delivery import deliver
    from textsegment.node.tables import check_table
    from textsegment.wire.failures import ErrorReport

    order: dict[str, Any] = json.loads(sys.stdin.readline())
    table = order["destination"]
    answer: dict[str, Any] = {}
    try:
        destination: DicomDestination | WebDestination
        if table["kind"] == "dicom":
            destination = check_table(DicomDestination, table, "The destination")
        else:
            destination = check_table(WebDestination, table, "The destination")
        deliver([Path(path) for path in order["paths"]], destination)
    except TextSegmentError as error:
        answer = {"error": ErrorReport.from_error(error).to_json().decode()}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
