"""Plans that turn requested structures into prompts, and the masks of the model into those structures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from numpy.typing import NDArray

from textsegment.derive.expression import Combined, Definition, Expression, Name
from textsegment.derive.structures import derive, name_key, require_derivable
from textsegment.errors import ExpressionError, PromptError, UnknownStructureError
from textsegment.segmentation import Segmentation
from textsegment.vocabulary.naming import names_of
from textsegment.vocabulary.template import Template, TemplateEntry


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
    """

    prompts: tuple[str, ...]
    outputs: tuple[str, ...]
    names: Mapping[str, str]
    definitions: tuple[Definition, ...]
    missing: Mapping[str, tuple[str, ...]]
    template: str
    given: tuple[str, ...] = ()

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
        """Derive the defined structures and drop masks that were needed only as operands.

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
        whole = derive(segmentation, self.definitions, names=self.names, voxels=voxels)
        masks = tuple(whole[structure] for structure in self.outputs)
        template = {"template": self.template} if self.template else {}
        return Segmentation(whole.geometry, masks, {**whole.provenance, **template}, whole.warnings)


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
        UnknownStructureError: The model supports no line of the template, or a definition needs a structure
            that does not exist.
        ExpressionError: A definition has the name of another structure, or uses a name that is ambiguous.
        PromptError: Nothing was requested, or the naming scheme is unknown.
    """
    entries = template.chosen(modality, available) if template is not None else ()
    if template is not None and not entries:
        raise UnknownStructureError(
            f"The model has nothing of {template.label} in {modality}.",
            "Use another model: `textsegment weights list` shows them.",
        )
    asked = tuple(dict.fromkeys(structures))
    if not asked and not entries:
        raise PromptError("There is no prompt.", "Name at least one structure, for example liver.")
    own: dict[str, str] = {}
    unions: list[Definition] = []
    outputs = dict.fromkeys(asked)
    for entry in entries:
        if len(entry.prompts) == 1 and entry.prompts[0] not in own:
            own[entry.prompts[0]] = entry.output
            outputs[entry.prompts[0]] = None
        else:
            unions.append(_union(entry))
            outputs[entry.output] = None
    names = {
        structure: structure if name in own.values() else name
        for structure, name in names_of(asked, naming).items()
    }
    needed = dict.fromkeys(prompt for entry in entries for prompt in entry.prompts)
    # Duplicates in the text are left to the segmenter, which merges them and warns.
    prompts = (*structures, *(prompt for prompt in needed if prompt not in asked))
    names.update(own)
    used = _used(given, definitions, {*prompts, *names.values(), *(union.name for union in unions)})
    require_derivable([*unions, *definitions], (*prompts, *used), names)
    return DerivationPlan(
        prompts,
        (*outputs, *(definition.name for definition in definitions)),
        names,
        (*unions, *definitions),
        template.missing(modality, available) if template is not None else {},
        template.id if template is not None else "",
        used,
    )


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
