"""What is wanted from a server, checked as far as that is possible without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from weakref import WeakKeyDictionary

from textsegment.errors import ModalityError, UnknownStructureError
from textsegment.prompt import Prompt, unique_prompts
from textsegment.vocabulary.structures import nearest_structures
from textsegment.volume import Volume
from textsegment.wire.messages import ServerInfo
from textsegment.wire.volume_codec import wire_volume
from textsegment.wire.volume_header import Encoding, VolumeHeader


@dataclass(frozen=True)
class Identity:
    """What has to be computed once a volume.

    Attributes:
        header: The volume as it travels, without voxels.
        digest: Its name on a server.
        warnings: Of ``Volume.require_segmentable``.
    """

    header: VolumeHeader
    digest: str
    warnings: tuple[str, ...]


class Identities:
    """Identities of the volumes in use; each is forgotten with its volume."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Volume, Identity] = WeakKeyDictionary()

    def of(self, volume: Volume) -> Identity:
        """Return the identity of a volume.

        Raises:
            VolumeInvalidError: It cannot be segmented, or not be sent.
        """
        identity = self._known.get(volume)
        if identity is None:
            warnings = volume.require_segmentable()
            wired = wire_volume(volume)
            identity = Identity(VolumeHeader.of(wired), wired.digest, warnings)
            self._known[volume] = identity
        return identity


@dataclass(frozen=True)
class Order:
    """One request.

    Attributes:
        volume: The scan.
        identity: Of the scan.
        prompts: What to look for, each once.
        warnings: What is known before anything is sent.
        encoding: How the volume travels.
    """

    volume: Volume
    identity: Identity
    prompts: tuple[Prompt, ...]
    warnings: tuple[str, ...]
    encoding: Encoding

    @classmethod
    def of(
        cls, volume: Volume, identity: Identity, prompts: Sequence[Prompt | str], encoding: Encoding
    ) -> Order:
        """Make the order for prompts as they were given."""
        wanted = unique_prompts(prompts)
        merged = len(prompts) > len(wanted)
        doubled = ("Structures that were asked for twice are given once.",) if merged else ()
        return cls(volume, identity, wanted, identity.warnings + doubled, encoding)

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
        known = info.model.structures.get(header.modality, ())
        if not known:
            raise ModalityError(f"The model knows no structure in images of the modality {header.modality}.")
        for prompt in self.prompts:
            if prompt.text not in known:
                raise _unknown(prompt.text, header.modality, known)


def _unknown(text: str, modality: str, known: tuple[str, ...]) -> UnknownStructureError:
    near = get_close_matches(text, known, n=5) or nearest_structures(text, modality)
    suggestions = tuple(name for name in near if name in known)
    return UnknownStructureError(
        f"The model does not know {text!r} in {modality} images.",
        f"Did you mean {', '.join(suggestions)}?" if suggestions else "See the list of structures.",
        suggestions,
    )
