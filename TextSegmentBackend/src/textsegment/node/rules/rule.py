"""A rule: which series it is about, and what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from textsegment.derive.expression import parse_definition
from textsegment.errors import TextSegmentError
from textsegment.files.dicom.presentation import Presentation
from textsegment.node.rules.condition import Check, Match
from textsegment.node.rules.facts import SeriesFacts
from textsegment.node.tables import ItemName, Table
from textsegment.templates import template_named
from textsegment.vocabulary.naming import names_of
from textsegment.vocabulary.selection import check_text

Order = Literal["thinnest", "thickest", "most_slices", "first", "latest"]
Output = Literal["rtstruct", "seg", "report"]


class Choice(Table):
    """Choice of one series of a study among several that match the same rule.

    Attributes:
        prefer: Preferences, the most important first: conditions, or an order.
        wait_s: Silence of the whole study before the choice is made.
    """

    prefer: Annotated[tuple[Match | Order, ...], Field(min_length=1)]
    wait_s: Annotated[float, Field(gt=0)] = 60.0

    def best(self, candidates: Sequence[SeriesFacts]) -> int:
        """Return the index of the preferred series; of equal ones, the first."""
        return min(range(len(candidates)), key=lambda index: self._rank(candidates[index], index))

    def _rank(self, facts: SeriesFacts, index: int) -> tuple[float, ...]:
        ranks: list[float] = []
        for wish in self.prefer:
            if isinstance(wish, Match):
                ranks.append(0.0 if wish.holds(facts) else 1.0)
            elif wish in ("thinnest", "thickest"):
                known = facts.slice_thickness_mm
                sign = 1 if wish == "thinnest" else -1
                ranks.append(float("inf") if known is None else sign * known)
            elif wish == "most_slices":
                ranks.append(-facts.slices)
            else:
                ranks.append(index if wish == "first" else -index)
        return (*ranks, index)


class Rule(Table):
    """What is done with the series that match.

    Attributes:
        name: Name of the rule, for journal and logs.
        match: Conditions that must hold.
        unless: Conditions that must not all hold.
        choose: Choice among several series of a study; None to take each.
        template: Name or file of a template, or None.
        text: Structures by name, in addition to the template.
        derive: Definitions of derived structures.
        naming: Naming scheme of the structures of ``text``.
        short_names: Whether names are limited to 16 characters.
        outputs: Objects to make.
        destinations: Names of the destinations; empty to keep the results in the spool only.
        label: Label of structure sets and segmentations.
        series_description: Their series description.
        allow_gaps: Whether a series with missing or unevenly spaced slices is segmented.
        fast: Whether patches overlap less, for speed.
        check: Whether everything is computed a second time, so that what is unstable is said.
        tidy: Whether stray parts are removed and sides corrected; None for what is usual for the model.
    """

    name: ItemName
    match: Match
    unless: Match | None = None
    choose: Choice | None = None
    template: str | None = None
    text: str = ""
    derive: tuple[str, ...] = ()
    naming: str = "tg263"
    short_names: bool = False
    outputs: Annotated[tuple[Output, ...], Field(min_length=1)] = ("rtstruct", "report")
    destinations: tuple[ItemName, ...] = ()
    label: str | None = None
    series_description: str | None = None
    allow_gaps: bool = False
    fast: bool = False
    check: bool = False
    tidy: bool | None = None

    @model_validator(mode="after")
    def _can_run(self) -> Rule:
        if not self.match.model_fields_set:
            raise ValueError("match needs at least one condition, such as modality")
        if self.unless is not None and not self.unless.model_fields_set:
            raise ValueError("unless needs at least one condition")
        if self.template is None and not self.text:
            raise ValueError("say what to segment: template or text")
        try:
            names_of((), self.naming)
            if self.template is not None:
                template_named(self.template)
            if self.text:
                check_text(self.text)
            for definition in self.derive:
                parse_definition(definition)
            Presentation(self.label, self.series_description)
        except TextSegmentError as error:
            raise ValueError(f"{error.message} {error.hint}".strip()) from error
        return self

    def checks(self, facts: SeriesFacts) -> tuple[Check, ...]:
        """Return the outcome of each condition of the rule for a series."""
        found = self.match.checks(facts)
        if self.unless is not None:
            excluded = self.unless.checks(facts)
            wanted = ", ".join(f"{check.name} = {check.wanted}" for check in excluded)
            value = ", ".join(check.value for check in excluded)
            is_excluded = all(check.holds for check in excluded)
            found += (Check("unless", wanted, value, not is_excluded),)
        return found
