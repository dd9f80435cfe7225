"""What a command selects in every image: structures by text and template, derived structures, and names."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from textsegment.cli.suggestions import take_suggestions
from textsegment.derive.expression import Definition, parse_definition
from textsegment.derive.plan import DerivationPlan, make_plan
from textsegment.errors import PromptError, SettingsError, UnknownStructureError
from textsegment.templates import template_named
from textsegment.vocabulary.naming import names_of
from textsegment.vocabulary.resolve import MODALITIES, resolve
from textsegment.vocabulary.selection import Consent, Selection, check_text, find_structures
from textsegment.vocabulary.template import Template, TemplateEntry

_DERIVE_HINT = (
    'Name the parts in the text, and say what to make of them: "liver, heart" --derive "Opt = liver - (heart '
    'margin 5)". There are + for union, & for intersection, - and margins in millimetres; --use FILE brings '
    "what a person has drawn, such as a target."
)
_EXPRESSION = re.compile(r"=|\w\s+(without|excluding|except)\s+\w", re.IGNORECASE)


@dataclass(frozen=True)
class SelectionCriteria:
    """The user's criteria for selecting structures.

    Attributes:
        text: Structures as typed, checked by ``check_text``; may be empty if there is a template.
        template: Template, or None.
        definitions: Definitions of structures to derive from others.
        naming: Naming scheme of the results; see ``names_of``.
        given: File with existing structures that definitions may use, or None.
    """

    text: str
    template: Template | None = None
    definitions: tuple[Definition, ...] = ()
    naming: str = "sat"
    given: Path | None = None

    def plan(
        self, modality: str, available: Collection[str], consent: Consent, given: Sequence[str] = ()
    ) -> tuple[DerivationPlan, tuple[str, ...]]:
        """Return the derivation plan for an image, and notes for the user.

        Args:
            modality: Modality of the image.
            available: Structures the model has in this modality.
            consent: Consent to sets of structures; see ``find_structures``.
            given: Names of the structures in the file ``given``.

        Raises:
            ModalityError: If the vocabulary does not support the modality.
            PromptError: If a term, the template or a definition cannot be run.
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
        """Return the content by which two requests are compared."""
        lines = [] if self.template is None else self.template.wanted
        return {
            "text": " ".join(self.text.split()),
            "template": [[line.output, *line.prompts] for line in lines],
            # Left out where there are none, so that results of older versions stay valid.
            **({"template_details": details} if (details := _details(lines)) else {}),
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
    """Separate images from text, and check what can be checked before an image is read.

    Args:
        arguments: Images, followed by the text. With a template the text may be missing; a last argument that
            exists as a file is then an image.
        template: Name of a template for ``template_named``, or None.
        derive: Definitions of derived structures.
        naming: Naming scheme; see ``names_of``.
        given: File with existing structures, or None.

    Returns:
        The paths of the images, and the criteria.

    Raises:
        PromptError: If images or structures are missing, a term is not understood, or the naming scheme is
            unknown.
        ExpressionError: If a definition cannot be parsed.
        SettingsError: If existing structures are given but nothing is derived.
        TextSegmentError: If the template cannot be read.
    """
    names_of((), naming)
    chosen = None if template is None else template_named(template)
    derives = bool(derive) or any(line.recipe for line in (chosen.wanted if chosen else ()))
    if given is not None and not derives:
        raise SettingsError("--use means nothing without --derive.", "Leave it out.")
    definitions = tuple(parse_definition(text) for text in derive)
    *images, last = arguments
    if chosen is not None and (not images or _is_there(last)):
        images, text = list(arguments), ""
    else:
        text = _require_text(images, last)
    _require_quotes(images)
    return [Path(image) for image in images], SelectionCriteria(text, chosen, definitions, naming, given)


def _details(lines: Sequence[TemplateEntry]) -> dict[str, Any]:
    """Return what a template says about its lines beyond names and structures."""
    plain = TemplateEntry("", ())
    return {
        line.output: [line.recipe, line.required, asdict(line.finishing), asdict(line.style)]
        for line in lines
        if (line.recipe, line.required, line.finishing, line.style)
        != (plain.recipe, plain.required, plain.finishing, plain.style)
    }


def _find(text: str, modality: str, available: Collection[str], consent: Consent) -> Selection:
    """Return the selection a text stands for, offering suggestions as ``take_suggestions`` does."""
    try:
        return find_structures(text, modality, available, consent)
    except UnknownStructureError:
        answered = take_suggestions(text, [modality], available)
        if answered is None:
            raise
        return find_structures(answered, modality, available, consent)


def _require_text(images: list[str], text: str) -> str:
    """Return the text, possibly with suggestions taken; refuse a call without structures or images."""
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
    """Return whether a text asks for a derived structure: "liver - GTV", "PTV + 5 mm", "union of lungs"."""
    # The words for derivation do not depend on the modality.
    refused = (resolution for resolution in resolve(text, "CT") if not resolution.runs)
    return any(r.status == "derived_volume" or _EXPRESSION.search(r.term) for r in refused)


def _require_quotes(images: list[str]) -> None:
    """Refuse ``scan.nii.gz liver, spleen``, in which unquoted words would be taken for images."""
    for number, path in enumerate(images[1:], start=2):
        if not _is_there(path) and not Path(path).suffix:
            raise PromptError(
                f"Argument {number} is no image.",
                "Put all structures into one pair of quotes, after the images.",
            )


def _is_there(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:  # longer than a file name can be
        return False
