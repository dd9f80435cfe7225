"""``textsegment calibrate``: measures how unsure a model is of good masks, for verdicts about others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def calibrate_command(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="sat-demo, sat-nano, sat-pro, or a file of weights.")
    ],
    data: Annotated[Path, typer.Argument(metavar="SET", help="Set made by `textsegment data prepare`.")],
    split: Annotated[
        str | None,
        typer.Option(help="train, validation, test or all; by default what was not trained on."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Calibrate a model on labelled scans, at least 10 that it was not trained on.

    Its results then have verdicts: which masks to check, and which structures are probably not in the image.
    The calibration is kept with the weights on this computer, by their digest.
    """
    from textsegment.datasets.data_set import DataSet
    from textsegment.datasets.record import SPLITS
    from textsegment.errors import SettingsError
    from textsegment.evaluation.calibration import calibrate
    from textsegment.inference.engine import LocalSegmenter
    from textsegment.inference.weights.calibrations import keep_calibration

    if split not in (None, *SPLITS, "all"):
        raise SettingsError(f"There is no split {split!r}.", f"Use one of {', '.join(SPLITS)}, all.")
    wanted = {"validation", "test"} if split is None else set(SPLITS) if split == "all" else {split}
    cases = (case for case in DataSet(data) if case.split in wanted)

    def tell(sample_id: str, good: int) -> None:
        if not quiet:
            typer.echo(f"{sample_id}: {good} good masks")

    segmenter = LocalSegmenter(model, device=device)
    calibration = calibrate(segmenter, cases, on_case=tell)
    info = segmenter.info()
    path = keep_calibration(info.model, info.weights_sha256, calibration)
    typer.echo(
        f"Of {calibration.masks} good masks in {calibration.scans} scans, 95 % have an unsure share of at "
        f"most {calibration.unsure_95:.3f}, and 98 % of at most {calibration.unsure_98:.3f}. Kept in {path}."
    )
