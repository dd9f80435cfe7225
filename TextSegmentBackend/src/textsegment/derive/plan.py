"""Plans that turn requested structures into prompts, and the masks of the model into those structures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

from numpy.typing import NDArray

from textsegment.caution import Caution
from textsegment.derive.expression import Combined, Definition, Expression, Name, parse_definition
from textsegment.derive.finishing import finished
from textsegment.derive.structures import derive, name_key, require_derivable
from textsegment.doubt import counted_anew
from textsegment.errors import ExpressionError, PromptError, UnknownStructureError
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.vocabulary.naming import names_of
from textsegment.vocabulary.template import (
    NO_FINISHING,
    USUAL_STYLE,
    Finishing,
    RegionStyle,
    Template,
    TemplateEntry,
)


@dataclass(frozen=True)
class DerivationPlan:
    """The prompts for the model, and how its masks become the result.

    Attributes:
        prompts: Prompts for the model; may contain duplicates.
        outputs: Structures of the result, in order.
        names: Output names by structure; structures not listed keep their own name.
        definitions: Definitions of derived structures, those of the template first.
        missing: Lines of the template that the model does not support, by reason.
        template: Identifier of the template; empty if there is none.
        given: Names of existing structures that the definitions use.
        finishings: What is done to masks after the model, by structure.
        styles: How structures are written, beyond their names, by structure.
        required: Structures without which the result is not what the template wants.
    """

    prompts: tuple[str, ...]
    outputs: tuple[str, ...]
    names: Mapping[str, str]
    definitions: tuple[Definition, ...]
    missing: Mapping[str, tuple[str, ...]]
    template: str
    given: tuple[str, ...] = ()
    finishings: Mapping[str, Finishing] = field(default_factory=dict)
    styles: Mapping[str, RegionStyle] = field(default_factory=dict)
    required: tuple[str, ...] = ()

    @property
    def written_names(self) -> tuple[str, ...]:
        """Output names, in the order of ``outputs``."""
        return tuple(self.names.get(structure, structure) for structure in self.outputs)

    def finish(
        self,
        segmentation: Segmentation,
        voxels: NDArray[Any] | None = None,
        given: Segmentation | None = None,
    ) -> Segmentation:
        """Finish masks, derive the defined structures, and drop masks that were needed only as operands.

        A derived structure is made of finished masks, and then finished itself.

        Args:
            segmentation: Masks of all prompts.
            voxels: Image on the same grid, for the mean intensities of derived structures.
            given: Existing structures on the same grid. They are not part of the result, but their warnings
                are passed on to structures derived from them.
        """
        if given is not None:
            used = tuple(given[structure] for structure in self.given)
            said = tuple(dict.fromkeys((*segmentation.warnings, *given.warnings)))
            segmentation = replace(segmentation, masks=segmentation.masks + used, warnings=said)
        whole = self._finished(segmentation, self.prompts, voxels)
        for definition in self.definitions:
            whole = derive(whole, [definition], names=self.names, voxels=voxels)
            whole = self._finished(whole, [definition.name], voxels)
        masks = tuple(whole[structure] for structure in self.outputs)
        template = {"template": self.template} if self.template else {}
        lacking = tuple(
            Caution("required_not_found", self.names.get(mask.structure, mask.structure))
            for mask in masks
            if mask.structure in self.required and mask.statistics.is_empty
        )
        warnings = (*whole.warnings, *lacking)
        return counted_anew(Segmentation(whole.geometry, masks, {**whole.provenance, **template}, warnings))

    def _finished(
        self, segmentation: Segmentation, structures: Collection[str], voxels: NDArray[Any] | None
    ) -> Segmentation:
        def after(mask: StructureMask) -> StructureMask:
            finishing = self.finishings.get(mask.structure)
            if finishing is None or mask.structure not in structures:
                return mask
            return finished(mask, finishing, segmentation.geometry, voxels)

        return replace(segmentation, masks=tuple(after(mask) for mask in segmentation))


def make_plan(
    structures: Sequence[str],
    *,
    modality: str,
    available: Collection[str],
    template: Template | None = None,
    definitions: Sequence[Definition] = (),
    naming: str = "sat",
    given: Sequence[str] = (),
) -> DerivationPlan:
    """Plan which prompts the model is given and what is derived from its masks.

    Args:
        structures: Prompts that the text resolved to.
        modality: DICOM code of the modality: ``CT``, ``MR`` or ``PT``.
        available: Structures that the model supports in this modality.
        template: Template requested in addition to the text; its lines keep their own output names.
        definitions: Structures to derive from the others.
        naming: Naming scheme for the structures of the text; see ``names_of``.
        given: Names of existing structures that definitions may use.

    Raises:
        UnknownStructureError: The model supports no line of the template or lacks a required one, or a
            definition needs a structure that does not exist.
        ExpressionError: A definition has the name of another structure, or uses a name that is ambiguous.
        PromptError: Nothing was requested, or the naming scheme is unknown.
    """
    lines = template.chosen(modality, available) if template is not None else ()
    if template is not None and not any(line.prompts for line in lines):
        raise UnknownStructureError(
            f"The model has nothing of {template.label} in {modality}.",
            "Use another model: `textsegment weights list` shows them.",
        )
    asked = tuple(dict.fromkeys(structures))
    if not asked and not lines:
        raise PromptError("There is no prompt.", "Name at least one structure, for example liver.")
    lines, lacking = _with_operands(lines, {*asked, *given})
    missing = {**(template.missing(modality, available) if template is not None else {}), **lacking}
    _require_all(template, missing)
    placed = _placed(lines, asked)
    names = {
        structure: structure if name in placed.own.values() else name
        for structure, name in names_of(asked, naming).items()
    }
    needed = dict.fromkeys(prompt for line in lines for prompt in line.prompts)
    # Duplicates in the text are left to the segmenter, which merges them and warns.
    prompts = (*structures, *(prompt for prompt in needed if prompt not in asked))
    names.update(placed.own)
    made = (*placed.definitions, *definitions)
    unions = {definition.name for definition in placed.definitions}
    used = _used(given, made, {*prompts, *names.values(), *unions})
    require_derivable(made, (*prompts, *used), names)
    return DerivationPlan(
        prompts,
        (*placed.outputs, *(definition.name for definition in definitions)),
        names,
        made,
        missing,
        template.id if template is not None else "",
        used,
        {key: line.finishing for key, line in placed.lines.items() if line.finishing != NO_FINISHING},
        {key: line.style for key, line in placed.lines.items() if line.style != USUAL_STYLE},
        tuple(key for key, line in placed.lines.items() if line.required),
    )


@dataclass(frozen=True)
class _Placed:
    """The lines of a template as structures of the result.

    Attributes:
        outputs: Structures of the result, those of the text first.
        own: Names of structures of the model that a line names.
        definitions: Definitions of the other lines: unions first, as derived ones may use them.
        lines: The line of each structure.
    """

    outputs: tuple[str, ...]
    own: Mapping[str, str]
    definitions: tuple[Definition, ...]
    lines: Mapping[str, TemplateEntry]


def _placed(lines: Sequence[TemplateEntry], asked: Sequence[str]) -> _Placed:
    own: dict[str, str] = {}
    unions: list[Definition] = []
    derived: list[Definition] = []
    by_structure: dict[str, TemplateEntry] = {}
    for line in lines:
        structure = line.output
        if line.recipe:
            derived.append(_definition(line))
        elif len(line.prompts) == 1 and line.prompts[0] not in own:
            structure = line.prompts[0]
            own[structure] = line.output
        else:
            unions.append(_union(line))
        by_structure[structure] = line
    outputs = tuple(dict.fromkeys((*asked, *by_structure)))
    return _Placed(outputs, own, (*unions, *derived), by_structure)


def _with_operands(
    lines: Sequence[TemplateEntry], others: Collection[str]
) -> tuple[tuple[TemplateEntry, ...], Mapping[str, tuple[str, ...]]]:
    """Return the lines without derived ones that lack an operand, and the names of these by reason."""
    there = {name_key(name) for name in others}
    for line in lines:
        if not line.recipe:
            there.update(map(name_key, (line.output, *line.prompts)))
    kept: list[TemplateEntry] = []
    lacking: dict[str, tuple[str, ...]] = {}
    for line in lines:
        operands = _definition(line).operands if line.recipe else ()
        absent = [operand for operand in operands if name_key(operand) not in there]
        if absent:
            reason = f"Made of structures that are not there ({', '.join(absent)})"
            lacking[reason] = (*lacking.get(reason, ()), line.output)
        else:
            kept.append(line)
            there.add(name_key(line.output))
    return tuple(kept), lacking


def _require_all(template: Template | None, missing: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse to begin without what a template requires."""
    required = {line.output for line in template.wanted if line.required} if template is not None else set()
    lacking = {reason: sorted(required & set(names)) for reason, names in missing.items()}
    said = "; ".join(f"{', '.join(names)} ({reason.lower()})" for reason, names in lacking.items() if names)
    if said:
        raise UnknownStructureError(
            f"The template requires what cannot be made: {said}.", "Use another model, or another template."
        )


def _definition(line: TemplateEntry) -> Definition:
    return parse_definition(f'"{line.output}" = {line.recipe}')


def _used(given: Sequence[str], definitions: Sequence[Definition], own: Collection[str]) -> tuple[str, ...]:
    """Return the given structures that definitions use, and reject ambiguous names."""
    by_key = {name_key(name): name for name in given}
    doubled = {key for key, count in Counter(map(name_key, given)).items() if count > 1}
    own_keys = {name_key(name) for name in own}
    used: dict[str, None] = {}
    for operand in (operand for definition in definitions for operand in definition.operands):
        key = name_key(operand)
        if key in by_key and key in own_keys:
            raise ExpressionError(
                f"{operand!r} is both a new structure and a given one.", "Rename the one that was given."
            )
        if key in doubled:
            raise ExpressionError(
                f"{operand!r} is the name of several structures that were given.", "Rename all but one."
            )
        if key in by_key:
            used[by_key[key]] = None
    return tuple(used)


def _union(entry: TemplateEntry) -> Definition:
    parts: list[Expression] = [Name(prompt) for prompt in entry.prompts]
    return Definition(entry.output, reduce(lambda left, right: Combined("+", left, right), parts))
