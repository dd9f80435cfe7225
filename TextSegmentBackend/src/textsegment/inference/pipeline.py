"""Pipeline of a job: prepare the scan, encode its patches, decode prompts in groups, and restore masks."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from textsegment.inference.accumulate import Accumulator, ProbabilityBox
from textsegment.inference.decode import decode_patch
from textsegment.inference.device import CPU, free_bytes
from textsegment.inference.encode import encode_patch
from textsegment.inference.features import FeatureCache, PreparedScan
from textsegment.inference.image.canonical import to_canonical
from textsegment.inference.image.grid import box_on
from textsegment.inference.image.intensity import normalize
from textsegment.inference.image.patches import FAST_OVERLAP, OVERLAP, PatchGrid, cut_patch, patch_weight
from textsegment.inference.image.restore import restore_mask
from textsegment.inference.job import LocalJob
from textsegment.inference.measure.coarse import CoarseDecoder
from textsegment.inference.measure.context import MaskContext
from textsegment.inference.measure.shift import shifted
from textsegment.inference.memory import (
    MemoryPlan,
    accumulator_bytes,
    features_bytes,
    group_size,
    unet_bytes,
)
from textsegment.inference.prompts import structures_of
from textsegment.inference.timings import PatchTimings
from textsegment.model.sat import PatchFeatures
from textsegment.prompt import Prompt
from textsegment.segmenter import Estimated, MaskReady

if TYPE_CHECKING:
    from textsegment.inference.weights.models import LoadedModel

# Work besides the convolutions, in units of the U-Net on one patch, for the progress bar.
_PREPARING, _DECODING, _FINISHING = 0.05, 0.02, 0.01


class Pipeline:
    """Pipeline that runs jobs one at a time and keeps features and queries for later jobs.

    Args:
        model: Model whose network is on the device, in evaluation mode.
        device: Device on which the network computes.
        cache: Cache of prepared scans and their features.

    Attributes:
        network: Network of the model.
    """

    def __init__(self, model: LoadedModel, device: torch.device, cache: FeatureCache) -> None:
        self._model = model
        self.network = model.network
        self._config = model.network.config
        self._device = device
        self._cache = cache
        self._queries: dict[tuple[str, str], Tensor] = {}
        self._timings = PatchTimings(self.network, model.digest, device)

    def run(self, job: LocalJob, plan: MemoryPlan) -> None:
        """Compute the missing masks of a job; after a failure, it may be called again with another plan."""
        scan = self.prepared(job, plan)
        queries = self.queries(job.request.prompts, job.request.volume.modality)
        embeddings: dict[int, Tensor] = {}
        groups = self._groups(job.missing, scan.grid, plan, once=job.request.effort.check)
        numbers = patches_in(scan, job)
        patches = len(numbers)
        to_encode = sum(number not in scan.patches for number in numbers)
        context = MaskContext(scan, job.request, self._offered(job.request.volume.modality))
        moved = _shifted(scan) if job.request.effort.check else None
        again = 0 if moved is None else patches * len(groups)
        job.on_event(self.estimate(to_encode + again, scan, plan))
        rounds = len(groups) * (1 if moved is None else 2)
        job.reporter.expect(to_encode + again + _DECODING * patches * rounds + _FINISHING * len(job.missing))
        for group, device in groups:
            rows = [job.request.prompts.index(prompt) for prompt in group]
            coarse = self._coarse_decoder(context, scan, plan)
            found = self._probabilities(job, scan, rows, device, embeddings, queries, plan, coarse)
            if coarse is not None:
                context.add(coarse.finish())
            second: list[tuple[ProbabilityBox | None, ...]] = [()] * len(group)
            if moved is not None:
                probabilities = self._probabilities(job, moved, rows, device, {}, queries, plan)
                second = [(probability,) for probability in probabilities]
            self._finish(job, scan, group, found, second, context)
        job.midline_mm = context.midline_mm
        job.warnings += context.warnings
        if to_encode:
            self.keep_timings()

    def keep_timings(self) -> None:
        """Remember how long patches took, for the estimates of later jobs."""
        self._timings.keep()

    def knows(self, job: LocalJob) -> bool:
        """Return whether features of this volume, orientation and overlap are kept."""
        scan = self._cache.get(self._key(job))
        return scan is not None and bool(scan.patches)

    def estimate(self, patches: int, scan: PreparedScan, plan: MemoryPlan) -> Estimated:
        """Estimate what it takes to encode a number of patches of a scan."""
        one = self._timings.seconds(plan.precision) if patches else 0.0
        stored = self._storable(scan.grid, plan) if plan.keeps_features else None
        kept = 0 if stored is None else features_bytes(self._config, stored) * len(scan.grid.boxes)
        busy = unet_bytes(self._config, self._device, plan.precision) if patches else 0
        weights = sum(parameter.nbytes for parameter in self.network.parameters())
        memory = weights + busy + kept + accumulator_bytes(self._config, plan.precision)
        return Estimated(patches, None if one is None else one * patches, memory)

    def _probabilities(
        self,
        job: LocalJob,
        scan: PreparedScan,
        rows: list[int],
        device: torch.device,
        embeddings: dict[int, Tensor],
        queries: Tensor,
        plan: MemoryPlan,
        coarse: CoarseDecoder | None = None,
    ) -> list[ProbabilityBox | None]:
        """Average the probabilities of some prompts over all patches.

        Args:
            job: Job that is being run.
            scan: Prepared scan of the job.
            rows: Indices of the prompts in the job.
            device: Device on which probabilities are summed.
            embeddings: Mask embeddings of all prompts, keyed by index of the patch; missing ones are added.
            queries: Queries of all prompts.
            plan: Memory plan to follow.
            coarse: Decoder of further prompts on the coarse grid.
        """
        accumulator = Accumulator(len(rows), scan.grid, device)
        weight = torch.tensor(patch_weight(scan.grid.patch_size), device=device)
        for number in patches_in(scan, job):
            box = scan.grid.boxes[number]
            job.cancel.raise_if_cancelled()
            features = self.features(scan, number, plan)
            if number not in embeddings:
                embeddings[number] = self.network.mask_embeddings(features, queries)
            here = weight[tuple(slice(n) for n in box.shape)]
            accumulator.begin_patch(box, here)
            pixels = features.pixel_features
            decode_patch(pixels, embeddings[number][rows], box, here, accumulator, plan.block_bytes)
            if coarse is not None:
                coarse.add(box, features, plan.block_bytes)
            job.reporter.advance(_DECODING, "decoding")
        return accumulator.finish()

    def _coarse_decoder(
        self, context: MaskContext, scan: PreparedScan, plan: MemoryPlan
    ) -> CoarseDecoder | None:
        if not context.missing:
            return None
        queries = self.queries([Prompt(name) for name in context.missing], scan.image.modality)
        device = plan.accumulates_on
        return CoarseDecoder(context.missing, queries, self.network, scan.grid, context.step, device)

    def _offered(self, modality: str) -> frozenset[str]:
        return frozenset(structures_of(self._model.text_encoder, modality))

    def prepared(self, job: LocalJob, plan: MemoryPlan) -> PreparedScan:
        """Return the scan of a job, prepared for the network and kept if the plan says so."""
        key = self._key(job)
        scan = self._cache.get(key)
        if scan is None:
            job.reporter.expect(1.0)
            job.reporter.advance(0.0, "preparing")
            job.cancel.raise_if_cancelled()
            image = to_canonical(
                job.request.volume, spacing=self._config.spacing, orientation=job.orientation
            )
            image = replace(image, voxels=normalize(image.voxels, image.modality))
            grid = PatchGrid(image.geometry.spatial_shape, self._config.patch_size, _overlap(job))
            scan = PreparedScan(image, grid)
            job.reporter.advance(_PREPARING, "preparing")
            if plan.keeps_features:
                self._cache.put(key, scan)
        job.warnings = scan.image.warnings
        return scan

    def _key(self, job: LocalJob) -> Hashable:
        return (job.request.volume.fingerprint, self._model.digest, job.orientation, _overlap(job))

    def queries(self, prompts: Sequence[Prompt], modality: str) -> Tensor:
        """Return the queries (N, width) on the device; each prompt is encoded once per engine."""
        new = [p.text for p in prompts if (p.text, modality) not in self._queries]
        if new:
            encoded = self._model.text_encoder.encode(new, modality)
            self._queries.update(((text, modality), query) for text, query in zip(new, encoded, strict=True))
        return torch.stack([self._queries[p.text, modality] for p in prompts]).float().to(self._device)

    def _groups(
        self, prompts: list[Prompt], grid: PatchGrid, plan: MemoryPlan, *, once: bool
    ) -> list[tuple[list[Prompt], torch.device]]:
        """Split prompts into groups whose sums fit in memory, and choose the device on which to sum them.

        If not all features can be kept, or features are used ``once``, the U-Net runs again for every group,
        so groups are then as large as memory allows.
        """
        device, budget = plan.accumulates_on, accumulator_bytes(self._config, plan.precision)
        if once or not (plan.keeps_features and self._storable(grid, plan) is not None):
            budget = max(budget, free_bytes(device) // 2)
            if group_size(len(prompts), grid, budget) < len(prompts):
                device, budget = CPU, max(budget, free_bytes(CPU) // 2)
        size = group_size(len(prompts), grid, budget) if prompts else 1
        return [(prompts[n : n + size], device) for n in range(0, len(prompts), size)]

    def _storable(self, grid: PatchGrid, plan: MemoryPlan) -> torch.dtype | None:
        """Return the data type in which the features of all patches fit the cache, or None."""
        for dtype in (plan.precision, torch.float16):
            if features_bytes(self._config, dtype) * len(grid.boxes) * 1.01 <= self._cache.capacity:
                return dtype
        return None

    def features(self, scan: PreparedScan, number: int, plan: MemoryPlan) -> PatchFeatures:
        """Return the features of a patch, which is encoded if they are not kept."""
        kept = self._cache.patch(scan, number)
        if kept is not None:
            return kept
        patch = cut_patch(scan.image.voxels, scan.grid.boxes[number], scan.grid.patch_size)
        begin = perf_counter()
        features = encode_patch(self.network, patch, self._device, plan.precision)
        self._timings.note(plan.precision, perf_counter() - begin)
        if plan.keeps_features:
            half = self._storable(scan.grid, plan) != plan.precision
            self._cache.keep_patch(scan, number, features, half=half)
        return features

    def _finish(
        self,
        job: LocalJob,
        scan: PreparedScan,
        group: list[Prompt],
        found: list[ProbabilityBox | None],
        second: list[tuple[ProbabilityBox | None, ...]],
        context: MaskContext,
    ) -> None:
        for prompt, probability, again in zip(group, found, second, strict=True):
            job.cancel.raise_if_cancelled()
            mask = restore_mask(
                prompt.text, probability, scan.image, job.request.volume, within=job.request.looked_at
            )
            if not mask.statistics.is_empty:
                measured = context.measure(prompt.text, probability, again)
                mask = replace(mask, statistics=replace(mask.statistics, **measured))
            job.masks[prompt] = mask
            job.reporter.advance(_FINISHING, "finishing")
            job.on_event(MaskReady(mask))


def _shifted(scan: PreparedScan) -> PreparedScan:
    """Return the scan moved by half a voxel; its features are not kept."""
    return PreparedScan(replace(scan.image, voxels=shifted(scan.image.voxels)), scan.grid)


def _overlap(job: LocalJob) -> float:
    return FAST_OVERLAP if job.request.effort.fast else OVERLAP


def patches_in(scan: PreparedScan, job: LocalJob) -> list[int]:
    """Return the indices of the required patches: those that touch the region to segment."""
    region = job.request.effort.region
    if region is None:
        return list(range(len(scan.grid.boxes)))
    needed = box_on(scan.image.geometry, scan.image.original, region)
    return [n for n, box in enumerate(scan.grid.boxes) if 0 not in box.intersection(needed).shape]
