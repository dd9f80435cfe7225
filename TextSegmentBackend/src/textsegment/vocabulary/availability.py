"""Availability: which of the structures that a text stands for a model has. Decided here, nowhere else.

A model may have fewer structures than the vocabulary knows: ``sat-demo``, or one that a user has trained.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from textsegment.vocabulary.resolution import Resolution
from textsegment.vocabulary.structures import load_structures


def missing_from(names: Iterable[str], available: Collection[str] | None) -> tuple[str, ...]:
    """Return the structures that a model lacks, in order.

    Args:
        names: Structures that are asked for.
        available: Structures that the model has in the modality; None for a model that has all.

    Example:
        >>> missing_from(["liver", "spleen"], {"liver"})
        ('spleen',)
    """
    return () if available is None else tuple(name for name in names if name not in available)


def as_available(found: Resolution, available: Collection[str] | None) -> Resolution:
    """Return what a term stands for as far as a model has it.

    A set keeps what the model has, and says how much that is. A term of which it has nothing does not run;
    what holds the structure, or what it is made of, is suggested if the model has that.

    Args:
        found: The resolution of a term.
        available: As for ``missing_from``.

    Example:
        >>> from textsegment.vocabulary.resolve import resolve
        >>> [ribs] = resolve("left ribs", "CT")
        >>> as_available(ribs, {"left rib", "liver"}).status
        'unsupported'
    """
    missing = missing_from(found.structures, available)
    if available is None or not found.runs or not missing:
        return found
    kept = tuple(name for name in found.structures if name not in missing)
    if kept:
        said = f'The model has {len(kept)} of {len(found.structures)} structures of "{found.term}".'
        return replace(found, structures=kept, warnings=(*found.warnings, said))
    return replace(
        found,
        status="unsupported",
        structures=(),
        relation=None,
        warnings=("This model does not know it; another may.",),
        suggestions=tuple(name for name in _related(missing) if name in available),
    )


def _related(names: Iterable[str]) -> tuple[str, ...]:
    """Return what holds the structures or is held by them, the nearest first, each once."""
    structures = load_structures()
    known = [structures[name] for name in names if name in structures]
    wholes = [one.unsided for one in known if one.unsided]
    parts = [part for one in known for part in one.parts]
    holders = [name for name, one in structures.items() if any(each.name in one.parts for each in known)]
    return tuple(dict.fromkeys([*wholes, *parts, *holders]))
