"""Script that compares two segmentations; runs in the engine's Python.

It reads two lines from standard input, the required packages and a ``ComparisonOrder``, and prints one: the
comparison, or what went wrong.
"""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from answering import answer_order  # type: ignore[import-not-found]


def _compare(text: str) -> dict[str, Any]:
    from textsegment.compare.comparison import Tolerances, compare
    from textsegment.compare.page import write_comparison_page
    from textsegment.compare.table import COLUMNS, cells
    from textsegment.wire.comparison_order import ComparisonOrder

    order = ComparisonOrder.from_json(text)
    found = compare(order.result, order.reference, tolerances=Tolerances(order.tolerance_mm))
    if order.page is not None:
        write_comparison_page(found, order.page)
    rows = [(each.reference.structure, *cells(each.measures)) for each in found.structures]
    return {**found.to_json(), "columns": COLUMNS, "rows": rows}


if __name__ == "__main__":
    answer_order(_compare)
