"""Validated requests for a correction, which every engine builds from its arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, prod

import numpy as np
from numpy.typing import NDArray

from textsegment.caution import Caution
from textsegment.correction.edit import Edit, merged
from textsegment.errors import EditError, PromptError
from textsegment.geometry import Box
from textsegment.prompt import MAX_PROMPT_CHARACTERS, Prompt
from textsegment.segmentation import StructureMask
from textsegment.volume import Volume

MARGIN_MM = 30.0
"""Distance from the old mask and from the drawn voxels beyond which a correction changes nothing."""


@dataclass(frozen=True, eq=False)
class Correction:
    """A validated request to carry edits to the rest of the image.

    Attributes:
        volume: Scan; its voxels have been checked.
        edits: What a person has drawn, in order; at least one voxel is known.
        base: The mask that was edited, before the edits; None if there is none yet.
        prompt: Prompt that asks the model for the structure; None if the model does not know it.
        name: Name of the structure.
        within: Box of voxels that may change; None for all.
        warnings: Messages for the user that are known before anything is computed.

    Example:
        >>> from textsegment.testing import ball, phantom
        >>> volume = phantom()
        >>> drawn = Edit.slice_of(ball("liver", volume.geometry), 2, 9)
        >>> Correction.of(volume, [drawn], name="my structure").name
        'my structure'
    """

    volume: Volume
    edits: tuple[Edit, ...]
    base: StructureMask | None
    prompt: Prompt | None
    name: str
    within: Box | None = None
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        volume: Volume,
        edits: Sequence[Edit],
        *,
        base: StructureMask | None = None,
        prompt: Prompt | str | None = None,
        name: str = "",
        within: Box | None = None,
    ) -> Correction:
        """Validate the arguments of ``Segmenter.correct``, and return them as a request.

        Raises:
            VolumeInvalidError: A voxel is NaN, infinite or absurdly large, or the image is constant.
            EditError: There are no edits, or edits or mask lie outside the image, fill all of it, or leave
                nothing to begin with.
            PromptError: Neither name, mask nor prompt says what the structure is called.
        """
        shape = volume.geometry.spatial_shape
        warnings = volume.require_segmentable()
        given = tuple(edits)
        if not any(edit.known.any() for edit in given):
            raise EditError("There are no edits.", "Draw at least one slice, or mark a point.")
        for edit in given:
            _require_inside(edit.box, shape, "An edit lies")
        if isinstance(prompt, str):
            prompt = Prompt(prompt)
        if base is not None:
            _require_inside(base.box, shape, "The mask lies")
            if np.count_nonzero(base.mask) == prod(shape):
                raise EditError("The mask fills the whole image.", "Segment the structure first.")
        if within is not None:
            within = within.cut_to(shape)
            if 0 in within.shape:
                raise EditError("The box to correct lies outside the image.", "Place it on the image.")
        found = cls(volume, given, base, prompt, _name(name, base, prompt), within, warnings)
        return found._checked()

    def _checked(self) -> Correction:
        """Return this correction with a warning about contradictions."""
        boxes = [Box.around(edit.inside) for edit in self.edits]
        if not any(boxes) and self.prompt is None and (self.base is None or not self.base.mask.any()):
            raise EditError(
                Caution("edits_say_nothing"),
                "Draw it in at least one slice.",
            )
        region = self.region(0.0)
        if region is None:
            return self
        known, inside, disputed = merged(self.edits, region)
        drawn = np.where(known, inside, self.base_in(region))
        if np.count_nonzero(drawn) == prod(self.volume.geometry.spatial_shape):
            raise EditError("The edits fill the whole image.", "Draw the structure only.")
        if not disputed:
            return self
        return replace(self, warnings=(*self.warnings, Caution("edits_disagree", count=disputed)))

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The prompt, if there is one, as a model is asked for it."""
        return () if self.prompt is None else (self.prompt,)

    def with_base(self, base: StructureMask) -> Correction:
        """Return this correction with the mask that the model has found for its prompt."""
        return replace(self, base=base)

    def region(self, margin_mm: float = MARGIN_MM) -> Box | None:
        """Return the box to look at: around the old mask and what was drawn, or None if both are empty."""
        shape = self.volume.geometry.spatial_shape
        boxes = [] if self.base is None or not self.base.mask.any() else [self.base.box]
        for edit in self.edits:
            found = Box.around(edit.inside)
            if found is not None:
                boxes.append(_moved(found, edit.box.start))
        if not boxes:
            return None
        pads = [ceil(margin_mm / size) for size in self.volume.geometry.spacing]
        i, j, k = (min(box.start[a] for box in boxes) - pads[a] for a in range(3))
        p, q, r = (max(box.stop[a] for box in boxes) + pads[a] for a in range(3))
        return Box((i, j, k), (p, q, r)).cut_to(shape)

    def base_in(self, box: Box) -> NDArray[np.bool_]:
        """Return the old mask in a box of the grid, all false if there is none."""
        found = np.zeros(box.shape, dtype=bool)
        if self.base is not None:
            part = self.base.box.intersection(box)
            if 0 not in part.shape:
                here = _moved(part, [-n for n in box.start]).slices
                found[here] = self.base.mask[_moved(part, [-n for n in self.base.box.start]).slices]
        return found

    def known_in(self, box: Box) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return the known voxels in a box of the grid, and those of them that are inside."""
        known, inside, _ = merged(self.edits, box)
        return known, inside

    def may_change_in(self, box: Box) -> NDArray[np.bool_]:
        """Return the voxels in a box of the grid that may change, drawn or not."""
        if self.within is None:
            return np.ones(box.shape, dtype=bool)
        found = np.zeros(box.shape, dtype=bool)
        part = self.within.intersection(box)
        if 0 not in part.shape:
            found[_moved(part, [-n for n in box.start]).slices] = True
        return found


def _require_inside(box: Box, shape: tuple[int, int, int], what: str) -> None:
    if 0 in box.shape:
        return
    if box.cut_to(shape) != box:
        raise EditError(
            f"{what} outside the image.", "Was it made on another image? Draw it on the one to segment."
        )


def _name(name: str, base: StructureMask | None, prompt: Prompt | None) -> str:
    given = name or ("" if base is None else base.structure) or ("" if prompt is None else prompt.text)
    text = " ".join(given.split())
    if not text:
        raise PromptError("The structure has no name.", "Give it one.")
    if len(text) > MAX_PROMPT_CHARACTERS or not text.isprintable():
        raise PromptError(
            f"A name has at most {MAX_PROMPT_CHARACTERS} characters and no control characters.",
            "Give the structure another name.",
        )
    return text


def _moved(box: Box, by: Sequence[int]) -> Box:
    i, j, k = (a + b for a, b in zip(box.start, by, strict=True))
    p, q, r = (a + b for a, b in zip(box.stop, by, strict=True))
    return Box((i, j, k), (p, q, r))
