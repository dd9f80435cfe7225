"""Tidying of masks by rules of anatomy: stray parts, the wrong side, wholes that disagree with their parts.

Nothing is removed in silence: every change is said in millilitres, and the masks as the model made them stay
with the caller. A mask is never emptied, and never cut to its largest part alone.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textsegment.caution import Caution
from textsegment.derive.region import Region
from textsegment.derive.tidy_rule import TidyRule, rule_for
from textsegment.derive.tidy_steps import (
    Step,
    agreement,
    changes_ml,
    on_its_side,
    united,
    with_smooth_surface,
    without_stray_parts,
)
from textsegment.origin import BY_MODEL, Origin
from textsegment.segmentation import MaskStatistics, Segmentation, StructureMask
from textsegment.segmenter import ModelInfo

MIDLINE = "midline_mm"
"""Key of the provenance under which an engine states the midline: its RAS coordinate x, in millimetres."""
TIDY = "tidy"
"""Key of the provenance under which it stands that masks were tidied."""
_AGREEMENT = 0.9
_MOST_COMPANIONS = 4
_BETWEEN_PARTS = ", "


def tidy(
    segmentation: Segmentation,
    *,
    modality: str | None = None,
    rules: Mapping[str, TidyRule] | None = None,
    voxels: NDArray[Any] | None = None,
) -> Segmentation:
    """Tidy the masks that the model made; the segmentation that is given stays as it is.

    In this order: a left or right structure loses what lies more than 5 mm beyond the midline, unless that is
    most of it; then connected parts are removed that are small beside the largest one; a whole that agrees
    with the union of its tidied parts by a Dice coefficient of less than 0.9 becomes that union; a surface is
    smoothed if a rule says so. Masks that are derived, edited or tidied already are not touched.

    Args:
        segmentation: Masks as an engine returned them. Its provenance states the midline; without it, sides
            are left alone.
        modality: DICOM modality code of the image, which decides what the parts of a whole are.
        rules: Rules by structure, in place of those of its anatomy.
        voxels: Image on the grid of the segmentation, for the mean intensity of changed masks, which is NaN
            without it.

    Returns:
        A segmentation with the same structures. A changed mask says what was removed in its warnings, and its
        ``origin`` is marked; its confidence and what speaks against it stay as the engine measured them.

    Example:
        >>> from textsegment.testing import FakeSegmenter, phantom
        >>> raw = FakeSegmenter().segment(phantom(), ["liver"])
        >>> tidy(raw)["liver"].warnings, tidy(raw).provenance["tidy"]
        ((), True)
    """
    work = _Work(segmentation, modality, rules or {}, voxels)
    masks = tuple(work.tidied(mask) for mask in segmentation)
    return replace(segmentation, masks=masks, provenance={**segmentation.provenance, TIDY: True})


def is_tidy_by_default(model: ModelInfo) -> bool:
    """Whether masks of a model are tidied unless the user says otherwise.

    The rules were measured with ``sat-demo``; other weights are tidied once they have been calibrated.
    """
    return model.model == "sat-demo" or model.calibration is not None


def said_of_tidying(warnings: Iterable[str]) -> tuple[Caution, ...]:
    """Return those of a mask's warnings that say how it was tidied, by rules of anatomy or a template.

    Example:
        >>> [each.code for each in said_of_tidying(["a note", Caution("tidy_parts", count=2, volume_ml=0.5)])]
        ['tidy_parts']
    """
    cautions = (each for each in warnings if isinstance(each, Caution))
    return tuple(each for each in cautions if each.code.startswith("tidy_") or each.code == "holes_filled")


def origin_told_by(warnings: Iterable[str]) -> Origin:
    """Return the origin of a mask of the model, as the cautions about its tidying tell it.

    Origins do not travel over the network, but cautions do: what a server tidied is known as such here.
    """
    said = said_of_tidying(warnings)
    unions = [str(each.values["parts"]) for each in said if each.code == "tidy_made_of_parts"]
    names = tuple(name for union in unions for name in union.split(_BETWEEN_PARTS))
    return Origin(union_of=names, tidied=bool(said))


def companions(structures: Sequence[str], modality: str, available: Collection[str]) -> tuple[str, ...]:
    """Return what to request besides some structures, so that wholes can be compared with their parts.

    Args:
        structures: Structures that were asked for.
        modality: DICOM modality code of the image.
        available: Structures that the model supports in this modality.

    Example:
        >>> companions(["lung", "liver"], "CT", ["lung", "left lung", "right lung", "liver"])
        ('left lung', 'right lung')
    """
    added: dict[str, None] = {}
    for structure in structures:
        parts = rule_for(structure, modality).union
        if len(parts) <= _MOST_COMPANIONS and all(part in available for part in parts):
            added.update(dict.fromkeys(part for part in parts if part not in structures))
    return tuple(added)


class _Work:
    """Tidies the masks of one segmentation, each once."""

    def __init__(
        self,
        given: Segmentation,
        modality: str | None,
        rules: Mapping[str, TidyRule],
        voxels: NDArray[Any] | None,
    ) -> None:
        self._given = {mask.structure: mask for mask in given}
        self._geometry = given.geometry
        self._midline = _midline_of(given.provenance)
        self._modality = modality
        self._rules = rules
        self._voxels = voxels
        self._done: dict[str, StructureMask] = {}

    def tidied(self, mask: StructureMask) -> StructureMask:
        """Return a mask tidied, or as it is if it may not be touched."""
        if mask.origin != BY_MODEL or self._given[mask.structure] is not mask:
            return mask
        if mask.structure not in self._done:
            self._done[mask.structure] = mask  # meanwhile, should parts go in circles
            self._done[mask.structure] = self._tidied(mask)
        return self._done[mask.structure]

    def _tidied(self, mask: StructureMask) -> StructureMask:
        rule = self._rules.get(mask.structure) or rule_for(mask.structure, self._modality)
        region, said = Region(mask.box.start, mask.mask), list[Caution]()

        def take(step: Step) -> Region:
            said.extend(caution for caution in step[1:] if caution)
            return step[0]

        if rule.side and self._midline is not None and not region.is_empty:
            region = take(on_its_side(region, rule.side, self._midline, self._geometry))
        if (rule.least_share or rule.least_ml) and not region.is_empty:
            region = take(without_stray_parts(region, rule.least_share, rule.least_ml, self._geometry))
        parts = self._parts_instead(region, rule)
        if parts:
            before, region = Region(mask.box.start, mask.mask), united(_regions(parts))
            said = [self._made_of(parts, before, region)]
        if rule.smooth_mm and not region.is_empty:
            region = take(with_smooth_surface(region, rule.smooth_mm, self._geometry))
        return self._changed(mask, region, parts, said) if said else mask

    def _parts_instead(self, region: Region, rule: TidyRule) -> tuple[StructureMask, ...]:
        """Return the tidied parts that are to replace a whole; empty if it stays."""
        parts = tuple(self.tidied(self._given[name]) for name in rule.union if name in self._given)
        if len(parts) < len(rule.union) or all(part.statistics.is_empty for part in parts):
            return ()
        whole = united(_regions(parts))
        # That a part was not found is no reason to make the whole smaller.
        grows = np.count_nonzero(whole.voxels) >= np.count_nonzero(region.voxels)
        is_complete = grows or not any(part.statistics.is_empty for part in parts)
        return parts if is_complete and agreement(region, whole) < _AGREEMENT else ()

    def _made_of(self, parts: Sequence[StructureMask], before: Region, after: Region) -> Caution:
        removed, added = changes_ml(before, after, self._geometry)
        names = _BETWEEN_PARTS.join(part.structure for part in parts)
        return Caution("tidy_made_of_parts", parts=names, removed_ml=removed, added_ml=added)

    def _changed(
        self, mask: StructureMask, region: Region, parts: Sequence[StructureMask], said: Sequence[Caution]
    ) -> StructureMask:
        measured = StructureMask.measured(
            mask.structure, region.voxels, self._geometry, start=region.start, voxels=self._voxels
        )
        kept = [each for each in mask.warnings if each != Caution("not_found", structure=mask.structure)]
        names = tuple(part.structure for part in parts)
        return replace(
            measured,
            statistics=_statistics(mask.statistics, measured.statistics, parts),
            warnings=(*kept, *said),
            origin=Origin(union_of=names, tidied=True),
        )


def _statistics(
    before: MaskStatistics, after: MaskStatistics, parts: Sequence[StructureMask]
) -> MaskStatistics:
    """Return the new measurements, and those that only the engine can make from the mask as it was.

    A union has the confidence of its parts, and their share of unsure voxels.
    """
    given = before
    if parts:
        given = replace(
            after,
            mean_confidence=_mean([part.statistics for part in parts], "mean_confidence"),
            unsure_share=_mean([part.statistics for part in parts], "unsure_share"),
            whole_agreement=1.0,
        )
    return replace(
        given,
        voxel_count=after.voxel_count,
        volume_ml=after.volume_ml,
        mean_intensity=after.mean_intensity,
        touches_border=after.touches_border,
    )


def _mean(statistics: Sequence[MaskStatistics], name: str) -> float:
    found = [one for one in statistics if not one.is_empty]
    total = sum(one.voxel_count for one in found)
    return sum(one.voxel_count * float(getattr(one, name)) for one in found) / total


def _regions(masks: Sequence[StructureMask]) -> list[Region]:
    return [Region(mask.box.start, mask.mask) for mask in masks]


def _midline_of(provenance: Mapping[str, Any]) -> float | None:
    x = provenance.get(MIDLINE)
    is_number = isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x)
    return float(x) if is_number and x is not None else None
