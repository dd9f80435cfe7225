"""Test helpers: a segmenter without a neural network, and phantom volumes."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from textsegment.caution import Caution
from textsegment.correction import Correction, Edit
from textsegment.correction.result import propagated
from textsegment.effort import WHOLE_IMAGE, Effort
from textsegment.geometry import Box, Geometry
from textsegment.prompt import Prompt
from textsegment.request import Request
from textsegment.segmentation import MaskStatistics, Segmentation, StructureMask
from textsegment.segmenter import (
    CancelToken,
    EventCallback,
    MaskReady,
    ModelInfo,
    Progress,
    ignore_events,
)
from textsegment.vocabulary.structures import known_in
from textsegment.volume import Volume

_CONFIDENCE = 0.75


class FakeSegmenter:
    """Segmenter that finds a ball for every structure, placed according to its name alone.

    Balls are round in millimetres and centred at fixed fractions of the image, so that a test can predict
    them with ``ball``. ``spleen`` is never found.

    Args:
        seconds: Time that each structure takes, in seconds.
        structures: Supported prompts by modality code; None for those of the vocabulary.
    """

    def __init__(self, seconds: float = 0.0, structures: Mapping[str, Sequence[str]] | None = None) -> None:
        self._seconds = seconds
        given = structures or {modality: known_in(modality) for modality in ("CT", "MR", "PT")}
        self._structures = {modality: tuple(names) for modality, names in given.items()}

    def info(self) -> ModelInfo:
        """Return a description of the fake model; see ``Segmenter.info``."""
        return ModelInfo("fake", "0" * 64, "cpu", self._structures)

    def segment(
        self,
        volume: Volume,
        prompts: Sequence[Prompt | str],
        *,
        effort: Effort = WHOLE_IMAGE,
        on_event: EventCallback = ignore_events,
        cancel: CancelToken | None = None,
    ) -> Segmentation:
        """Find a ball for every prompt; see ``Segmenter.segment``."""
        cancel = cancel or CancelToken()
        request = Request.of(volume, prompts, effort)
        request.require_known(self.info())
        on_event(Progress(0.0, "preparing"))
        masks = []
        for count, prompt in enumerate(request.prompts, start=1):
            self._work(cancel)
            masks.append(_found(prompt.text, request))
            on_event(Progress(count / len(request.prompts), "finishing"))
            on_event(MaskReady(masks[-1]))
        return Segmentation(volume.geometry, tuple(masks), {"model": "fake"}, request.warnings)

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
        """Carry edits to the rest of the image by their shape; see ``Segmenter.correct``."""
        cancel = cancel or CancelToken()
        correction = Correction.of(volume, edits, base=base, prompt=prompt, name=name, within=within)
        self.info().require_known(correction.prompts, volume.modality)
        on_event(Progress(0.0, "preparing"))
        self._work(cancel)
        if correction.base is None and correction.prompt is not None:
            request = Request.of(volume, correction.prompts)
            correction = correction.with_base(_found(correction.prompt.text, request))
        mask = propagated(correction)
        cancel.raise_if_cancelled()
        on_event(Progress(1.0, "finishing"))
        on_event(MaskReady(mask))
        return mask

    def _work(self, cancel: CancelToken) -> None:
        cancel.raise_if_cancelled()
        end = time.monotonic() + self._seconds
        while (left := end - time.monotonic()) > 0:
            cancel.wait(min(left, 0.01))
            cancel.raise_if_cancelled()


def ball(structure: str, geometry: Geometry) -> NDArray[np.bool_]:
    """Return the mask that ``FakeSegmenter`` produces, as a boolean array ``[i, j, k]`` on the whole grid."""
    mask = np.zeros(geometry.spatial_shape, dtype=bool)
    if structure == "spleen":
        return mask
    seed = hashlib.sha256(structure.encode()).digest()
    centre = [
        (0.3 + 0.4 * byte / 255) * (n - 1) for byte, n in zip(seed, geometry.spatial_shape, strict=False)
    ]
    extents = [n * s for n, s in zip(geometry.spatial_shape, geometry.spacing, strict=True)]
    radius_mm = min(extents) * (0.15 + 0.1 * seed[3] / 255)
    squares = [
        ((np.arange(n) - c) * s) ** 2
        for n, c, s in zip(geometry.spatial_shape, centre, geometry.spacing, strict=True)
    ]
    mask[:] = squares[0][:, None, None] + squares[1][:, None] + squares[2] <= radius_mm**2
    return mask


def phantom(
    spatial_shape: tuple[int, int, int] = (40, 36, 24),
    affine: NDArray[np.float64] | None = None,
    modality: str = "CT",
) -> Volume:
    """Return a small volume whose voxels are all different, so that no flip or shift goes unnoticed.

    The values range from air to soft bone in Hounsfield units, as in a CT.

    Args:
        spatial_shape: Number of voxels along (i, j, k).
        affine: 4×4 matrix from voxel indices to RAS millimetres; None for an oblique, mirrored grid of 2 × 2
            × 3 mm.
        modality: DICOM modality code.
    """
    if affine is None:
        angle = math.radians(12)
        affine = np.array(
            [
                [-2 * math.cos(angle), 2 * math.sin(angle), 0, 35],
                [-2 * math.sin(angle), -2 * math.cos(angle), 0, 20],
                [0, 0, 3, -40],
                [0, 0, 0, 1.0],
            ]
        )
    voxels = np.linspace(-1000, 600, math.prod(spatial_shape), dtype=np.float32).reshape(spatial_shape)
    return Volume(voxels, Geometry(spatial_shape, affine), modality)


def _found(structure: str, request: Request) -> StructureMask:
    volume, seen = request.volume, request.looked_at
    whole = np.zeros(volume.geometry.spatial_shape, dtype=bool)
    whole[seen.slices] = ball(structure, volume.geometry)[seen.slices]
    box = Box.around(whole)
    if box is None:
        empty = MaskStatistics(0, 0.0, math.nan, math.nan, False)
        nothing = Box((0, 0, 0), (0, 0, 0))
        return StructureMask(
            structure, nothing, whole[nothing.slices], empty, (Caution("not_found", structure=structure),)
        )
    mask = whole[box.slices].copy()
    count = int(mask.sum())
    statistics = MaskStatistics(
        voxel_count=count,
        volume_ml=count * volume.geometry.voxel_volume_ml,
        mean_intensity=float(volume.voxels[box.slices][mask].mean()),
        mean_confidence=_CONFIDENCE,
        touches_border=box.reaches(seen),
        shift_agreement=1.0 if request.effort.check else math.nan,
    )
    return StructureMask(structure, box, mask, statistics)
