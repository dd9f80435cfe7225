"""Script that writes masks as a DICOM object; runs in the engine's Python.

It reads two lines from standard input, the required packages and an ``ExportOrder``, and prints one: the
warnings, the missing packages, or the error. Only the object itself is written to disk.
"""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from answering import answer_order  # type: ignore[import-not-found]


def _export(order: str) -> dict[str, Any]:
    from textsegment.files.dicom.grid_match import ImageMismatchError
    from textsegment.files.export import export
    from textsegment.wire.export_order import ExportOrder

    try:
        return {"warnings": export(ExportOrder.from_json(order))}
    except ImageMismatchError as error:
        return {"mismatch": error.reason.value}


if __name__ == "__main__":
    answer_order(_export)
