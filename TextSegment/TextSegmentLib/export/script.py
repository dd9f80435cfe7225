"""Writes DICOM objects of masks. Runs in the Python of the engine, as a script.

It reads one line of JSON from its input, and prints one line: the warnings, the packages that are missing, or
the error. Nothing but the object itself is written to the disk.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from probe import missing


def main():
    """Write what is asked for."""
    order = json.loads(sys.stdin.readline())
    lacking = missing(order["requirements"])
    if lacking:
        print(json.dumps({"missing": lacking}))
        return
    from textsegment.errors import TextSegmentError
    from textsegment.wire.failures import ErrorReport
    from writing import Mismatch, write

    try:
        answer = {"warnings": write(order)}
    except Mismatch as error:
        answer = {"mismatch": error.reason}
    except TextSegmentError as error:
        answer = {"error": ErrorReport.from_error(error).to_json().decode()}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
