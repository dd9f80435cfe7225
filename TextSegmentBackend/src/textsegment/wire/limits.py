"""Limits of what a server accepts, published in ``/v1/info``."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields

from textsegment.caution import Caution
from textsegment.errors import LimitExceededError
from textsegment.prompt import MAX_PROMPT_CHARACTERS
from textsegment.wire.strict_json import Fields

_MOST = 2**48


@dataclass(frozen=True)
class Limits:
    """Upper bounds for one request.

    Attributes:
        max_volume_bytes: Number of voxels times bytes per voxel, before compression.
        max_voxels: Number of voxels in a volume.
        max_prompts: Number of prompts in a request, before duplicates are merged.
        max_prompt_characters: Characters in a prompt; at most the 200 that ``Prompt`` allows.
        max_request_bytes: Bytes in the body of a segmentation request.
    """

    max_volume_bytes: int = 2**31
    max_voxels: int = 2**29
    max_prompts: int = 512
    max_prompt_characters: int = MAX_PROMPT_CHARACTERS
    max_request_bytes: int = 2**20

    def __post_init__(self) -> None:
        if any(not 1 <= getattr(self, f.name) <= _MOST for f in fields(self)):
            raise ValueError(f"a limit is from 1 to {_MOST}")
        if self.max_prompt_characters > MAX_PROMPT_CHARACTERS:
            raise ValueError(f"no prompt is longer than {MAX_PROMPT_CHARACTERS} characters")

    @property
    def max_upload_bytes(self) -> int:
        """Largest size of an upload body in bytes; incompressible voxels grow by less than 1/64."""
        return self.max_volume_bytes + self.max_volume_bytes // 64 + 4096

    def require_volume(self, spatial_shape: tuple[int, int, int], voxel_bytes: int) -> None:
        """Check the declared size of a volume before anything is allocated.

        Raises:
            LimitExceededError: The volume has too many voxels or bytes.
        """
        voxels = math.prod(spatial_shape)
        if voxels > self.max_voxels or voxels * voxel_bytes > self.max_volume_bytes:
            raise LimitExceededError(
                Caution("limit_volume", most_voxels=self.max_voxels, most_bytes=self.max_volume_bytes),
                "Crop or resample it, or ask the operator of the server.",
            )

    def require_prompts(self, texts: tuple[str, ...]) -> None:
        """Check the number and length of prompts.

        Raises:
            LimitExceededError: There are too many prompts, or one is too long.
        """
        if len(texts) > self.max_prompts:
            raise LimitExceededError(
                Caution("limit_prompts", count=len(texts), most=self.max_prompts),
                "Ask in several requests.",
            )
        if any(len(text) > self.max_prompt_characters for text in texts):
            raise LimitExceededError(Caution("limit_prompt_length", most=self.max_prompt_characters))

    def to_fields(self) -> dict[str, int]:
        """Return the limits as fields of a JSON object."""
        return asdict(self)

    @classmethod
    def from_fields(cls, given: Fields) -> Limits:
        """Read the limits from the fields of a JSON object.

        Raises:
            RequestError: A field is missing, unknown, of the wrong type, or out of range.
        """
        highest = {"max_prompt_characters": MAX_PROMPT_CHARACTERS}
        limits = cls(**{f.name: given.whole(f.name, 1, highest.get(f.name, _MOST)) for f in fields(cls)})
        given.end()
        return limits
