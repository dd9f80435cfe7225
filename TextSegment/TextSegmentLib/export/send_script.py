"""Script that sends DICOM files to a destination; runs in the engine's Python.

It reads two lines from standard input, the required packages and an order, and prints one: what went wrong.
"""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from answering import answer_order  # type: ignore[import-not-found]


def _send(text: str) -> dict[str, Any]:
    from textsegment.node.connections import DicomDestination, WebDestination
    from textsegment.node.network.delivery import deliver
    from textsegment.node.tables import check_table

    order = json.loads(text)
    table = order["destination"]
    destination: DicomDestination | WebDestination
    if table["kind"] == "dicom":
        destination = check_table(DicomDestination, table, "The destination")
    else:
        destination = check_table(WebDestination, table, "The destination")
    deliver([Path(path) for path in order["paths"]], destination)
    return {}


if __name__ == "__main__":
    answer_order(_send)
