"""Cache of prepared scans and features, so that further prompts need neither preparation nor the U-Net."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from textsegment.inference.accumulate import ProbabilityBox
from textsegment.inference.device import CPU
from textsegment.inference.image.canonical import CanonicalImage
from textsegment.inference.image.patches import PatchGrid
from textsegment.model.sat import PatchFeatures

_LARGEST_HALF = 6e4


@dataclass(eq=False)
class PreparedScan:
    """A scan prepared for the network, with the features computed so far.

    Attributes:
        image: Canonical image with normalised voxels.
        grid: Patches that cover the image.
        patches: Features keyed by index of the patch in ``grid.boxes``.
        coarse: Probabilities of landmarks on the coarse grid, keyed by prompt; None where not found.
    """

    image: CanonicalImage
    grid: PatchGrid
    patches: dict[int, PatchFeatures] = field(default_factory=dict)
    coarse: dict[str, ProbabilityBox | None] = field(default_factory=dict)

    @property
    def host_bytes(self) -> int:
        """Size in bytes of what is kept in host memory beside the patches."""
        return self.image.voxels.nbytes + sum(box.levels.nbytes for box in self.coarse.values() if box)


class FeatureCache:
    """Cache of prepared scans of limited size: on the device while there is room, then in host memory.

    The least recently used scan is evicted first, patch by patch. Patches of the scan in use never evict each
    other: those that do not fit are not kept and are computed again when needed.

    Attributes:
        device: Device on which features are returned.
        device_bytes: Limit in bytes for features on the device; zero if that is the CPU.
        host_bytes: Limit in bytes for images and features in host memory.
    """

    def __init__(self, device: torch.device, device_bytes: int, host_bytes: int) -> None:
        self.device = device
        self.device_bytes = device_bytes if device != CPU else 0
        self.host_bytes = host_bytes
        self._scans: OrderedDict[Hashable, PreparedScan] = OrderedDict()

    @property
    def capacity(self) -> int:
        """Maximum number of bytes of features that can be kept for one scan."""
        return self.device_bytes + self.host_bytes

    def get(self, key: Hashable) -> PreparedScan | None:
        """Return a prepared scan and mark it as most recently used; None if it is not kept."""
        if key in self._scans:
            self._scans.move_to_end(key)
        return self._scans.get(key)

    def put(self, key: Hashable, scan: PreparedScan) -> None:
        """Keep a prepared scan; does nothing if it is too large for the cache."""
        if self._make_host_room(scan.image.voxels.nbytes, keep=scan):
            self._scans[key] = scan

    def keep_patch(self, scan: PreparedScan, number: int, features: PatchFeatures, *, half: bool) -> None:
        """Keep the features of a patch if there is room and its scan is kept.

        Args:
            scan: Scan in use, returned by ``get`` or passed to ``put``.
            number: Index of the patch.
            features: Features of the patch, on the device.
            half: Whether to store pixel features in half precision (changes 6e-5 of the voxels of a mask).
        """
        if not any(kept is scan for kept in self._scans.values()):
            return
        if half:
            features = features._replace(pixel_features=_halved(features.pixel_features))
        size = _bytes(features)
        if self._make_device_room(size, keep=scan):
            scan.patches[number] = features
        elif self._make_host_room(size, keep=scan):
            scan.patches[number] = _moved(features, CPU)

    def patch(self, scan: PreparedScan, number: int) -> PatchFeatures | None:
        """Return the features of a patch on the device, or None if they are not kept."""
        kept = scan.patches.get(number)
        return None if kept is None else _moved(kept, self.device)

    def clear(self) -> None:
        """Remove everything from the cache."""
        for scan in self._scans.values():
            scan.patches.clear()
        self._scans.clear()

    def used_bytes(self, *, on_device: bool) -> int:
        """Return the number of bytes in use, on the device or in host memory."""
        images = 0 if on_device else sum(scan.host_bytes for scan in self._scans.values())
        patches = (p for scan in self._scans.values() for p in scan.patches.values())
        return images + sum(_bytes(p) for p in patches if (p.pixel_features.device != CPU) == on_device)

    def _make_device_room(self, size: int, keep: PreparedScan) -> bool:
        if size > self.device_bytes:
            return False
        for scan in [scan for scan in self._scans.values() if scan is not keep]:
            for number, features in list(scan.patches.items()):
                if self.used_bytes(on_device=True) + size <= self.device_bytes:
                    return True
                if features.pixel_features.device != CPU:
                    del scan.patches[number]
                    if self._make_host_room(_bytes(features), keep=keep):
                        scan.patches[number] = _moved(features, CPU)
        return self.used_bytes(on_device=True) + size <= self.device_bytes

    def _make_host_room(self, size: int, keep: PreparedScan) -> bool:
        if size > self.host_bytes:
            return False
        for key, scan in [(k, s) for k, s in self._scans.items() if s is not keep]:
            if self.used_bytes(on_device=False) + size <= self.host_bytes:
                return True
            on_host = [n for n, p in scan.patches.items() if p.pixel_features.device == CPU]
            for number in on_host:
                if self.used_bytes(on_device=False) + size > self.host_bytes:
                    del scan.patches[number]
            if not scan.patches:
                del self._scans[key]
        return self.used_bytes(on_device=False) + size <= self.host_bytes


def _halved(x: Tensor) -> Tensor:
    if x.dtype != torch.float32:
        return x
    low, high = torch.aminmax(x)
    return x.half() if max(abs(low.item()), abs(high.item())) < _LARGEST_HALF else x


def _bytes(features: PatchFeatures) -> int:
    return features.tokens.nbytes + features.pixel_features.nbytes


def _moved(features: PatchFeatures, device: torch.device) -> PatchFeatures:
    return features._replace(
        tokens=features.tokens.to(device), pixel_features=features.pixel_features.to(device)
    )
