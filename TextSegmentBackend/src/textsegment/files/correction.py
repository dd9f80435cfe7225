"""Corrections from files: what was drawn is what differs between a result and its edited version."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from textsegment.correction import Edit
from textsegment.errors import EditError, UnknownStructureError
from textsegment.files.images.seg_nrrd import is_seg_nrrd, replace_segment
from textsegment.files.masks import read_masks
from textsegment.files.results import write_result
from textsegment.files.scan import Scan
from textsegment.files.segmentations import name_of_image
from textsegment.prompt import Prompt
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.segmenter import ModelInfo
from textsegment.vocabulary.resolve import resolve


@dataclass(frozen=True, eq=False)
class DrawnStructure:
    """A structure that a person has edited in a file.

    Attributes:
        name: Name of the structure, as in the files.
        edits: What was drawn.
        base: Mask before the edits; None if the structure was drawn once.
        others: The whole result before the edits; None if there is none.
        file: File of that result, or None.
    """

    name: str
    edits: tuple[Edit, ...]
    base: StructureMask | None
    others: Segmentation | None
    file: Path | None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all structures of the corrected result."""
        before = () if self.others is None else tuple(mask.structure for mask in self.others)
        return before if self.name in before else (*before, self.name)

    def prompt(self, model: ModelInfo, modality: str, asked: str | None = None) -> Prompt | None:
        """Return the prompt for the structure, or None if the model does not know it.

        Args:
            model: Model that corrects.
            modality: Modality of the scan.
            asked: Prompt that the user has asked for; None to take the name.
        """
        if asked is not None:
            return Prompt(asked)
        known = model.structures.get(modality, ())
        meanings = resolve(self.name, modality)
        exact = [one.structures for one in meanings if one.status == "resolved" and one.relation == "exact"]
        names = {Prompt(self.name).text, *(exact[0] if len(meanings) == len(exact) == 1 else ())}
        found = [name for name in names if name in known]
        return Prompt(found[0]) if len(found) == 1 else None


def read_edits(scan: Scan, structure: str, edited: Path, result: Path | None = None) -> DrawnStructure:
    """Read what a person has drawn.

    Args:
        scan: Scan to which the files belong.
        structure: Name of the structure; case does not matter.
        edited: Segmentation with the structure as it was edited; an image of one structure without names may
            be called anything.
        result: Segmentation before the edits; without it, or where it lacks the structure, the structure was
            drawn once.

    Raises:
        UnknownStructureError: The edited file has no structure of this name.
        EditError: The structure is the same in both files.
        GeometryError: A file lies on another grid than the scan.
        InputError: A file cannot be read.
    """
    shape = scan.volume.geometry.spatial_shape
    given = read_masks(edited, scan)
    after = _named(given, structure) or _nameless(given, edited, structure)
    others = None if result is None else read_masks(result, scan)
    if after is None:
        names = ", ".join(mask.structure for mask in given)
        raise UnknownStructureError(f"The edited file has no structure {structure!r}.", f"It has: {names}.")
    base = None if others is None else _named(others, structure)
    old = np.zeros(shape, dtype=bool) if base is None else base.full(shape)
    edits = Edit.between(old, after.full(shape), spacing=scan.volume.geometry.spacing)
    if not edits:
        raise EditError("The structure is the same in both files.", "Draw it anew in a few slices.")
    return DrawnStructure(after.structure if base is None else base.structure, edits, base, others, result)


def write_corrected(
    drawn: DrawnStructure,
    mask: StructureMask,
    model: ModelInfo,
    scan: Scan,
    path: str,
    on_warning: Callable[[str], None],
) -> tuple[Path, ...]:
    """Write the result with the corrected mask in place of the old one, all else as it was.

    From a segmentation of 3D Slicer to another one, colours, terminology and tags of the other segments are
    kept, too.

    Args:
        drawn: What was drawn.
        mask: Corrected mask.
        model: Model that has corrected.
        scan: Scan to which the mask belongs.
        path: Output; see ``write_result``.
        on_warning: Callback for each sentence that the user should see.

    Raises:
        OutputError: The output cannot be written.
    """
    mask = replace(mask, structure=drawn.name)
    if drawn.file is not None and is_seg_nrrd(drawn.file) and is_seg_nrrd(path):
        replace_segment(drawn.file, path, mask)
        return (Path(path),)
    if drawn.others is None:
        made_by = {"model": model.model, "weights_sha256": model.weights_sha256, "device": model.device}
        result = Segmentation(scan.volume.geometry, (mask,), made_by)
    else:
        masks = [mask if other is drawn.base else other for other in drawn.others]
        result = replace(drawn.others, masks=(*masks, mask) if drawn.base is None else tuple(masks))
    return write_result(result, path, source=scan.source, on_warning=on_warning)


def _nameless(given: Segmentation, path: Path, structure: str) -> StructureMask | None:
    """Return the only structure of an image that holds no names, under the name that the user gives it."""
    if is_seg_nrrd(path) or [mask.structure for mask in given] != [name_of_image(path)]:
        return None
    name = " ".join(structure.split())
    return replace(given.masks[0], structure=name) if name else None


def _named(segmentation: Segmentation, structure: str) -> StructureMask | None:
    wanted = " ".join(structure.split()).casefold()
    found = [mask for mask in segmentation if " ".join(mask.structure.split()).casefold() == wanted]
    if len(found) > 1:
        raise UnknownStructureError(
            f"There are several structures {structure!r} in a file.", "Rename all but one of them."
        )
    return found[0] if found else None
