"""Resolutions, terms and templates as JSON objects: the same on the command line and from a server."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from textsegment.vocabulary.appearance import TISSUE
from textsegment.vocabulary.resolution import Resolution
from textsegment.vocabulary.structures import Code, Codes, find_structure
from textsegment.vocabulary.template import Template
from textsegment.vocabulary.tree import Term, load_tree


def describe_resolutions(text: str, modality: str, found: Iterable[Resolution]) -> dict[str, Any]:
    """Return what the terms of a text stand for.

    Args:
        text: The whole text.
        modality: ``CT``, ``MR`` or ``PT``.
        found: Resolutions of its terms, in order.

    Example:
        >>> from textsegment.vocabulary.resolve import resolve
        >>> describe_resolutions("lt kidney", "CT", resolve("lt kidney", "CT"))["terms"][0]["prompts"]
        ['left kidney']
    """
    terms = [
        {
            "term": one.term,
            "status": one.status,
            "prompts": list(one.structures),
            "relation": one.relation,
            "warnings": list(one.warnings),
            "suggestions": list(one.suggestions),
        }
        for one in found
    ]
    return {"text": text, "modality": modality, "terms": terms}


def describe_term(term: Term, modality: str, available: Collection[str] | None = None) -> dict[str, Any]:
    """Return a term of the anatomy tree, with what a model has for it.

    Args:
        term: Term of the tree.
        modality: ``CT``, ``MR`` or ``PT``.
        available: Structures that the model in use supports in the modality; None for those of the
            published models.

    Example:
        >>> liver, = load_tree().named("liver")
        >>> described = describe_term(liver, "CT", available={"spleen"})
        >>> described["support"], described["prompts"]
        ('none', [])
    """
    support = load_tree().support(term.id, modality)
    prompts = [name for name in support.structures if available is None or name in available]
    return {
        "id": term.id,
        "name": term.name,
        "synonyms": list(term.synonyms),
        "definition": term.definition,
        "source": term.source,
        "parents": [{"id": parent.id, "relation": parent.relation} for parent in term.parents],
        "support": support.kind if prompts else "none",
        "prompts": prompts,
    }


def describe_branch(
    term: Term, modality: str, depth: int, available: Collection[str] | None = None
) -> dict[str, Any]:
    """Return a term with the terms below it.

    Args:
        term: Term to begin at.
        modality: ``CT``, ``MR`` or ``PT``.
        depth: Levels to include; 1 for the term alone, whose ``children`` are then empty.
        available: As for ``describe_term``.
    """
    children = load_tree().children(term.id) if depth > 1 else ()
    branches = [describe_branch(child, modality, depth - 1, available) for child in children]
    return {**describe_term(term, modality, available), "children": branches}


def describe_structure(name: str) -> dict[str, Any]:
    """Return a structure with its kind and its coded terms, as DICOM objects need them.

    Args:
        name: Prompt of the structure; one that the vocabulary does not know is coded as tissue.

    Example:
        >>> described = describe_structure("left kidney")
        >>> described["type"]["meaning"], described["type_modifier"]["meaning"], described["kind"]
        ('Kidney', 'Left', 'organ')
    """
    known = find_structure(name)
    codes = known.codes if known is not None else Codes(TISSUE, TISSUE, exact=False)
    fields = ("category", "type", "type_modifier", "region", "region_modifier")
    described = {field: _describe_code(getattr(codes, field)) for field in fields}
    return {"name": name, "kind": known.kind if known is not None else "", **described}


def _describe_code(code: Code | None) -> dict[str, str] | None:
    return None if code is None else {"value": code.value, "scheme": code.scheme, "meaning": code.meaning}


def describe_template(
    template: Template, modality: str, available: Collection[str] | None = None
) -> dict[str, Any]:
    """Return a template with the lines of it that run, and sentences about those that do not.

    Args:
        template: Set of structures.
        modality: ``CT``, ``MR`` or ``PT``.
        available: As for ``describe_term``.
    """
    entries = [
        {"output": entry.output, "prompts": list(entry.prompts)}
        for entry in template.chosen(modality, available)
    ]
    warnings = list(template.warnings(modality, available))
    return {"id": template.id, "label": template.label, "structures": entries, "warnings": warnings}
