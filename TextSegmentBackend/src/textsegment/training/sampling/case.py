"""A case in memory for training: the image, and which structures each voxel belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from textsegment.datasets.case import LabelledCase

UNKNOWN = -1
"""Atom of voxels about which nothing is known."""


@dataclass(frozen=True, eq=False, kw_only=True)
class CaseLabels:
    """What a case knows about its structures, without voxels.

    Structures may overlap. Voxels that belong to the same structures form an *atom*; one map of atoms holds
    them all, so that augmenting a patch costs the same whatever the number of structures.

    Attributes:
        membership: Boolean (number of atoms, N): whether an atom belongs to a structure.
        structures: The N drawn structures.
        absent: Structures that are known not to be in the scan.
        modality: DICOM code of the modality.
        extents: First and last slice (z) between which the truth of a structure is known, for structures that
            were drawn over a part of their length only.
        exclusive: Structures that share no voxel and contain no other structure.
    """

    membership: NDArray[np.bool_]
    structures: tuple[str, ...]
    absent: tuple[str, ...]
    modality: str
    extents: Mapping[str, tuple[int, int]]
    exclusive: frozenset[str]


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingCase(CaseLabels):
    """A labelled scan on the canonical grid.

    Attributes:
        image: Normalised voxels, float16 ``[x, y, z]``.
        atoms: Map of atoms, int16 ``[x, y, z]``: 0 where no structure is drawn, -1 where nothing is known.
    """

    image: NDArray[np.float16]
    atoms: NDArray[np.int16]

    @property
    def labels(self) -> CaseLabels:
        """The case without its voxels."""
        return CaseLabels(**{each.name: getattr(self, each.name) for each in fields(CaseLabels)})

    @property
    def nbytes(self) -> int:
        """Memory that the case takes."""
        return self.image.nbytes + self.atoms.nbytes


def load_case(case: LabelledCase) -> TrainingCase:
    """Read a case of a prepared set."""
    image = np.ascontiguousarray(case.canonical_image())
    atoms = np.zeros(image.shape, dtype=np.int16)
    members: list[frozenset[int]] = [frozenset()]
    numbers: dict[frozenset[int], int] = {frozenset(): 0}
    extents = {}
    for index, name in enumerate(case.structures):
        found = case.canonical_mask(name)
        if found is None:
            continue
        box, mask = found
        here = atoms[box]
        for old in np.unique(here[mask]).tolist():
            new = members[old] | {index}
            if new not in numbers:
                numbers[new] = len(members)
                members.append(new)
            here[mask & (here == old)] = numbers[new] if numbers[new] != old else old
        if name in case.record.partly:
            slices = np.flatnonzero(mask.any((0, 1))) + (box[2].start or 0)
            extents[name] = (int(slices[0]), int(slices[-1]))
    membership = np.zeros((len(members), len(case.structures)), dtype=bool)
    for atom, inside in enumerate(members):
        membership[atom, list(inside)] = True
    unknown = case.canonical_unknown()
    if unknown is not None:
        atoms[unknown] = UNKNOWN
    return TrainingCase(
        image=image,
        atoms=atoms,
        membership=membership,
        structures=case.structures,
        absent=case.absent,
        modality=case.modality,
        extents=extents,
        exclusive=_exclusive(
            case.structures, membership, np.bincount(atoms[atoms >= 0], minlength=len(members))
        ),
    )


def _exclusive(
    names: tuple[str, ...], membership: NDArray[np.bool_], counts: NDArray[np.int64]
) -> frozenset[str]:
    """Choose structures that share no voxel, preferring those with few others inside."""
    present = counts > 0
    sizes = membership.T @ counts
    chosen: list[int] = []
    taken = np.zeros(len(membership), dtype=bool)
    # The smallest first: a whole comes after its parts, and then shares their voxels.
    for index in np.argsort(sizes, kind="stable").tolist():
        inside = membership[:, index] & present
        if inside.any() and not (inside & taken).any():
            chosen.append(index)
            taken |= inside
    return frozenset(names[index] for index in chosen)
