"""A request to a server, checked as far as that is possible without it."""

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
    """What has to be computed once a volume.

    Attributes:
        header: The volume as it travels, without voxels.
        digest: Its name on a server.
    """

    header: VolumeHeader
    digest: str


class VolumeIdentities:
    """Identities of the volumes in use; each is forgotten with its volume."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Volume, VolumeIdentity] = WeakKeyDictionary()

    def of(self, volume: Volume) -> VolumeIdentity:
        """Return the identity of a volume.

        Raises:
            VolumeInvalidError: It cannot be sent.
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
        request: What is asked.
        identity: Of its volume.
        encoding: How the volume travels.
    """

    request: Request
    identity: VolumeIdentity
    encoding: Encoding

    @property
    def volume(self) -> Volume:
        """The scan."""
        return self.request.volume

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """What to look for, each once."""
        return self.request.prompts

    def require_accepted(self, info: ServerInfo) -> None:
        """Check against what a server says about itself, before a long upload that would be in vain.

        Raises:
            LimitExceededError: Too large a volume, too many prompts.
            ModalityError: The model knows nothing in images of this modality.
            UnknownStructureError: The model does not know a structure in this modality; has suggestions.
            VersionMismatchError: The server knows nothing of a region or of the fast mode.
        """
        header = self.identity.header
        info.limits.require_volume(header.geometry.spatial_shape, header.voxel_bytes)
        info.limits.require_prompts(tuple(prompt.text for prompt in self.prompts))
        self.request.require_known(info.model)
        if self.request.effort != WHOLE_IMAGE and "effort" not in info.features:
            raise VersionMismatchError(
                "The server is too old for regions and for the fast mode.", "Leave them out, or update it."
            )
