"""Requests prepared for a server, validated as far as possible before they are sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from weakref import WeakKeyDictionary

from textsegment.correction import Correction
from textsegment.effort import WHOLE_IMAGE
from textsegment.errors import LimitExceededError, VersionMismatchError
from textsegment.origin import Maker, Origin
from textsegment.prompt import Prompt
from textsegment.request import Request
from textsegment.segmentation import StructureMask
from textsegment.volume import Volume
from textsegment.wire.contract import CORRECT_ROUTE, CORRECTION_TYPE, JSON_TYPE, SEGMENT_ROUTE
from textsegment.wire.correction_codec import encode_correction, max_correction_bytes
from textsegment.wire.messages import SegmentRequest, ServerInfo
from textsegment.wire.volumes.codec import wire_volume
from textsegment.wire.volumes.header import Encoding, VolumeHeader


@dataclass(frozen=True)
class VolumeIdentity:
    """Header and digest of a volume, which are computed once per volume.

    Attributes:
        header: Description of the volume as transmitted, without its voxels.
        digest: SHA-256 digest that identifies the volume on a server.
    """

    header: VolumeHeader
    digest: str


class VolumeIdentities:
    """Cache of volume identities; each is dropped together with its volume."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Volume, VolumeIdentity] = WeakKeyDictionary()

    def of(self, volume: Volume) -> VolumeIdentity:
        """Return the identity of a volume.

        Raises:
            VolumeInvalidError: The volume cannot be transmitted.
        """
        identity = self._known.get(volume)
        if identity is None:
            wired = wire_volume(volume)
            identity = VolumeIdentity(VolumeHeader.of(wired), wired.digest)
            self._known[volume] = identity
        return identity


@dataclass(frozen=True, eq=False)
class PreparedRequest:
    """A request for masks on its way to a server.

    Attributes:
        request: Validated request.
        identity: Identity of its volume.
        encoding: Encoding in which the volume is uploaded.
    """

    request: Request
    identity: VolumeIdentity
    encoding: Encoding

    route = (SEGMENT_ROUTE, JSON_TYPE)

    @property
    def volume(self) -> Volume:
        """Scan to segment."""
        return self.request.volume

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """Structures to segment, without duplicates."""
        return self.request.prompts

    @property
    def wanted(self) -> tuple[str, ...]:
        """Names of the masks that the server is to send, in the order of the result."""
        return tuple(prompt.text for prompt in self.prompts)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Messages for the user that are known before anything is sent."""
        return self.request.warnings

    def received(self, mask: StructureMask) -> StructureMask:
        """Return a mask as it came from the server."""
        return mask

    def body(self, names: Sequence[str], *, estimate: bool, details: bool) -> bytes:
        """Return the body of a request for some of the wanted masks.

        Args:
            names: Names of the masks.
            estimate: Whether to ask for an estimate, which the server must support.
            details: Whether to ask for cautions with codes and further statistics, likewise.
        """
        prompts = tuple(prompt for prompt in self.prompts if prompt.text in names)
        effort = self.request.effort
        return SegmentRequest(self.identity.digest, prompts, effort, estimate, details).to_json()

    def require_accepted(self, info: ServerInfo) -> None:
        """Check that a server accepts the request, to avoid a long upload in vain.

        Raises:
            LimitExceededError: The volume is too large, or there are too many prompts.
            ModalityError: The model has no structures for this modality.
            UnknownStructureError: The model does not support a structure in this modality; the error has
                suggestions.
            VersionMismatchError: The server does not support regions, the fast mode or a check.
        """
        _require_volume(self.identity, info)
        info.limits.require_prompts(self.wanted)
        self.request.require_known(info.model)
        if self.request.effort != WHOLE_IMAGE and "effort" not in info.features:
            raise VersionMismatchError(
                "The server is too old for regions and for the fast mode.", "Leave them out, or update it."
            )
        if self.request.effort.check and "check" not in info.features:
            raise VersionMismatchError("The server is too old for a check.", "Leave it out, or update it.")


@dataclass(frozen=True, eq=False)
class PreparedCorrection:
    """A correction on its way to a server.

    Attributes:
        correction: Validated correction.
        identity: Identity of its volume.
        encoding: Encoding in which the volume is uploaded.
    """

    correction: Correction
    identity: VolumeIdentity
    encoding: Encoding

    route = (CORRECT_ROUTE, CORRECTION_TYPE)

    @property
    def volume(self) -> Volume:
        """Scan to which the mask belongs."""
        return self.correction.volume

    @property
    def wanted(self) -> tuple[str, ...]:
        """Name of the mask that the server is to send."""
        return (self.correction.name,)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Nothing: the mask brings its warnings along."""
        return ()

    @cached_property
    def _encoded(self) -> bytes:
        return encode_correction(self.correction, self.identity.digest)

    def received(self, mask: StructureMask) -> StructureMask:
        """Return a mask that came from the server with its origin, which does not travel."""
        return replace(mask, origin=Origin(Maker.EDITED))

    def body(self, names: Sequence[str], *, estimate: bool, details: bool) -> bytes:
        """Return the body of the request, which always asks for everything."""
        return self._encoded

    def require_accepted(self, info: ServerInfo) -> None:
        """Check that a server accepts the correction, to avoid a long upload in vain.

        Raises:
            LimitExceededError: The volume or the edits are too large.
            ModalityError: The model has no structures for this modality.
            UnknownStructureError: The model does not know the prompt in this modality.
            VersionMismatchError: The server cannot correct masks.
        """
        if "correct" not in info.features:
            raise VersionMismatchError(
                "The server is too old to correct masks.", "Update it, or correct on this computer."
            )
        _require_volume(self.identity, info)
        info.model.require_known(self.correction.prompts, self.volume.modality)
        if len(self._encoded) > max_correction_bytes(info.limits):
            raise LimitExceededError("The edits are larger than the server accepts.", "Merge some of them.")


def _require_volume(identity: VolumeIdentity, info: ServerInfo) -> None:
    header = identity.header
    info.limits.require_volume(header.geometry.spatial_shape, header.voxel_bytes)
