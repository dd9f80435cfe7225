"""``textsegment evaluate``: measures a model on a labelled data set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from textsegment.cli.errors import BATCH_INCOMPLETE
from textsegment.errors import InputError

if TYPE_CHECKING:
    from textsegment.evaluation.paired import PairedComparison
    from textsegment.evaluation.run import EvaluationSettings
    from textsegment.evaluation.score import Score


def evaluate_command(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="sat-demo, sat-nano, sat-pro, or a file of weights.")
    ],
    data: Annotated[Path, typer.Argument(metavar="SET", help="Set made by `textsegment data prepare`.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder; an unfinished evaluation in it goes on.")
    ],
    split: Annotated[
        str | None,
        typer.Option(help="train, validation, test or all; by default test, or else validation."),
    ] = None,
    tolerance: Annotated[
        list[str] | None,
        typer.Option(help="Of the surface Dice in mm, 1 if not given; 'spinal cord=2' for one structure."),
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Folder of an evaluation of another model, to compare with.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Evaluate a model: Dice, surface Dice and HD95 of every structure, on the grid of each scan.

    Writes scores.csv, summary.json and evaluation.html. docs/metrics.md defines every figure.
    Exit code 8: some cases could not be read; the same command tries them again.
    """
    from textsegment.compare.comparison import Tolerances
    from textsegment.datasets.data_set import CASES_FILE, DataSet
    from textsegment.datasets.record import SPLITS
    from textsegment.errors import SettingsError
    from textsegment.evaluation.report import PAGE_FILE, write_evaluation
    from textsegment.evaluation.run import run, settings_of
    from textsegment.inference.engine import LocalSegmenter

    if split not in (None, *SPLITS, "all"):
        raise SettingsError(f"There is no split {split!r}.", f"Use one of {', '.join(SPLITS)}, all.")
    tolerances = Tolerances.parse(tolerance or ())
    earlier = None if against is None else _earlier(against)
    cases = DataSet(data)
    there = {case.split for case in cases}
    split = split or ("test" if "test" in there else "validation")
    names = [case.sample_id for case in cases if split in (case.split, "all")]
    if not names:
        raise InputError(f"The set has no case in the split {split}.", "Choose another one with --split.")
    segmenter = LocalSegmenter(model, device=device)
    digest = hashlib.sha256((data / CASES_FILE).read_bytes()).hexdigest()
    settings = settings_of(segmenter, cases.card.name, digest, split, tolerances)
    scores = settings.begin(output)

    def tell(sample_id: str, found: Sequence[Score]) -> None:
        if not quiet:
            mean = sum(score.measures.dice for score in found) / max(len(found), 1)
            typer.echo(f"{sample_id}: {len(found)} structures, mean Dice {mean:.3f}" if found else sample_id)

    failed = run(
        segmenter,
        (case for case in cases if split in (case.split, "all")),
        scores,
        tolerances=tolerances,
        on_case=tell,
    )
    found = scores.of_cases(names)
    other = None if earlier is None else _compared(found, *earlier)
    codes = {name: error.code for name, error in failed.items()}
    summary = write_evaluation(output, settings, found, failed=codes, other=other)
    for name, error in failed.items():
        typer.echo(f"{name}: {error.message} [{error.code}]", err=True)
    if not quiet:
        for line in _closing_lines(summary, other):
            typer.echo(line)
        typer.echo(str(output / PAGE_FILE))
    if failed:
        raise typer.Exit(BATCH_INCOMPLETE)


def _earlier(folder: Path) -> tuple[EvaluationSettings, tuple[Score, ...]]:
    from textsegment.evaluation.run import SCORES_FILE, read_settings
    from textsegment.evaluation.score import ScoreFile

    settings = read_settings(folder)
    return settings, ScoreFile(folder / SCORES_FILE).all()


def _compared(
    found: Sequence[Score], settings: EvaluationSettings, scores: Sequence[Score]
) -> tuple[EvaluationSettings, PairedComparison]:
    from textsegment.evaluation.paired import compare_models

    return settings, compare_models(found, scores)


def _closing_lines(
    summary: Mapping[str, Any], other: tuple[EvaluationSettings, PairedComparison] | None
) -> Iterator[str]:
    if overall := summary["overall"]:
        yield (
            f"Mean of {overall['count']} structures: Dice {overall['dice']:.3f}, "
            f"surface Dice {overall['surface_dice']:.3f}."
        )
    if present := summary["present"]:
        shares = f"Dice {present['dice']:.3f}, surface Dice {present['surface_dice']:.3f}"
        yield f"Where they are present: {shares}."
    if other is not None:
        dice = other[1].overall[0]
        p = "too few patients for a test" if dice.p is None else f"p {dice.p:.3g}"
        interval = f"{dice.low:+.3f} to {dice.high:+.3f}"
        yield f"Against {other[0].model}: Dice {dice.mean:+.3f} ({interval}), {p}."
