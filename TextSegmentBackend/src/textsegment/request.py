"""Requests: one volume and the structures to segment in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textsegment.caution import Caution
from textsegment.effort import WHOLE_IMAGE, Effort
from textsegment.geometry import Box
from textsegment.prompt import Prompt, unique_prompts
from textsegment.segmenter import ModelInfo
from textsegment.volume import Volume

_MERGED = "Structures that were asked for twice are given once."


@dataclass(frozen=True, eq=False)
class Request:
    """A validated segmentation request, which every engine builds from its arguments.

    Attributes:
        volume: Scan to segment; its voxels have been checked.
        prompts: Structures to segment: at least one, without duplicates.
        warnings: Messages for the user that are known before anything is computed.
        effort: How much of the volume is processed; its region lies inside the volume.

    Example:
        >>> from textsegment.testing import phantom
        >>> request = Request.of(phantom(), ["liver", "Left  kidney", "liver"])
        >>> [prompt.text for prompt in request.prompts]
        ['liver', 'left kidney']
        >>> request.warnings
        ('Structures that were asked for twice are given once.',)
    """

    volume: Volume
    prompts: tuple[Prompt, ...]
    warnings: tuple[str, ...]
    effort: Effort = WHOLE_IMAGE

    @classmethod
    def of(cls, volume: Volume, prompts: Sequence[Prompt | str], effort: Effort = WHOLE_IMAGE) -> Request:
        """Validate a volume and prompts, and return them as a request.

        Raises:
            VolumeInvalidError: A voxel is NaN, infinite or absurdly large, or the image is constant.
            PromptError: There are no prompts, or one of them is invalid.
            LimitExceededError: A prompt is too long.
            GeometryError: The region to process lies outside the volume, or the voxel size is impossible.
        """
        warnings = volume.require_segmentable()
        each_once = unique_prompts(prompts)
        merged = (_MERGED,) if len(prompts) > len(each_once) else ()
        effort = effort.within(volume.geometry.spatial_shape)
        return cls(volume, each_once, (*warnings, *merged, *_said_of(effort)), effort)

    @property
    def looked_at(self) -> Box:
        """Box of the voxels to process: the region, or the whole volume."""
        return self.effort.region or Box((0, 0, 0), self.volume.geometry.spatial_shape)

    def require_known(self, model: ModelInfo) -> None:
        """Check that a model can handle this request; see ``ModelInfo.require_known``."""
        model.require_known(self.prompts, self.volume.modality)


def _said_of(effort: Effort) -> tuple[Caution, ...]:
    region = () if effort.region is None else (Caution("region_only"),)
    return (*region, Caution("fast")) if effort.fast else region
