"""Segmenters whose masks give reason to doubt, or stray parts to tidy."""

from dataclasses import replace

from textsegment.doubt import Calibration
from textsegment.segmentation import StructureMask
from textsegment.segmenter import MaskReady
from textsegment.testing import FakeSegmenter


class Doubtful(FakeSegmenter):
    """Finds balls, some of which have measurements that speak against them.

    Args:
        odd: Measurements by structure, as fields of ``MaskStatistics``.
        checked: The same, if the image is looked at a second time.
    """

    def __init__(self, odd, checked=None) -> None:
        super().__init__()
        self._odd, self._checked = odd, checked or {}
        self.efforts = []

    def info(self):
        """Return the fake model with a calibration, without which there is no verdict."""
        return replace(super().info(), calibration=Calibration(0.3, 0.4, 12, 200))

    def segment(self, volume, prompts, *, effort, on_event, cancel=None):
        """Find balls, with their measurements changed."""
        self.efforts.append(effort)

        def with_odd(event):
            on_event(MaskReady(self._with_odd(event.mask, effort)) if isinstance(event, MaskReady) else event)

        found = super().segment(volume, prompts, effort=effort, on_event=with_odd, cancel=cancel)
        return replace(found, masks=tuple(self._with_odd(mask, effort) for mask in found))

    def _with_odd(self, mask, effort):
        fields = self._odd.get(mask.structure, {}) | (
            self._checked.get(mask.structure, {}) if effort.check else {}
        )
        return replace(mask, statistics=replace(mask.statistics, **fields))


class WithStrays(FakeSegmenter):
    """Finds balls with a speck in the first corner of the image."""

    def segment(self, volume, prompts, *, effort, on_event, cancel=None):
        """Find balls with a speck."""

        def strayed(mask):
            whole = mask.full(volume.geometry.spatial_shape)
            whole[0, 0, 0] = True
            return StructureMask.measured(mask.structure, whole, volume.geometry)

        def with_speck(event):
            on_event(MaskReady(strayed(event.mask)) if isinstance(event, MaskReady) else event)

        found = super().segment(volume, prompts, effort=effort, on_event=with_speck, cancel=cancel)
        return replace(found, masks=tuple(strayed(mask) for mask in found))
