"""What a rule makes of an image: structures, names and derived structures."""

from __future__ import annotations

from textsegment.derive.expression import parse_definition
from textsegment.derive.plan import DerivationPlan, make_plan
from textsegment.node.rules.rule import Rule
from textsegment.templates import template_named
from textsegment.vocabulary.selection import find_structures
from textsegment.vocabulary.template import Template


def read_template(name: str) -> Template:
    """Return the template that a rule names: the only place where the node reads templates.

    Raises:
        TextSegmentError: There is no such template, or its file is not valid.
    """
    return template_named(name)


def plan_of(rule: Rule, modality: str, available: tuple[str, ...]) -> tuple[DerivationPlan, tuple[str, ...]]:
    """Return what a rule makes of an image, and notes for the user.

    Args:
        rule: The rule.
        modality: Modality of the image.
        available: Structures that the model has in this modality.

    Raises:
        PromptError: The model lacks structures, or a definition cannot be carried out.
        ModalityError: The modality is not supported.
    """
    structures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    if rule.text:
        chosen = find_structures(rule.text, modality, available, lambda meaning: True)
        structures, notes = chosen.structures, chosen.notes
    plan = make_plan(
        structures,
        modality=modality,
        available=available,
        template=None if rule.template is None else read_template(rule.template),
        definitions=tuple(parse_definition(text) for text in rule.derive),
        naming=rule.naming,
    )
    return plan, notes
