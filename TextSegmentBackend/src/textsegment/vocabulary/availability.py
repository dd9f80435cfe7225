"""Availability: which structures of a resolved text a model supports. It is decided here and nowhere else.

A model may support fewer structures than the vocabulary knows, such as ``sat-demo`` or a user-trained model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from textsegment.caution import Caution
from textsegment.vocabulary.resolution import Resolution
from textsegment.vocabulary.structures import load_structures


def missing_from(names: Iterable[str], available: Collection[str] | None) -> tuple[str, ...]:
    """Return the requested structures that a model does not support, in the order of ``names``.

    Args:
        names: Requested structures.
        available: Structures that the model supports in the modality; None for a model that supports all.

    Example:
        >>> missing_from(["liver", "spleen"], {"liver"})
        ('spleen',)
    """
    return () if available is None else tuple(name for name in names if name not in available)


def as_available(found: Resolution, available: Collection[str] | None) -> Resolution:
    """Restrict the resolution of a term to the structures that a model supports.

    If only some are supported, they are kept and a warning says how many. If none are, the term does not
    run; supported structures that contain it or form part of it are suggested instead.

    Args:
        found: Resolution of a term.
        available: Supported structures, as for ``missing_from``.

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
        total = len(found.structures)
        said = Caution("term_some_in_model", term=found.term, count=len(kept), total=total)
        return replace(found, structures=kept, warnings=(*found.warnings, said))
    return replace(
        found,
        status="unsupported",
        structures=(),
        relation=None,
        warnings=(Caution("term_not_in_model"),),
        suggestions=tuple(name for name in _related(missing) if name in available),
    )


def _related(names: Iterable[str]) -> tuple[str, ...]:
    """Return the structures that contain the given ones or are parts of them, nearest first, each once."""
    structures = load_structures()
    known = [structures[name] for name in names if name in structures]
    wholes = [one.unsided for one in known if one.unsided]
    parts = [part for one in known for part in one.parts]
    holders = [name for name, one in structures.items() if any(each.name in one.parts for each in known)]
    return tuple(dict.fromkeys([*wholes, *parts, *holders]))
