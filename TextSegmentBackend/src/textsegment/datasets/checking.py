"""Reading and checking one labelled scan of a source: what contradicts itself is refused or said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from textsegment.datasets.meanings import OTHER, UNKNOWN, Meanings
from textsegment.datasets.source import Source, SourceCase
from textsegment.datasets.unions import anatomical_groups, contents, known_structures
from textsegment.datasets.writing import CheckedCase, heights
from textsegment.errors import InputError, TextSegmentError
from textsegment.files.reading import read_scan
from textsegment.files.scan import Scan
from textsegment.geometry import Box, Geometry
from textsegment.segmentation import StructureMask
from textsegment.vocabulary.anatomy import may_overlap

# Two structures that cannot share voxels share a few at their border in many label maps.
_TOLERATED_OVERLAP = 0.05


@dataclass(frozen=True, eq=False)
class Checked:
    """A case that can be used, and what was noticed about it.

    Attributes:
        case: The case.
        notes: Sentences for the report.
    """

    case: CheckedCase
    notes: tuple[str, ...]


def check_case(
    source: Source, found: SourceCase, meanings: Meanings, *, split: str, folder: Path, prefix: str = ""
) -> Checked:
    """Read a labelled scan, name its masks, and check everything against itself.

    Args:
        source: Source of the case.
        found: The case.
        meanings: Meanings of the raw names of the source.
        split: Split of its patient.
        folder: Folder of the set, which the path of the scan is made relative to.
        prefix: Put before the name of the case, to keep it unique.

    Raises:
        InputError: Scan or labels cannot be read; the labels lie elsewhere, hold numbers without a name, or
            none at all. The message names the file.
    """
    try:
        scan = read_scan(found.image, modality=found.modality)
        scan.volume.require_segmentable()
    except TextSegmentError as error:
        raise InputError(f"{found.sample_id}: {found.image.name}: {error.message}", error.hint) from error
    modality = scan.volume.modality
    try:
        drawn, unknown, partly = _named_masks(found, scan, meanings)
    except TextSegmentError as error:
        raise InputError(f"{found.sample_id}: {error.message}", error.hint) from error
    looked_for = {
        name for raw in found.looked_for if (name := meanings.of(modality, raw)) not in (OTHER, UNKNOWN)
    } | set(drawn)
    groups = source.groups if source.groups is not None else anatomical_groups(modality)
    geometry = scan.volume.geometry
    made_of = contents(
        [name for name, mask in drawn.items() if not mask.statistics.is_empty], looked_for, groups
    )
    if not made_of:
        raise InputError(
            f"{found.sample_id}: {found.labels.path.name}: no label lies on the scan.",
            "Check which scan it belongs to.",
        )
    masks = {name: _union(name, [drawn[part] for part in parts], geometry) for name, parts in made_of.items()}
    ranges = {name: heights(drawn[name], geometry) for name in partly if name in made_of}
    case = CheckedCase(
        sample_id=prefix + found.sample_id,
        patient_id=prefix + found.patient_id,
        dataset=source.name,
        split=split,
        image=_relative(found.image, folder),
        volume=scan.volume,
        masks=masks,
        unknown=unknown,
        known=known_structures(sorted(looked_for), groups),
        partly=_ranges_of_unions(made_of, ranges),
    )
    return Checked(case, _notes(found, scan, drawn, made_of))


def _named_masks(
    found: SourceCase, scan: Scan, meanings: Meanings
) -> tuple[dict[str, StructureMask], StructureMask | None, set[str]]:
    """Read the masks; return them by structure, the voxels that are unknown, and partly drawn structures."""
    geometry = scan.volume.geometry
    drawn: dict[str, StructureMask] = {}
    unknown: StructureMask | None = None
    partly = set()
    for mask in found.labels.masks_on(scan):
        name = meanings.of(scan.volume.modality, mask.structure)
        if name == OTHER:
            continue
        if name == UNKNOWN:
            if not mask.statistics.is_empty:
                unknown = mask if unknown is None else _union(UNKNOWN, [unknown, mask], geometry)
            continue
        if mask.structure in found.partly:
            partly.add(name)
        before = drawn.get(name)
        drawn[name] = (
            replace(mask, structure=name) if before is None else _union(name, [before, mask], geometry)
        )
    return drawn, unknown, partly


def _union(name: str, masks: list[StructureMask], geometry: Geometry) -> StructureMask:
    real = [mask for mask in masks if not mask.statistics.is_empty]
    if len(real) < 2:
        return replace((real or masks)[0], structure=name)
    low = tuple(min(mask.box.start[axis] for mask in real) for axis in range(3))
    high = tuple(max(mask.box.stop[axis] for mask in real) for axis in range(3))
    whole = Box((low[0], low[1], low[2]), (high[0], high[1], high[2]))
    region = np.zeros(whole.shape, dtype=bool)
    for mask in real:
        inside = tuple(
            slice(a - c, b - c) for a, b, c in zip(mask.box.start, mask.box.stop, low, strict=True)
        )
        region[inside] |= mask.mask
    return StructureMask.measured(name, region, geometry, start=whole.start)


def _ranges_of_unions(
    made_of: Mapping[str, tuple[str, ...]], ranges: Mapping[str, list[float]]
) -> dict[str, list[float]]:
    """Return where every structure is known that contains a partly drawn one."""
    found = {}
    for name, parts in made_of.items():
        inside = [ranges[part] for part in parts if part in ranges]
        if inside:
            found[name] = [max(low for low, _ in inside), min(high for _, high in inside)]
    return found


def _notes(
    found: SourceCase, scan: Scan, drawn: Mapping[str, StructureMask], made_of: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    notes = [str(warning) for warning in scan.volume.warnings]
    real = [mask for mask in drawn.values() if not mask.statistics.is_empty]
    for index, one in enumerate(real):
        for other in real[index + 1 :]:
            if may_overlap(one.structure, other.structure):
                continue
            shared = _shared(one, other)
            least = min(one.statistics.voxel_count, other.statistics.voxel_count)
            if shared > _TOLERATED_OVERLAP * least:
                both = f"{one.structure} and {other.structure}"
                notes.append(f"{both} share {shared} voxels, {shared / least:.0%} of the smaller.")
    return tuple(f"{found.sample_id}: {note}" for note in notes)


def _shared(one: StructureMask, other: StructureMask) -> int:
    both = one.box.intersection(other.box)
    if 0 in both.shape:
        return 0

    def inside(mask: StructureMask) -> tuple[slice, ...]:
        starts = mask.box.start
        return tuple(slice(a - c, b - c) for a, b, c in zip(both.start, both.stop, starts, strict=True))

    return int(np.count_nonzero(one.mask[inside(one)] & other.mask[inside(other)]))


def _relative(path: Path, folder: Path) -> str:
    """Return a path relative to the folder of the set, if they are on one drive."""
    import os

    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive of Windows
        return path.resolve().as_posix()
