"""Script that compares two segmentations; runs in the engine's Python.

It reads two lines from standard input, the required packages and a ``ComparisonOrder``, and prints one: the
comparison, or what went wrong.
"""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from probe import missing  # type: ignore[import-not-found]


def main() -> None:
    """Compare, and print the answer."""
    lacking = missing(json.loads(sys.stdin.readline()))
    if lacking:
        print(json.dumps({"missing": lacking}))
        return
    from textsegment.compare.comparison import Tolerances, compare
    from textsegment.compare.page import write_comparison_page
    from textsegment.compare.table import COLUMNS, cells
    from textsegment.errors import TextSegmentError
    from textsegment.wire.comparison_order import ComparisonOrder
    from textsegment.wire.failures import ErrorReport

    order = ComparisonOrder.from_json(sys.stdin.readline())
    answer: dict[str, Any]
    try:
        found = compare(order.result, order.reference, tolerances=Tolerances(order.tolerance_mm))
        if order.page is not None:
            write_comparison_page(found, order.page)
        rows = [(each.reference.structure, *cells(each.measures)) for each in found.structures]
        answer = {**found.to_json(), "columns": COLUMNS, "rows": rows}
    except TextSegmentError as error:
        answer = {"error": ErrorReport.from_error(error).to_json().decode()}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
