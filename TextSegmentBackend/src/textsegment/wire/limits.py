"""What a server accepts; it tells its clients in ``/v1/info``."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields

from textsegment.errors import LimitExceededError
from textsegment.prompt import MAX_PROMPT_CHARACTERS
from textsegment.wire.strict_json import Fields

_MOST = 2**48


@dataclass(frozen=True)
class Limits:
    """Upper bounds of one request.

    Attributes:
        max_volume_bytes: Voxels × bytes of a voxel, before compression.
        max_voxels: Voxels of a volume.
        max_prompts: Prompts of one request, before doubled ones are merged.
        max_prompt_characters: Characters of a prompt, at most the 200 that ``Prompt`` allows.
        max_request_bytes: Body of a segmentation request.
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
        """Largest body of an upload: voxels that do not shrink grow by less than a 64th."""
        return self.max_volume_bytes + self.max_volume_bytes // 64 + 4096

    def require_volume(self, spatial_shape: tuple[int, int, int], voxel_bytes: int) -> None:
        """Check declared sizes before anything is allocated.

        Raises:
            LimitExceededError: Too many voxels or bytes.
        """
        voxels = math.prod(spatial_shape)
        if voxels > self.max_voxels or voxels * voxel_bytes > self.max_volume_bytes:
            raise LimitExceededError(
                f"The volume is larger than the server accepts: {self.max_voxels} voxels and "
                f"{self.max_volume_bytes} bytes.",
                "Crop or resample it, or ask the operator of the server.",
            )

    def require_prompts(self, texts: tuple[str, ...]) -> None:
        """Check number and length of prompts.

        Raises:
            LimitExceededError: Too many, or one is too long.
        """
        if len(texts) > self.max_prompts:
            raise LimitExceededError(
                f"There are {len(texts)} prompts, at most {self.max_prompts} are accepted at once.",
                "Ask in several requests.",
            )
        if any(len(text) > self.max_prompt_characters for text in texts):
            raise LimitExceededError(f"A prompt is longer than {self.max_prompt_characters} characters.")

    def to_fields(self) -> dict[str, int]:
        """Return the fields of the JSON object."""
        return asdict(self)

    @classmethod
    def from_fields(cls, given: Fields) -> Limits:
        """Read the fields of the JSON object.

        Raises:
            RequestError: A field is missing, unknown, of the wrong type, or out of range.
        """
        highest = {"max_prompt_characters": MAX_PROMPT_CHARACTERS}
        limits = cls(**{f.name: given.whole(f.name, 1, highest.get(f.name, _MOST)) for f in fields(cls)})
        given.end()
        return limits
