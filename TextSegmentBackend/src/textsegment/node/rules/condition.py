"""Conditions on a series, and how each came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from textsegment.node.rules.facts import SeriesFacts
from textsegment.node.tables import Table, Texts


@dataclass(frozen=True)
class Check:
    """Outcome of one condition.

    Attributes:
        name: Name of the condition.
        wanted: Value that matches.
        value: Value of the series; may contain whatever a person typed at the scanner.
        holds: Whether the condition holds.
    """

    name: str
    wanted: str
    value: str
    holds: bool


class Span(Table):
    """A range of numbers; either end may be open.

    Attributes:
        min: Smallest number that matches.
        max: Largest number that matches.
    """

    min: float | None = None
    max: float | None = None

    def holds(self, value: float | None) -> bool:
        """Return whether a number lies in the range; an unknown one does not."""
        if value is None:
            return False
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)


class Match(Table):
    """Conditions on a series, all of which must hold.

    Texts are compared without regard to case; ``*`` and ``?`` stand for any characters and for one character.
    Of several texts in a list, one must match.

    Attributes:
        modality: Modality.
        study_description: Study description.
        series_description: Series description.
        protocol: Protocol name.
        body_part: Body part examined.
        kernel: Convolution kernel.
        manufacturer: Manufacturer.
        scanner: Model name of the scanner.
        image_type: Values of the image type; each text must match one of them.
        sender: AE title of the sender, or name of the DICOMweb query.
        slice_thickness_mm: Slice thickness.
        slices: Number of images.
    """

    modality: Texts = ()
    study_description: Texts = ()
    series_description: Texts = ()
    protocol: Texts = ()
    body_part: Texts = ()
    kernel: Texts = ()
    manufacturer: Texts = ()
    scanner: Texts = ()
    image_type: Texts = ()
    sender: Texts = ()
    slice_thickness_mm: Span | None = None
    slices: Span | None = None

    def checks(self, facts: SeriesFacts) -> tuple[Check, ...]:
        """Return the outcome of each condition for a series."""
        found = []
        for name in type(self).model_fields:
            wanted = getattr(self, name)
            value = getattr(facts, name)
            if isinstance(wanted, Span):
                ends = ["" if end is None else f"{end:g}" for end in (wanted.min, wanted.max)]
                found.append(Check(name, "–".join(ends), _shown(value), wanted.holds(value)))
            elif wanted:
                found.append(
                    Check(name, " | ".join(wanted), _shown(value), _any_matches(name, wanted, value))
                )
        return tuple(found)

    def holds(self, facts: SeriesFacts) -> bool:
        """Return whether all conditions hold for a series."""
        return all(check.holds for check in self.checks(facts))


def _any_matches(name: str, wanted: Sequence[str], value: object) -> bool:
    values = [text.casefold() for text in (value if isinstance(value, tuple) else (str(value),))]
    found = [any(fnmatchcase(text, pattern.casefold()) for text in values) for pattern in wanted]
    return all(found) if name == "image_type" else any(found)


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return "\\".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
