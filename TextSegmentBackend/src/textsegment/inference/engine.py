"""The local engine: SAT in this process.

The U-Net runs once a patch of a scan, whatever is asked; its features are kept. Prompts are decoded in groups
over all patches, so that memory does not grow with their number.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

import textsegment
from textsegment.errors import DeviceError, OutOfMemoryError
from textsegment.geometry import Box
from textsegment.inference.accumulate import Accumulator, ProbabilityBox
from textsegment.inference.canonical import to_canonical
from textsegment.inference.decode import decode_patch
from textsegment.inference.device import (
    CPU,
    choose_device,
    choose_precision,
    computing,
    free_bytes,
    is_out_of_memory,
    release_memory,
    use_threads,
)
from textsegment.inference.encode import encode_patch
from textsegment.inference.features import FeatureCache, PreparedScan
from textsegment.inference.grid import ORIENTATIONS
from textsegment.inference.intensity import normalize
from textsegment.inference.memory import (
    Plan,
    accumulator_bytes,
    cache_bytes,
    features_bytes,
    group_size,
    ladder,
)
from textsegment.inference.patches import PatchGrid, cut_patch, patch_weight
from textsegment.inference.progress import Reporter, watched
from textsegment.inference.prompts import check_prompts, choose_orientation, structures_of
from textsegment.inference.restore import restore_mask
from textsegment.model.config import MODALITY_INDEX
from textsegment.model.sat import PatchFeatures
from textsegment.prompt import Prompt
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.segmenter import CancelToken, EventCallback, MaskReady, ModelInfo, ignore_events
from textsegment.volume import Volume

if TYPE_CHECKING:
    from textsegment.inference.weights import LoadedModel

# Work in convolutions of one patch: what else a request does, for the progress bar.
_PREPARING, _DECODING, _FINISHING = 0.05, 0.02, 0.01


@dataclass(eq=False)
class _Job:
    """One request on its way."""

    volume: Volume
    prompts: tuple[Prompt, ...]
    orientation: str
    reporter: Reporter
    on_event: EventCallback
    cancel: CancelToken
    masks: dict[Prompt, StructureMask] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def missing(self) -> list[Prompt]:
        return [prompt for prompt in self.prompts if prompt not in self.masks]


class LocalSegmenter:
    """Segmenter that runs SAT in this process; requests take turns.

    Args:
        model: A loaded model, or the name of one: ``sat-nano``, ``sat-pro``, ``sat-demo``.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        precision: Numbers of the U-Net: ``auto``, ``fp32``, ``fp16``, ``bf16``.
        orientation: Axes of the canonical image: ``RAS``, ``ASR``, or ``auto`` (see ``choose_orientation``).
        feature_cache_bytes: Bound for what is kept of scans; None for a share of the free memory.
        threads: CPU threads of PyTorch, in the whole process; None for all cores.

    Raises:
        DeviceError: The device is not there, or cannot compute in this precision.
        WeightsError: The weights are missing or wrong.
    """

    def __init__(
        self,
        model: LoadedModel | str = "sat-demo",
        *,
        device: str = "auto",
        precision: str = "auto",
        orientation: str = "auto",
        feature_cache_bytes: int | None = None,
        threads: int | None = None,
    ) -> None:
        if orientation not in ("auto", *ORIENTATIONS):
            raise ValueError(f"orientation is auto, {' or '.join(ORIENTATIONS)}")
        if threads is not None:
            use_threads(threads)
        self.device = choose_device(device)
        self.precision = choose_precision(precision, self.device)
        if isinstance(model, str):
            from textsegment.inference.weights import load_model

            model = load_model(model, device=self.device, dtype=torch.float32)
        self.model = model
        self.network = model.network.to(self.device).eval()
        self.config = self.network.config
        bounds = cache_bytes(self.config, self.device, self.precision, feature_cache_bytes)
        self.cache = FeatureCache(self.device, *bounds)
        self._orientation = orientation
        self._queries: dict[tuple[str, str], Tensor] = {}
        self._turn = threading.Lock()

    def info(self) -> ModelInfo:
        """Say what answers; see ``Segmenter.info``."""
        structures = {m: structures_of(self.model.text_encoder, m) for m in MODALITY_INDEX}
        return ModelInfo(self.model.name, self.model.digest, self.device.type, structures)

    def segment(
        self,
        volume: Volume,
        prompts: Sequence[Prompt | str],
        *,
        on_event: EventCallback = ignore_events,
        cancel: CancelToken | None = None,
    ) -> Segmentation:
        """Segment every prompt in the volume; see ``Segmenter.segment``."""
        cancel = cancel or CancelToken()
        warnings = volume.require_segmentable()
        wanted, merged = check_prompts(prompts, volume.modality, self.model.text_encoder)
        orientation = choose_orientation(self._orientation, volume, wanted)
        job = _Job(volume, wanted, orientation, Reporter(on_event), on_event, cancel)
        with self._my_turn(cancel):
            plan = self._run_down_the_ladder(job)
        job.reporter.done()
        return Segmentation(
            geometry=volume.geometry,
            masks=tuple(job.masks[prompt] for prompt in wanted),
            provenance=self._provenance(job, plan),
            warnings=(*warnings, *merged, *job.warnings),
        )

    @contextmanager
    def _my_turn(self, cancel: CancelToken) -> Iterator[None]:
        while not self._turn.acquire(timeout=0.1):
            cancel.raise_if_cancelled()
        try:
            yield
        finally:
            self._turn.release()

    def _run_down_the_ladder(self, job: _Job) -> Plan:
        for plan in ladder(self.device, self.precision):
            try:
                if not plan.keeps_features:
                    self.cache.clear()
                with computing(self.device, torch.float32), watched(self.network, self._hook(job)):
                    self._run(job, plan)
                return plan
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    if isinstance(error, torch.AcceleratorError):
                        raise DeviceError("The device failed.", "Restart, or use --device cpu.") from error
                    raise
            release_memory(self.device)
        raise OutOfMemoryError(
            "The memory does not suffice for one patch of this model.",
            "Use a smaller model, another device, or close other programs.",
        )

    @staticmethod
    def _hook(job: _Job) -> Any:
        def on_work(share: float) -> None:
            job.cancel.raise_if_cancelled()
            job.reporter.advance(share, "encoding")

        return on_work

    def _run(self, job: _Job, plan: Plan) -> None:
        scan = self._prepared(job, plan)
        queries = self._embedded(job.prompts, job.volume.modality)
        embeddings: dict[int, Tensor] = {}
        groups = self._groups(job.missing, scan.grid, plan)
        patches = len(scan.grid.boxes)
        to_encode = patches - len(scan.patches)
        job.reporter.expect(to_encode + _DECODING * patches * len(groups) + _FINISHING * len(job.missing))
        for group, device in groups:
            rows = [job.prompts.index(prompt) for prompt in group]
            found = self._probabilities(job, scan, rows, device, embeddings, queries, plan)
            self._finish(job, scan, group, found)

    def _probabilities(
        self,
        job: _Job,
        scan: PreparedScan,
        rows: list[int],
        device: torch.device,
        embeddings: dict[int, Tensor],
        queries: Tensor,
        plan: Plan,
    ) -> list[ProbabilityBox | None]:
        """Average the probabilities of some prompts over all patches.

        Args:
            job: The request.
            scan: Its scan.
            rows: The prompts, by number in the job.
            device: Where they are summed.
            embeddings: Mask embeddings of all prompts by number of the patch; missing ones are added.
            queries: Queries of all prompts.
            plan: How it is run.
        """
        accumulator = Accumulator(len(rows), scan.grid, device)
        weight = torch.tensor(patch_weight(scan.grid.patch_size), device=device)
        for number, box in enumerate(scan.grid.boxes):
            job.cancel.raise_if_cancelled()
            features = self._features(scan, number, box, plan)
            if number not in embeddings:
                embeddings[number] = self.network.mask_embeddings(features, queries)
            here = weight[tuple(slice(n) for n in box.shape)]
            accumulator.begin_patch(box, here)
            pixels = features.pixel_features
            decode_patch(pixels, embeddings[number][rows], box, here, accumulator, plan.block_bytes)
            job.reporter.advance(_DECODING, "decoding")
        return accumulator.finish()

    def _prepared(self, job: _Job, plan: Plan) -> PreparedScan:
        key: Hashable = (job.volume.digest, self.model.digest, job.orientation)
        scan = self.cache.get(key)
        if scan is None:
            job.reporter.expect(1.0)
            job.reporter.advance(0.0, "preparing")
            job.cancel.raise_if_cancelled()
            image = to_canonical(job.volume, spacing=self.config.spacing, orientation=job.orientation)
            image = replace(image, voxels=normalize(image.voxels, image.modality))
            scan = PreparedScan(image, PatchGrid(image.geometry.spatial_shape, self.config.patch_size))
            job.reporter.advance(_PREPARING, "preparing")
            if plan.keeps_features:
                self.cache.put(key, scan)
        job.warnings = scan.image.warnings
        return scan

    def _embedded(self, prompts: tuple[Prompt, ...], modality: str) -> Tensor:
        """Return the queries (N, width) on the device; a prompt is encoded once in the life of the engine."""
        new = [p.text for p in prompts if (p.text, modality) not in self._queries]
        if new:
            encoded = self.model.text_encoder.encode(new, modality)
            self._queries.update(((text, modality), query) for text, query in zip(new, encoded, strict=True))
        return torch.stack([self._queries[p.text, modality] for p in prompts]).float().to(self.device)

    def _groups(
        self, prompts: list[Prompt], grid: PatchGrid, plan: Plan
    ) -> list[tuple[list[Prompt], torch.device]]:
        """Split prompts so that their sums fit, and say where they are summed.

        Without all features at hand every group costs the U-Net again: then as many as memory holds.
        """
        device, budget = plan.accumulates_on, accumulator_bytes(self.config, plan.precision)
        if not (plan.keeps_features and self._storable(grid, plan) is not None):
            budget = max(budget, free_bytes(device) // 2)
            if group_size(len(prompts), grid, budget) < len(prompts):
                device, budget = CPU, max(budget, free_bytes(CPU) // 2)
        size = group_size(len(prompts), grid, budget) if prompts else 1
        return [(prompts[n : n + size], device) for n in range(0, len(prompts), size)]

    def _storable(self, grid: PatchGrid, plan: Plan) -> torch.dtype | None:
        """Return the type in which the features of all patches fit the cache, or None."""
        for dtype in (plan.precision, torch.float16):
            if features_bytes(self.config, dtype) * len(grid.boxes) * 1.01 <= self.cache.capacity:
                return dtype
        return None

    def _features(self, scan: PreparedScan, number: int, box: Box, plan: Plan) -> PatchFeatures:
        kept = self.cache.patch(scan, number)
        if kept is not None:
            return kept
        patch = cut_patch(scan.image.voxels, box, scan.grid.patch_size)
        features = encode_patch(self.network, patch, self.device, plan.precision)
        if plan.keeps_features:
            half = self._storable(scan.grid, plan) != plan.precision
            self.cache.keep_patch(scan, number, features, half=half)
        return features

    def _finish(
        self, job: _Job, scan: PreparedScan, group: list[Prompt], found: list[ProbabilityBox | None]
    ) -> None:
        for prompt, probability in zip(group, found, strict=True):
            job.cancel.raise_if_cancelled()
            mask = restore_mask(prompt.text, probability, scan.image, job.volume)
            job.masks[prompt] = mask
            job.reporter.advance(_FINISHING, "finishing")
            job.on_event(MaskReady(mask))

    def _provenance(self, job: _Job, plan: Plan) -> dict[str, Any]:
        return {
            "model": self.model.name,
            "weights_sha256": self.model.digest,
            "version": textsegment.__version__,
            "device": self.device.type,
            "precision": str(plan.precision).removeprefix("torch."),
            "spacing_mm": self.config.spacing,
            "orientation": job.orientation,
        }
