"""What is wanted from a server, checked as far as that is possible without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from textsegment.prompt import Prompt, merged_warning, unique_prompts
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
        warnings: Of ``Volume.require_segmentable``.
    """

    header: VolumeHeader
    digest: str
    warnings: tuple[str, ...]


class VolumeIdentities:
    """Identities of the volumes in use; each is forgotten with its volume."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Volume, VolumeIdentity] = WeakKeyDictionary()

    def of(self, volume: Volume) -> VolumeIdentity:
        """Return the identity of a volume.

        Raises:
            VolumeInvalidError: It cannot be segmented, or not be sent.
        """
        identity = self._known.get(volume)
        if identity is None:
            warnings = volume.require_segmentable()
            wired = wire_volume(volume)
            identity = VolumeIdentity(VolumeHeader.of(wired), wired.digest, warnings)
            self._known[volume] = identity
        return identity


@dataclass(frozen=True)
class PreparedRequest:
    """One request.

    Attributes:
        volume: The scan.
        identity: Of the scan.
        prompts: What to look for, each once.
        warnings: What is known before anything is sent.
        encoding: How the volume travels.
    """

    volume: Volume
    identity: VolumeIdentity
    prompts: tuple[Prompt, ...]
    warnings: tuple[str, ...]
    encoding: Encoding

    @classmethod
    def of(
        cls, volume: Volume, identity: VolumeIdentity, prompts: Sequence[Prompt | str], encoding: Encoding
    ) -> PreparedRequest:
        """Make the order for prompts as they were given."""
        wanted = unique_prompts(prompts)
        warnings = (*identity.warnings, *merged_warning(prompts, wanted))
        return cls(volume, identity, wanted, warnings, encoding)

    def require_accepted(self, info: ServerInfo) -> None:
        """Check against what a server says about itself, before a long upload that would be in vain.

        Raises:
            LimitExceededError: Too large a volume, too many prompts.
            ModalityError: The model knows nothing in images of this modality.
            UnknownStructureError: The model does not know a structure in this modality; has suggestions.
        """
        header = self.identity.header
        info.limits.require_volume(header.geometry.spatial_shape, header.voxel_bytes)
        info.limits.require_prompts(tuple(prompt.text for prompt in self.prompts))
        info.model.require_known(self.prompts, header.modality)
