"""Structures derived from the masks of a segmentation; each records its recipe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from numpy.typing import NDArray

from textsegment.caution import Caution, about
from textsegment.derive.expression import Combined, Definition, Expression, Name, united
from textsegment.derive.margin import Margin, reach_of
from textsegment.derive.region import Region, difference, intersection, union, with_margin
from textsegment.errors import ExpressionError, InputError, UnknownStructureError
from textsegment.geometry import Geometry
from textsegment.origin import Origin
from textsegment.segmentation import Segmentation, StructureMask

_OPERATIONS = {"+": union, "&": intersection, "-": difference}
# Cautions that explain why nothing is left of a region.
_LOSSES = {"contours_left_out", "contours_beyond_image", "contours_too_small", "contours_unreadable"}
# Deviation from the requested margin, in millimetres, above which a warning is given.
_HONEST_MM = 0.5


def derive(
    segmentation: Segmentation,
    definitions: Sequence[Definition],
    *,
    names: Mapping[str, str] | None = None,
    voxels: NDArray[Any] | None = None,
) -> Segmentation:
    """Add derived structures to a segmentation, leaving its masks unchanged.

    Args:
        segmentation: Segmentation with the structures to derive from.
        definitions: Definitions of the structures to add, in order; later ones may use earlier ones.
        names: Alternative names by structure, which definitions may use as well.
        voxels: Image on the grid of the segmentation, for the mean intensities.

    Returns:
        The segmentation with one additional mask per definition. Each new mask has its recipe in ``origin``;
        its warnings tell which operands were not found, whether the grid rounded a margin or the border of
        the image cut it off, and repeat the warnings of its operands.

    Raises:
        UnknownStructureError: A definition needs a structure that does not exist.
        ExpressionError: The name of a definition is already taken.
    """
    masks = {mask.structure: mask for mask in segmentation}
    for definition in definitions:
        known = _Names(masks, names or {})
        known.require_free(definition.name)
        operands = {name: masks[known.structure(name)] for name in definition.operands}
        work = _Work(operands, segmentation.geometry)
        region = work.region(definition.expression)
        mask = StructureMask.measured(
            definition.name, region.voxels, segmentation.geometry, start=region.start, voxels=voxels
        )
        said = _of_operands(operands.values(), mask) + [about(definition.name, note) for note in work.notes]
        parts = united(definition.expression)
        origin = Origin(recipe=str(definition), union_of=tuple(known.structure(part) for part in parts))
        masks[definition.name] = replace(mask, warnings=tuple(dict.fromkeys(said)), origin=origin)
    added = tuple(masks.values())[len(segmentation) :]
    return replace(segmentation, masks=segmentation.masks + added)


def require_derivable(
    definitions: Sequence[Definition], structures: Sequence[str], names: Mapping[str, str]
) -> None:
    """Check, before any mask exists, that ``derive`` will find the structures it needs.

    Args:
        definitions: Definitions, as for ``derive``.
        structures: Structures that will exist.
        names: Alternative names by structure, as for ``derive``.

    Raises:
        UnknownStructureError: A definition needs a structure that will not exist.
        ExpressionError: The name of a definition is already taken.
    """
    there = list(structures)
    for definition in definitions:
        known = _Names(there, names)
        known.require_free(definition.name)
        for name in definition.operands:
            known.structure(name)
        there.append(definition.name)


def require_whole(operands: Iterable[StructureMask]) -> None:
    """Reject operands that lost all of their contours when they were read.

    Raises:
        InputError: An operand lost all of its contours, so anything derived from it would be wrong.
    """
    for mask in operands:
        codes = {caution.code for caution in mask.warnings if isinstance(caution, Caution)}
        if mask.statistics.is_empty and codes & _LOSSES:
            raise InputError(
                f"Nothing of {mask.structure!r} lies on the slices of this scan.",
                "Give the structures that were drawn on it, or leave this one out.",
            )


def _of_operands(operands: Iterable[StructureMask], result: StructureMask) -> list[Caution]:
    """Return the warnings that a derived structure inherits from its operands."""
    said = []
    for mask in operands:
        # A missing operand is reported separately, with its consequence for the result.
        said += [about(mask.structure, each) for each in mask.warnings if each != _not_found(mask.structure)]
        if mask.statistics.touches_border and not result.statistics.touches_border:
            said.append(Caution("operand_cut_off", mask.structure))
    return said


def _not_found(structure: str) -> Caution:
    return Caution("not_found", structure=structure)


class _Names:
    """Lookup of structures by name, ignoring case, repeated spaces and underscores."""

    def __init__(self, structures: Iterable[str], names: Mapping[str, str]) -> None:
        self._structures: dict[str, str] = {}
        self._names = names
        structures = tuple(structures)
        # Output names take precedence over the names of the model.
        for structure in structures:
            self._structures.setdefault(name_key(names.get(structure, structure)), structure)
        for structure in structures:
            self._structures.setdefault(name_key(structure), structure)

    def structure(self, name: str) -> str:
        """Return the structure that a name refers to."""
        structure = self._structures.get(name_key(name))
        if structure is None:
            keys = get_close_matches(name_key(name), self._structures, n=5)
            near = tuple(dict.fromkeys(self._written(key) for key in keys))
            there = ", ".join(near or tuple(dict.fromkeys(map(self._written, self._structures)))[:12])
            raise UnknownStructureError(
                f"A definition needs {name!r}, which is not among the structures.",
                f"Name it in the text too. There are {there}; operators are +, & and -.",
                near,
            )
        return structure

    def _written(self, key: str) -> str:
        structure = self._structures[key]
        return self._names.get(structure, structure)

    def require_free(self, name: str) -> None:
        if name_key(name) in self._structures:
            raise ExpressionError(
                f"There is a structure {name!r} already.", "Give the derived one another name."
            )


def name_key(name: str) -> str:
    """Return the lookup key of a name, in which case, repeated spaces and underscores do not matter."""
    return " ".join(name.replace("_", " ").split()).casefold()


class _Work:
    """Evaluates one expression and collects cautions about it."""

    def __init__(self, operands: Mapping[str, StructureMask], geometry: Geometry) -> None:
        self._operands = operands
        self._geometry = geometry
        self.notes: list[Caution] = []

    def region(self, expression: Expression) -> Region:
        """Return the region that an expression evaluates to."""
        if isinstance(expression, Name):
            mask = self._operands[expression.text]
            if mask.statistics.is_empty:
                self.notes.append(Caution("operand_not_found", operand=expression.text))
            return Region(mask.box.start, mask.mask)
        if isinstance(expression, Combined):
            return _OPERATIONS[expression.sign](self.region(expression.left), self.region(expression.right))
        operand = self.region(expression.operand)
        result, is_cut = with_margin(operand, expression.margin, self._geometry)
        if is_cut:
            self.notes.append(Caution("margin_cut_off"))
        self._say_what_grid_makes_of(expression.margin)
        return result

    def _say_what_grid_makes_of(self, margin: Margin) -> None:
        reach = reach_of(margin, self._geometry)
        axes = zip(self._geometry.axis_codes, reach.asked_mm, reach.mm, strict=True)
        changed = []
        for code, asked, got in axes:
            for letter, wish, have in zip((_OPPOSITE[code], code), asked, got, strict=True):
                if abs(wish - have) > _HONEST_MM:
                    changed.append(f"{letter} {have:.1f} instead of {wish:.1f} mm")
        if changed:
            self.notes.append(Caution("margin_rounded", changes=", ".join(changed)))


_OPPOSITE = dict(zip("LRAPSI", "RLPAIS", strict=True))
