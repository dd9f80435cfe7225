"""What the network says about the cells of a correction: only patches that touch them, each encoded once."""

from __future__ import annotations

from textsegment.inference.correct.cells import CellGrid
from textsegment.inference.correct.gather import CellFeatures, canonical_places, gather
from textsegment.inference.job import LocalJob
from textsegment.inference.memory import MemoryPlan
from textsegment.inference.pipeline import Pipeline, patches_in
from textsegment.model.sat import PatchFeatures

# Work besides the convolutions, in units of the U-Net on one patch, for the progress bar.
_LOOKING, _DECIDING = 0.02, 0.05


def seen_by_network(
    pipeline: Pipeline, job: LocalJob, plan: MemoryPlan, cells: CellGrid
) -> CellFeatures | None:
    """Return what the network says about cells; it runs on patches whose features are not kept.

    Args:
        pipeline: Pipeline with the network and the kept features.
        job: Job with at most one prompt, whose region is that of the cells.
        plan: Memory plan to follow.
        cells: Grid of cells on the volume of the job.

    Returns:
        Features and probabilities of the cells, in C order; None if no patch covers any of them.
    """
    scan = pipeline.prepared(job, plan)
    numbers = patches_in(scan, job)
    if not numbers:
        return None
    missing = sum(number not in scan.patches for number in numbers)
    job.on_event(pipeline.estimate(missing, scan, plan))
    job.reporter.expect(missing + _LOOKING * len(numbers) + _DECIDING)

    def features(number: int) -> PatchFeatures:
        job.cancel.raise_if_cancelled()
        found = pipeline.features(scan, number, plan)
        job.reporter.advance(_LOOKING, "decoding")
        return found

    prompts = job.request.prompts
    query = pipeline.queries(prompts, job.request.volume.modality) if prompts else None
    places = canonical_places(cells.indices(), scan.image.original, scan.image.geometry)
    seen = gather(places, scan.grid, numbers, features, pipeline.network, query)
    if missing:
        pipeline.keep_timings()
    return seen
