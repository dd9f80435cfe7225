"""One case of a set on disk: masks on the grid of the scan, and everything on the canonical grid."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from textsegment.datasets.case import canonical_file
from textsegment.datasets.data_set import CASES_FOLDER
from textsegment.datasets.record import SAT_MODALITIES, UNKNOWN_VOXELS, FlatBox, Record, flat
from textsegment.geometry import Box, Geometry
from textsegment.inference.image.canonical import CanonicalImage, labels_to_canonical, to_canonical
from textsegment.inference.image.grid import box_on
from textsegment.inference.image.intensity import normalize
from textsegment.segmentation import StructureMask
from textsegment.volume import Volume

Spacing = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class CheckedCase:
    """A labelled scan whose labels have been read, named and checked.

    Attributes:
        sample_id: Name of the case, unique in the set.
        patient_id: Pseudonym of the patient.
        dataset: Name of the data set.
        split: ``train``, ``validation`` or ``test``.
        image: Path of the scan, relative to the folder of the set.
        volume: The scan.
        masks: Mask of each drawn structure on the grid of the scan, unions included, none of them empty.
        unknown: Voxels about which nothing is known, or None.
        known: Structures whose presence or absence is known.
        partly: Range of heights in the patient (axis S, in millimetres) for which the truth is known, for
            structures that were drawn over a part of their length only.
    """

    sample_id: str
    patient_id: str
    dataset: str
    split: str
    image: str
    volume: Volume
    masks: Mapping[str, StructureMask]
    unknown: StructureMask | None
    known: tuple[str, ...]
    partly: Mapping[str, list[float]]


def write_case(case: CheckedCase, folder: Path, spacing: Spacing) -> Record:
    """Write a case into the folder of a set, replacing an older one of the same name.

    Args:
        case: The case.
        folder: Folder of the set.
        spacing: Voxel size of the canonical grid in millimetres.

    Returns:
        Its line of ``cases.jsonl``.

    Raises:
        VolumeInvalidError: The voxels of the scan cannot be normalised.
    """
    inside = f"{CASES_FOLDER}/{case.sample_id}"
    home = folder / inside
    shutil.rmtree(home, ignore_errors=True)  # left by an earlier run of the same command
    canonical = to_canonical(case.volume, spacing=spacing)
    (home / "canonical").mkdir(parents=True)
    image = normalize(canonical.voxels, case.volume.modality).astype(np.float16)[None]
    np.save(home / "image.npy", image)
    stored = dict(case.masks) | ({UNKNOWN_VOXELS: case.unknown} if case.unknown else {})
    bits = {name: np.packbits(mask.mask) for name, mask in stored.items()}
    with (home / "masks.npz").open("wb") as file:
        np.savez_compressed(file, **bits)  # type: ignore[arg-type]  # numpy's stubs know one keyword only
    boxes: list[FlatBox] = []
    for name, mask in stored.items():
        box, region = on_canonical(mask, case.volume.geometry, canonical)
        if box is not None:
            whole = name == UNKNOWN_VOXELS  # read without a box
            np.save(
                folder / canonical_file(f"{inside}/canonical", name),
                _placed(box, region, canonical) if whole else region,
            )
        if name != UNKNOWN_VOXELS:
            boxes.append(flat(box))
    return Record(
        image=case.image,
        mask=f"{inside}/masks.npz",
        label=list(case.masks),
        modality=SAT_MODALITIES[case.volume.modality],
        dataset=case.dataset,
        official_split=case.split,
        patient_id=case.patient_id,
        renorm_image=f"{inside}/image.npy",
        chwd=list(image.shape),
        renorm_segmentation_dir=f"{inside}/canonical",
        renorm_y1x1z1_y2x2z2=boxes,
        roi_y1x1z1_y2x2z2=_around(boxes),
        sample_id=case.sample_id,
        annotated=list(case.known),
        mask_shape=list(case.volume.geometry.spatial_shape),
        mask_boxes={name: flat(mask.box) for name, mask in stored.items()},
        partly=dict(case.partly),
    )


def on_canonical(
    mask: StructureMask, geometry: Geometry, canonical: CanonicalImage
) -> tuple[Box | None, NDArray[np.bool_]]:
    """Bring a mask to the canonical grid, computing only what lies around its box.

    Returns:
        Its box on the canonical grid, and the mask in it; None and an empty array if it has no voxel there.
    """
    around = box_on(canonical.geometry, geometry, mask.box)
    if 0 in around.shape:
        return None, np.zeros((0, 0, 0), dtype=bool)
    part = replace(canonical, geometry=canonical.geometry.cropped(around))
    region = labels_to_canonical(mask.mask, geometry.cropped(mask.box), part)
    inside = Box.around(region)
    if inside is None:
        return None, np.zeros((0, 0, 0), dtype=bool)
    start = tuple(a + b for a, b in zip(around.start, inside.start, strict=True))
    stop = tuple(a + b for a, b in zip(around.start, inside.stop, strict=True))
    box = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
    return box, np.ascontiguousarray(region[inside.slices])


def heights(mask: StructureMask, geometry: Geometry) -> list[float]:
    """Return the lowest and highest position of a mask along the patient axis S, in millimetres."""
    indices = np.argwhere(mask.mask) + np.asarray(mask.box.start)
    along = geometry.to_ras(indices)[:, 2]
    return [float(along.min()), float(along.max())]


def _placed(box: Box, region: NDArray[np.bool_], canonical: CanonicalImage) -> NDArray[np.bool_]:
    whole = np.zeros(canonical.geometry.spatial_shape, dtype=bool)
    whole[box.slices] = region
    return whole


def _around(boxes: list[FlatBox]) -> FlatBox:
    real = np.array([box for box in boxes if not isinstance(box, bool)])
    return [*real[:, :3].min(0).tolist(), *real[:, 3:].max(0).tolist()] if len(real) else False
