"""Quality and speed of corrections: a simulated user mends masks of labelled scans.

    python benchmarks/correct.py SCANS_FOLDER --log rows.jsonl
    python benchmarks/correct.py --log rows.jsonl --table

Weak masks of the model (Dice 0.2 to 0.85) are mended by 1, 3 and 5 drawn slices, and by 1, 3 and 10 clicks;
structures that the model does not offer are drawn in 1, 3 and 5 slices. Scans and labels are those of
``data/corrections.json`` and of the people held out of the training; whom it was trained on is read from
the description of that. Each row of the log is one result; a run that is repeated with the same log goes on
where it stopped.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from correct_cases import Case, read_cases
from simulated_user import (
    Mask,
    axial_axis,
    baseline_name,
    click,
    dice,
    filled_between,
    spread_slices,
    worst_slices,
)

from textsegment.correction import Correction, Edit
from textsegment.correction.result import propagated
from textsegment.inference.engine import LocalSegmenter
from textsegment.segmentation import StructureMask

TASKS = ("slices", "nothing", "clicks")
SLICES = (1, 3, 5)
CLICKS = (1, 3, 10)
WEAK = (0.2, 0.85)
MOST_PAIRS = 7
HERE = Path(__file__).parent
DESCRIPTIONS = (HERE / "data" / "corrections.json", HERE.parent / "tools" / "demo_held_out.json")
TRAINED = HERE.parent / "tools" / "demo_dataset.json"
Row = dict[str, Any]


def main() -> None:
    """Run what is not in the log yet, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("scans", type=Path, nargs="?")
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--descriptions", type=Path, nargs="+", default=list(DESCRIPTIONS))
    parser.add_argument("--trained", type=Path, default=TRAINED, help="what the model was trained on")
    parser.add_argument("--seed", type=int, default=0, help="another one draws other slices")
    parser.add_argument("--only", default="", help="part of the names of the scans to use")
    parser.add_argument("--model", default="sat-demo")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS)
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if arguments.scans is not None:
        segmenter = LocalSegmenter(arguments.model, device="cpu", threads=1)
        offered = segmenter.info().structures
        done = {
            (row["scan"], row["structure"], row["task"])
            for row in read_log(arguments.log)
            if row["seed"] == arguments.seed
        }
        for case in read_cases(
            arguments.descriptions, arguments.scans, offered, arguments.trained, arguments.only
        ):
            for rows in results(case, segmenter, done, arguments.tasks, arguments.seed):
                with arguments.log.open("a", encoding="utf-8") as log:
                    log.writelines(json.dumps(row) + "\n" for row in rows)
    if arguments.table:
        print_table(read_log(arguments.log))


def read_log(path: Path) -> list[Row]:
    """Return the rows of a log."""
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def results(
    case: Case, segmenter: LocalSegmenter, done: set[tuple[str, str, str]], wanted: Sequence[str], seed: int
) -> Iterator[list[Row]]:
    """Yield the rows of each pair of scan and structure that is not done yet."""
    tasks: list[tuple[str, str, Callable[..., Iterable[Row]], tuple[Any, ...]]] = []
    if case.known and {"slices", "clicks"} & set(wanted):
        found = segmenter.segment(case.volume, list(case.known))
        for structure in weak(case, {mask.structure: mask for mask in found}):
            tasks.append((structure, "slices", mended, (found[structure],)))
            tasks.append((structure, "clicks", clicked, (found[structure],)))
    tasks += [(structure, "nothing", drawn_once, ()) for structure in case.new]
    for structure, task, run, more in tasks:
        if task in wanted and (case.name, structure, task) not in done:
            about = {"scan": case.name, "person": case.person, "seen": case.seen, "structure": structure}
            about |= {"task": task, "seed": seed}
            yield [about | row for row in run(case, segmenter, structure, seed, *more)]


def weak(case: Case, masks: dict[str, StructureMask]) -> list[str]:
    """Return structures whose masks are weak, from the worst to the best, but not too many."""
    shape = case.volume.geometry.spatial_shape
    start = {name: dice(masks[name].full(shape), truth) for name, truth in case.known.items()}
    found = sorted(
        (name for name in start if WEAK[0] <= start[name] <= WEAK[1]), key=lambda name: start[name]
    )
    places = np.unique(np.linspace(0, len(found) - 1, min(len(found), MOST_PAIRS)).astype(int))
    return [found[n] for n in places] if found else []


def mended(
    case: Case, segmenter: LocalSegmenter, structure: str, seed: int, base: StructureMask
) -> Iterator[Row]:
    """Mend a weak mask by drawn slices."""
    old, truth = base.full(case.volume.geometry.spatial_shape), case.known[structure]
    axis = axial_axis(case.volume.geometry)
    for count in SLICES:
        slices = worst_slices(old, truth, count, axis, seed)
        edits = [Edit.slice_of(truth, axis, n) for n in slices]
        row = {"count": count, "start": dice(old, truth)}
        pasted = old.copy()
        for edit in edits:
            pasted[edit.box.slices] = edit.inside
        yield row | {"method": "paste", "dice": dice(pasted, truth)}
        filled = filled_between(old, truth, slices, axis, case.volume.geometry)
        yield row | {"method": "fill between", "dice": dice(filled, truth)}
        yield from by_both(case, segmenter, truth, row, edits, base=base, prompt=structure)


def drawn_once(case: Case, segmenter: LocalSegmenter, structure: str, seed: int) -> Iterator[Row]:
    """Draw a structure that the model does not offer."""
    truth, axis = case.new[structure], axial_axis(case.volume.geometry)
    for count in SLICES:
        slices = spread_slices(truth, count, axis, seed)
        edits = [Edit.slice_of(truth, axis, n) for n in slices]
        row = {"count": count, "start": 0.0}
        filled = filled_between(np.zeros_like(truth), truth, slices, axis, case.volume.geometry)
        yield row | {"method": "fill between", "dice": dice(filled, truth)}
        yield from by_both(case, segmenter, truth, row, edits, name=structure)


def clicked(
    case: Case, segmenter: LocalSegmenter, structure: str, _seed: int, base: StructureMask
) -> Iterator[Row]:
    """Mend a weak mask by clicks on the largest error, one after the other."""
    shape, truth = case.volume.geometry.spatial_shape, case.known[structure]
    current = base.full(shape)
    start, done = dice(current, truth), np.zeros_like(truth)
    edits: list[Edit] = []
    for count in range(1, max(CLICKS) + 1):
        edit = click(current, truth, done, case.volume.geometry)
        begin = time.process_time()
        if edit is not None:
            done[edit.box.slices] |= edit.known
            edits.append(edit)
            mask = segmenter.correct(case.volume, edits=edits, base=base, prompt=structure)
            current = mask.full(shape)
        seconds = time.process_time() - begin
        if count in CLICKS:
            row = {"count": count, "start": start, "method": "correct", "seconds": seconds}
            yield row | {"dice": dice(current, truth)}


def by_both(
    case: Case, segmenter: LocalSegmenter, truth: Mask, row: Row, edits: list[Edit], **options: Any
) -> Iterator[Row]:
    """Carry edits on by their shape, and by the engine."""
    shape = case.volume.geometry.spatial_shape
    by_shape = propagated(Correction.of(case.volume, edits, base=options.get("base"), name="it"))
    yield row | {"method": "shape", "dice": dice(by_shape.full(shape), truth)}
    begin = time.process_time()
    mask = segmenter.correct(case.volume, edits=edits, **options)
    seconds = time.process_time() - begin
    yield row | {"method": "correct", "dice": dice(mask.full(shape), truth), "seconds": seconds}


def print_table(rows: list[Row]) -> None:
    """Print means over all pairs, and over those of people that the model was not trained on."""
    print(f"Fill between: {baseline_name()}. Times: median of processor seconds.\n")
    print("| task | count | method | pairs | start | Dice | unseen people | worse than start | seconds |")
    print("|---|---|---|---|---|---|---|---|---|")
    for task in TASKS:
        for count in SLICES if task != "clicks" else CLICKS:
            for method in ("paste", "fill between", "shape", "correct"):
                chosen = [r for r in rows if (r["task"], r["count"], r["method"]) == (task, count, method)]
                if chosen:
                    print(_line(task, count, method, chosen))


def _line(task: str, count: int, method: str, rows: list[Row]) -> str:
    start, found = (np.array([row[key] for row in rows]) for key in ("start", "dice"))
    unseen = [row["dice"] for row in rows if not row["seen"]]
    seconds = [row["seconds"] for row in rows if "seconds" in row]
    worse = f"{100 * np.mean(found < start):.0f} %"
    cells = (
        *(task, count, method, len(rows), f"{start.mean():.3f}", f"{found.mean():.3f}"),
        f"{np.mean(unseen):.3f} ({len(unseen)})" if unseen else "–",
        worse,
        f"{np.median(seconds):.2f}" if seconds else "–",
    )
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()
