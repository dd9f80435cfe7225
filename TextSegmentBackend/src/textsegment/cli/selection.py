"""What a command wants of every image: structures by text and template, derived ones, names."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textsegment.cli.suggestions import take_suggestions
from textsegment.derive.expression import Definition, parse_definition
from textsegment.derive.plan import DerivationPlan, make_plan
from textsegment.errors import PromptError, SettingsError, UnknownStructureError
from textsegment.vocabulary.naming import names_of
from textsegment.vocabulary.resolve import MODALITIES, resolve
from textsegment.vocabulary.selection import Consent, Selection, check_text, find_structures
from textsegment.vocabulary.template import Template, template_named

_DERIVE_HINT = (
    'Name the parts in the text, and say what to make of them: "liver, heart" --derive "Opt = liver - (heart '
    'margin 5)". There are + for union, & for intersection, - and margins in millimetres; --use FILE brings '
    "what a person has drawn, such as a target."
)
_EXPRESSION = re.compile(r"=|\w\s+(without|excluding|except)\s+\w", re.IGNORECASE)


@dataclass(frozen=True)
class SelectionCriteria:
    """What is wanted.

    Attributes:
        text: Structures, as typed; checked by ``check_text``; may be empty if there is a template.
        template: A set of structures, or None.
        definitions: Structures to derive from the others.
        naming: Names of the results, see ``names_of``.
        given: File of structures made before that definitions may use, or None.
    """

    text: str
    template: Template | None = None
    definitions: tuple[Definition, ...] = ()
    naming: str = "sat"
    given: Path | None = None

    def plan(
        self, modality: str, available: Collection[str], consent: Consent, given: Sequence[str] = ()
    ) -> tuple[DerivationPlan, tuple[str, ...]]:
        """Return what to ask of the model, and what the user should know about it.

        Args:
            modality: Of the image.
            available: Structures that the model has in it.
            consent: As for ``find_structures``.
            given: Names of the structures in the file ``given``.

        Raises:
            ModalityError: The vocabulary knows nothing of this modality.
            PromptError: A term, the template or a definition cannot run.
        """
        structures: tuple[str, ...] = ()
        notes: tuple[str, ...] = ()
        if self.text:
            wanted = _find(self.text, modality, available, consent)
            structures, notes = wanted.structures, wanted.notes
        plan = make_plan(
            structures,
            modality=modality,
            available=available,
            template=self.template,
            definitions=self.definitions,
            naming=self.naming,
            given=given,
        )
        return plan, notes

    def to_json(self) -> dict[str, Any]:
        """Return what makes two requests the same."""
        lines = [] if self.template is None else self.template.wanted
        return {
            "text": " ".join(self.text.split()),
            "template": [[line.output, *line.prompts] for line in lines],
            "derive": [str(definition) for definition in self.definitions],
            "naming": self.naming,
        }


def read_criteria(
    arguments: Sequence[str],
    *,
    template: str | None,
    derive: Sequence[str],
    naming: str,
    given: Path | None,
) -> tuple[list[Path], SelectionCriteria]:
    """Tell images and text apart, and check what can be checked before an image is read.

    Args:
        arguments: Images and last the text, which may be missing if there is a template: then a last
            argument that exists is an image.
        template: As for ``template_named``, or None.
        derive: Definitions of derived structures.
        naming: As for ``names_of``.
        given: File of structures made before, or None.

    Raises:
        PromptError: Images or structures are missing, a term is not understood, or there is no such naming.
        ExpressionError: A definition cannot be read.
        SettingsError: Structures are given, and nothing is derived from them.
        TextSegmentError: The template cannot be read.
    """
    names_of((), naming)
    if given is not None and not derive:
        raise SettingsError("--use means nothing without --derive.", "Leave it out.")
    chosen = None if template is None else template_named(template)
    definitions = tuple(parse_definition(text) for text in derive)
    *images, last = arguments
    if chosen is not None and (not images or _is_there(last)):
        images, text = list(arguments), ""
    else:
        text = _require_text(images, last)
    _require_quotes(images)
    return [Path(image) for image in images], SelectionCriteria(text, chosen, definitions, naming, given)


def _find(text: str, modality: str, available: Collection[str], consent: Consent) -> Selection:
    """Return what a text stands for in a modality; suggestions may be taken, see ``take_suggestions``."""
    try:
        return find_structures(text, modality, available, consent)
    except UnknownStructureError:
        answered = take_suggestions(text, [modality], available)
        if answered is None:
            raise
        return find_structures(answered, modality, available, consent)


def _require_text(images: list[str], text: str) -> str:
    """Return the text; refuse a command line without structures; a folder of such a name is no image."""
    try:
        check_text(text)
    except UnknownStructureError as error:
        if images and (answered := take_suggestions(text, MODALITIES)) is not None:
            return answered
        if not _is_there(text):
            if _wants_derived(text):
                raise UnknownStructureError(error.message, _DERIVE_HINT, error.suggestions) from None
            raise
    else:
        if images:
            return text
    raise PromptError(
        "The command line needs images and, last, the structures.",
        'For example: textsegment segment scan.nii.gz "liver, left kidney" -o out.seg.nrrd',
    )


def _wants_derived(text: str) -> bool:
    """Whether a text asks for what is made of structures: "liver - GTV", "PTV + 5 mm", "union of lungs"."""
    # Words for it do not depend on the modality.
    refused = (resolution for resolution in resolve(text, "CT") if not resolution.runs)
    return any(r.status == "derived_volume" or _EXPRESSION.search(r.term) for r in refused)


def _require_quotes(images: list[str]) -> None:
    """Refuse ``scan.nii.gz liver, spleen``: words without quotes would be taken for images."""
    for number, path in enumerate(images[1:], start=2):
        if not _is_there(path) and not Path(path).suffix:
            raise PromptError(
                f"Argument {number} is no image.",
                "Put all structures into one pair of quotes, after the images.",
            )


def _is_there(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:  # longer than a name can be
        return False
