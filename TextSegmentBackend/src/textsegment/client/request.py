"""Requests prepared for a server, validated as far as possible before they are sent."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from textsegment.effort import WHOLE_IMAGE
from textsegment.errors import VersionMismatchError
from textsegment.prompt import Prompt
from textsegment.request import Request
from textsegment.volume import Volume
from textsegment.wire.messages import ServerInfo
from textsegment.wire.volume_codec import wire_volume
from textsegment.wire.volume_header import Encoding, VolumeHeader


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
    """A request on its way to a server.

    Attributes:
        request: Validated request.
        identity: Identity of its volume.
        encoding: Encoding in which the volume is uploaded.
    """

    request: Request
    identity: VolumeIdentity
    encoding: Encoding

    @property
    def volume(self) -> Volume:
        """Scan to segment."""
        return self.request.volume

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """Structures to segment, without duplicates."""
        return self.request.prompts

    def require_accepted(self, info: ServerInfo) -> None:
        """Check that a server accepts the request, to avoid a long upload in vain.

        Raises:
            LimitExceededError: The volume is too large, or there are too many prompts.
            ModalityError: The model has no structures for this modality.
            UnknownStructureError: The model does not support a structure in this modality; the error has
                suggestions.
            VersionMismatchError: The server does not support regions, the fast mode or a check.
        """
        header = self.identity.header
        info.limits.require_volume(header.geometry.spatial_shape, header.voxel_bytes)
        info.limits.require_prompts(tuple(prompt.text for prompt in self.prompts))
        self.request.require_known(info.model)
        if self.request.effort != WHOLE_IMAGE and "effort" not in info.features:
            raise VersionMismatchError(
                "The server is too old for regions and for the fast mode.", "Leave them out, or update it."
            )
        if self.request.effort.check and "check" not in info.features:
            raise VersionMismatchError("The server is too old for a check.", "Leave it out, or update it.")
