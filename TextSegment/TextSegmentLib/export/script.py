"""Script that writes masks as a DICOM object; runs in the engine's Python.

It reads two lines from standard input, the required packages and an ``ExportOrder``, and prints one: the
warnings, the missing packages, or the error. Only the object itself is written to disk.
"""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from probe import missing  # type: ignore[import-not-found]


def main() -> None:
    """Write the requested object, and print the answer."""
    lacking = missing(json.loads(sys.stdin.readline()))
    if lacking:
        print(json.dumps({"missing": lacking}))
        return
    from textsegment.errors import TextSegmentError
    from textsegment.files.dicom.grid_match import ImageMismatchError
    from textsegment.files.export import export
    from textsegment.wire.export_order import ExportOrder
    from textsegment.wire.failures import ErrorReport

    answer: dict[str, Any]
    try:
        answer = {"warnings": export(ExportOrder.from_json(sys.stdin.readline()))}
    except ImageMismatchError as error:
        answer = {"mismatch": error.reason.value}
    except TextSegmentError as error:
        answer = {"error": ErrorReport.from_error(error).to_json().decode()}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
