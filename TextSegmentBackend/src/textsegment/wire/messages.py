"""JSON bodies: the segmentation request and the description of a server."""

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
        volume: SHA-256 digest of an uploaded volume.
        prompts: Structures to segment: at least one, without duplicates.
        effort: How much of the volume to process.
        wants_estimate: Whether the client understands the ``ESTI`` frame.
        wants_details: Whether the client understands cautions with codes and further statistics.
        tidy: Whether the server tidies the masks by rules of anatomy.
    """

    volume: str
    prompts: tuple[Prompt, ...]
    effort: Effort = WHOLE_IMAGE
    wants_estimate: bool = False
    wants_details: bool = False
    tidy: bool = False

    def __post_init__(self) -> None:
        checked_digest(self.volume)
        object.__setattr__(self, "prompts", unique_prompts(self.prompts))

    def to_json(self) -> bytes:
        """Serialise the message as JSON."""
        fields = {"volume": self.volume, "prompts": [p.text for p in self.prompts]}
        flags = {"estimate": self.wants_estimate, "details": self.wants_details, "tidy": self.tidy}
        set_flags = {name: True for name, is_set in flags.items() if is_set}
        return write_object(fields | effort_fields(self.effort) | set_flags)

    @classmethod
    def from_json(cls, body: bytes, limits: Limits) -> SegmentRequest:
        """Parse the body of a request; duplicate prompts are merged.

        Raises:
            LimitExceededError: The body, the number of prompts or a prompt is too large.
            PromptError: A prompt is blank or contains control characters, or there are no prompts.
            RequestError: The body is malformed.
        """
        if len(body) > limits.max_request_bytes:
            raise LimitExceededError(f"A request has at most {limits.max_request_bytes} bytes.")
        given = read_object(body, "The request")
        volume = checked_digest(given.text("volume", 64))
        # The limits are checked below, so that exceeding them gives status 413 rather than 422.
        texts = given.texts("prompts", limits.max_request_bytes, limits.max_request_bytes)
        effort = read_effort(given)
        flags = [given.flag(name) if given.has(name) else False for name in ("estimate", "details", "tidy")]
        given.end()
        limits.require_prompts(texts)
        prompts = tuple(Prompt(text) for text in texts)
        return cls(volume, prompts, effort, *flags)


def effort_fields(effort: Effort) -> dict[str, Any]:
    """Return the optional request fields that describe an effort."""
    region = {} if effort.region is None else {"region": [*effort.region.start, *effort.region.stop]}
    flags = {name: True for name in ("fast", "check") if getattr(effort, name)}
    return region | flags


def read_effort(given: Fields) -> Effort:
    """Read the effort from the optional fields of a request.

    Raises:
        RequestError: A field has the wrong type.
    """
    region = None
    if given.has("region"):
        i, j, k, p, q, r = given.wholes("region", 6, 0, _LAST_VOXEL)
        region = Box((i, j, k), (p, q, r))
    fast, check = (given.flag(name) if given.has(name) else False for name in ("fast", "check"))
    return Effort(region, fast, check)


@dataclass(frozen=True)
class ServerInfo:
    """Body of the response to ``GET /v1/info``.

    Attributes:
        software: Version of the package on the server.
        model: Description of the model that the server runs.
        vocabulary_sha256: SHA-256 digest of the vocabulary with which the server completes and resolves text.
        limits: Limits for requests.
        protocol: Version of the protocol.
        features: Features beyond the first version; sent in a header, so that old clients can still parse the
            body.
    """

    software: str
    model: ModelInfo
    vocabulary_sha256: str
    limits: Limits = field(default_factory=Limits)
    protocol: int = PROTOCOL_VERSION
    features: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """Serialise the message as JSON."""
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
        """Parse the body of the response.

        Raises:
            VersionMismatchError: The server uses another protocol version.
            RequestError: The body is malformed.
        """
        given = read_object(body, "The server's information")
        protocol = given.whole("protocol", 1, 2**31)
        if protocol != PROTOCOL_VERSION:
            # The header is checked first; fields of another version are meaningless here.
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
