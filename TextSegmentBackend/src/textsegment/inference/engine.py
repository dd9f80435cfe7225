"""The local engine: SAT in this process.

The U-Net runs once for each patch of a scan, whatever the prompts, and its features are kept. Prompts are
decoded in groups over all patches, so that memory does not grow with the number of prompts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

import textsegment
from textsegment.correction import Correction, Edit
from textsegment.correction.result import propagated
from textsegment.doubt import about_most
from textsegment.effort import WHOLE_IMAGE, Effort
from textsegment.errors import DeviceError, OutOfMemoryError
from textsegment.geometry import Box
from textsegment.inference.device import (
    choose_device,
    computing,
    is_out_of_memory,
    refusing_typed,
    release_memory,
    use_threads,
)
from textsegment.inference.features import FeatureCache
from textsegment.inference.image.grid import ORIENTATIONS
from textsegment.inference.image.patches import FAST_OVERLAP
from textsegment.inference.job import LocalJob
from textsegment.inference.memory import MemoryPlan, cache_bytes, ladder
from textsegment.inference.pipeline import Pipeline
from textsegment.inference.precision import choose_precision
from textsegment.inference.progress import Reporter, watched
from textsegment.inference.prompts import choose_orientation, structures_of
from textsegment.model.config import MODALITY_INDEX
from textsegment.prompt import Prompt
from textsegment.request import Request
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.segmenter import CancelToken, EventCallback, MaskReady, ModelInfo, ignore_events
from textsegment.volume import Volume

if TYPE_CHECKING:
    from textsegment.inference.correct.gather import CellFeatures
    from textsegment.inference.weights.models import LoadedModel


class LocalSegmenter:
    """Segmenter that runs SAT in this process, one request at a time.

    Args:
        model: A loaded model, or its name: ``sat-nano``, ``sat-pro`` or ``sat-demo``.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        precision: Numeric precision of the U-Net: ``auto``, ``fp32``, ``fp16`` or ``bf16``.
        orientation: Axes of the canonical image: ``RAS``, ``ASR``, or ``auto`` (see ``choose_orientation``).
        feature_cache_bytes: Limit in bytes for prepared scans and their features; None for a share of the
            free memory.
        threads: CPU threads that PyTorch uses in the whole process; None for all cores.

    Raises:
        DeviceError: The device does not exist or cannot compute in this precision.
        WeightsError: The weights are missing or invalid.
        OutOfMemoryError: There is not enough memory for the model.
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
        with refusing_typed("this model"):
            if isinstance(model, str):
                from textsegment.inference.weights.models import load_model

                model = load_model(model, device=self.device, dtype=torch.float32)
            self.model = model
            self.network = model.network.to(self.device).eval()
        self.config = self.network.config
        bounds = cache_bytes(self.config, self.device, self.precision, feature_cache_bytes)
        self.cache = FeatureCache(self.device, *bounds)
        self._orientation = orientation
        self._pipeline = Pipeline(self.model, self.device, self.cache)
        self._turn = threading.Lock()

    def info(self) -> ModelInfo:
        """Describe the model and its engine; see ``Segmenter.info``."""
        structures = {m: structures_of(self.model.text_encoder, m) for m in MODALITY_INDEX}
        calibration = self.model.calibration
        return ModelInfo(self.model.name, self.model.digest, self.device.type, structures, calibration)

    def segment(
        self,
        volume: Volume,
        prompts: Sequence[Prompt | str],
        *,
        effort: Effort = WHOLE_IMAGE,
        on_event: EventCallback = ignore_events,
        cancel: CancelToken | None = None,
    ) -> Segmentation:
        """Segment every prompt in the volume; see ``Segmenter.segment``."""
        cancel = cancel or CancelToken()
        request = Request.of(volume, prompts, effort)
        request.require_known(self.info())
        orientation = choose_orientation(self._orientation, volume, request.prompts)
        job = LocalJob(request, orientation, Reporter(on_event), on_event, cancel)
        with self._my_turn(cancel):
            plan = self._run_down_the_ladder(job, self._pipeline.run)
        job.reporter.done()
        masks = tuple(job.masks[prompt] for prompt in request.prompts)
        doubt = about_most(masks, self.model.calibration)
        return Segmentation(
            geometry=volume.geometry,
            masks=masks,
            provenance=self._provenance(job, plan),
            warnings=(*request.warnings, *job.warnings, *([doubt] if doubt else ())),
        )

    def correct(
        self,
        volume: Volume,
        *,
        edits: Sequence[Edit],
        base: StructureMask | None = None,
        prompt: Prompt | str | None = None,
        name: str = "",
        within: Box | None = None,
        on_event: EventCallback = ignore_events,
        cancel: CancelToken | None = None,
    ) -> StructureMask:
        """Carry edits to the rest of the image; see ``Segmenter.correct``."""
        cancel = cancel or CancelToken()
        correction = Correction.of(volume, edits, base=base, prompt=prompt, name=name, within=within)
        self.info().require_known(correction.prompts, volume.modality)
        reporter = Reporter(on_event)
        reporter.advance(0.0, "preparing")
        with self._my_turn(cancel):
            cancel.raise_if_cancelled()
            correction = self._with_base(correction, cancel)
            mask = self._corrected(correction, reporter, on_event, cancel)
        cancel.raise_if_cancelled()
        reporter.done()
        on_event(MaskReady(mask))
        return mask

    def _with_base(self, correction: Correction, cancel: CancelToken) -> Correction:
        """Let the model find the old mask if there is only its prompt."""
        if correction.base is not None or correction.prompt is None:
            return correction
        request = Request.of(correction.volume, correction.prompts)
        orientation = choose_orientation(self._orientation, correction.volume, correction.prompts)
        job = LocalJob(request, orientation, Reporter(ignore_events), ignore_events, cancel)
        self._run_down_the_ladder(job, self._pipeline.run)
        return correction.with_base(job.masks[correction.prompt])

    def _corrected(
        self, correction: Correction, reporter: Reporter, on_event: EventCallback, cancel: CancelToken
    ) -> StructureMask:
        from textsegment.inference.correct.cells import CellGrid
        from textsegment.inference.correct.corrector import Corrector
        from textsegment.inference.correct.network_view import seen_by_network

        region = correction.region()
        if region is None:
            return propagated(correction)
        cells = CellGrid.over(region, correction.volume.geometry)
        corrector = Corrector(correction, cells)
        seen: list[CellFeatures | None] = []

        def work(job: LocalJob, plan: MemoryPlan) -> None:
            seen.append(seen_by_network(self._pipeline, job, plan, cells))

        try:
            self._run_down_the_ladder(self._view(correction, region, reporter, on_event, cancel), work)
        except OutOfMemoryError:
            seen.append(None)
        return corrector.mask(seen[-1])

    def _view(
        self,
        correction: Correction,
        region: Box,
        reporter: Reporter,
        on_event: EventCallback,
        cancel: CancelToken,
    ) -> LocalJob:
        """Return a job for the features of a region: of a kind that is kept already, if there is one."""
        usual = choose_orientation(self._orientation, correction.volume, correction.prompts)
        jobs = [
            LocalJob(
                Request(correction.volume, correction.prompts, (), Effort(region, fast)),
                orientation,
                reporter,
                on_event,
                cancel,
            )
            for orientation in dict.fromkeys((usual, *ORIENTATIONS))
            for fast in (False, True)
        ]
        return next((job for job in jobs if self._pipeline.knows(job)), jobs[0])

    @contextmanager
    def _my_turn(self, cancel: CancelToken) -> Iterator[None]:
        while not self._turn.acquire(timeout=0.1):
            cancel.raise_if_cancelled()
        try:
            yield
        finally:
            self._turn.release()

    def _run_down_the_ladder(self, job: LocalJob, work: Callable[[LocalJob, MemoryPlan], None]) -> MemoryPlan:
        for plan in ladder(self.device, self.precision):
            try:
                if not plan.keeps_features:
                    self.cache.clear()
                with computing(self.device, torch.float32), watched(self.network, self._hook(job)):
                    work(job, plan)
                return plan
            except (RuntimeError, MemoryError, OSError) as error:
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
    def _hook(job: LocalJob) -> Any:
        def on_work(share: float) -> None:
            job.cancel.raise_if_cancelled()
            job.reporter.advance(share, "encoding")

        return on_work

    def _provenance(self, job: LocalJob, plan: MemoryPlan) -> dict[str, Any]:
        return {
            "model": self.model.name,
            "weights_sha256": self.model.digest,
            "version": textsegment.__version__,
            "device": self.device.type,
            "precision": str(plan.precision).removeprefix("torch."),
            "spacing_mm": self.config.spacing,
            "orientation": job.orientation,
            **({} if job.midline_mm is None else {"midline_mm": round(job.midline_mm, 1)}),
            **_effort_of(job),
            **_calibration_of(self.model),
        }


def _calibration_of(model: LoadedModel) -> dict[str, Any]:
    return {} if model.calibration is None else {"calibration": model.calibration.to_values()}


def _effort_of(job: LocalJob) -> dict[str, Any]:
    effort = job.request.effort
    region = {} if effort.region is None else {"region": (*effort.region.start, *effort.region.stop)}
    fast = {"overlap": FAST_OVERLAP} if effort.fast else {}
    return region | fast | ({"check": True} if effort.check else {})
