"""JSON bodies: the request to segment, and what a server says about itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from textsegment.effort import WHOLE_IMAGE, Effort
from textsegment.errors import LimitExceededError
from textsegment.geometry import Box
from textsegment.prompt import MAX_PROMPT_CHARACTERS, Prompt, unique_prompts
from textsegment.segmenter import ModelInfo
from textsegment.wire.contract import PROTOCOL_VERSION, checked_digest, version_mismatch
from textsegment.wire.limits import Limits
from textsegment.wire.strict_json import Fields, read_object, write_object

_NAME_CHARACTERS = 200
_MAX_STRUCTURES = 2**16
_LAST_VOXEL = 2**31


@dataclass(frozen=True)
class SegmentRequest:
    """Body of ``POST /v1/segment``.

    Attributes:
        volume: Digest of an uploaded volume.
        prompts: What to look for, each once, at least one.
        effort: How much of the volume is computed.
        wants_estimate: Whether the client understands the frame ``ESTI``.
    """

    volume: str
    prompts: tuple[Prompt, ...]
    effort: Effort = WHOLE_IMAGE
    wants_estimate: bool = False

    def __post_init__(self) -> None:
        checked_digest(self.volume)
        object.__setattr__(self, "prompts", unique_prompts(self.prompts))

    def to_json(self) -> bytes:
        """Return the body."""
        fields = {"volume": self.volume, "prompts": [p.text for p in self.prompts]}
        estimate = {"estimate": True} if self.wants_estimate else {}
        return write_object(fields | effort_fields(self.effort) | estimate)

    @classmethod
    def from_json(cls, body: bytes, limits: Limits) -> SegmentRequest:
        """Read a body; doubled prompts are merged.

        Raises:
            LimitExceededError: Body, number of prompts or a prompt is too large.
            PromptError: A prompt is blank or has control characters, or there is none.
            RequestError: Not in the agreed form.
        """
        if len(body) > limits.max_request_bytes:
            raise LimitExceededError(f"A request has at most {limits.max_request_bytes} bytes.")
        given = read_object(body, "The request")
        volume = checked_digest(given.text("volume", 64))
        # Counted below: too many is 413, not 422.
        texts = given.texts("prompts", limits.max_request_bytes, limits.max_request_bytes)
        effort = read_effort(given)
        wants_estimate = given.flag("estimate") if given.has("estimate") else False
        given.end()
        limits.require_prompts(texts)
        return cls(volume, tuple(Prompt(text) for text in texts), effort, wants_estimate)


def effort_fields(effort: Effort) -> dict[str, Any]:
    """Return the optional fields of a request that say how much is computed."""
    region = {} if effort.region is None else {"region": [*effort.region.start, *effort.region.stop]}
    return region | ({"fast": True} if effort.fast else {})


def read_effort(given: Fields) -> Effort:
    """Take the optional fields of a request that say how much is computed.

    Raises:
        RequestError: They are of another type.
    """
    region = None
    if given.has("region"):
        i, j, k, p, q, r = given.wholes("region", 6, 0, _LAST_VOXEL)
        region = Box((i, j, k), (p, q, r))
    return Effort(region, given.flag("fast") if given.has("fast") else False)


@dataclass(frozen=True)
class ServerInfo:
    """Body of the answer to ``GET /v1/info``.

    Attributes:
        software: Version of the server's package.
        model: What answers.
        vocabulary_sha256: Digest of the vocabulary that the server completes and resolves with.
        limits: What it accepts.
        protocol: Version of the protocol.
        features: What it can do beyond the first version; in a header, so that old clients read the body.
    """

    software: str
    model: ModelInfo
    vocabulary_sha256: str
    limits: Limits = field(default_factory=Limits)
    protocol: int = PROTOCOL_VERSION
    features: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """Return the body."""
        return write_object(
            {
                "protocol": self.protocol,
                "software": self.software,
                "model": self.model.model,
                "weights_sha256": self.model.weights_sha256,
                "device": self.model.device,
                "vocabulary_sha256": self.vocabulary_sha256,
                "limits": self.limits.to_fields(),
                "structures": {m: list(names) for m, names in self.model.structures.items()},
            }
        )

    @classmethod
    def from_json(cls, body: bytes) -> ServerInfo:
        """Read a body.

        Raises:
            VersionMismatchError: The server speaks another version.
            RequestError: Not in the agreed form.
        """
        given = read_object(body, "The server's information")
        protocol = given.whole("protocol", 1, 2**31)
        if protocol != PROTOCOL_VERSION:
            # The header says so first; fields of another version mean nothing here.
            raise version_mismatch(str(protocol))
        info = cls(
            software=given.text("software", _NAME_CHARACTERS),
            model=ModelInfo(
                model=given.text("model", _NAME_CHARACTERS),
                weights_sha256=given.text("weights_sha256", _NAME_CHARACTERS),
                device=given.text("device", _NAME_CHARACTERS),
                structures=given.lists("structures", _MAX_STRUCTURES, MAX_PROMPT_CHARACTERS),
            ),
            vocabulary_sha256=given.text("vocabulary_sha256", _NAME_CHARACTERS),
            limits=Limits.from_fields(given.fields("limits")),
        )
        given.end()
        return info
