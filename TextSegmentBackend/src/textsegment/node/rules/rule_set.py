"""Rules in an order; the first that matches decides what becomes of a series."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import model_validator

from textsegment.node.rules.decision import Decision, Trial
from textsegment.node.rules.facts import SeriesFacts
from textsegment.node.rules.rule import Rule
from textsegment.node.tables import Table


class RuleSet(Table):
    """Rules in the order in which they are tried.

    Attributes:
        rules: The rules; their names differ.
    """

    rules: tuple[Rule, ...]

    @model_validator(mode="after")
    def _are_distinct(self) -> RuleSet:
        require_distinct(self.rules)
        return self

    def decide(self, facts: SeriesFacts) -> Decision:
        """Return the decision about a series, with the outcome of every rule."""
        trials = tuple(Trial(rule, rule.checks(facts)) for rule in self.rules)
        return Decision(next((trial.rule for trial in trials if trial.matches), None), trials)


def require_distinct(rules: Sequence[Rule]) -> None:
    """Check that there are rules, and that their names differ.

    Raises:
        ValueError: There is none, or two have the same name.
    """
    if not rules:
        raise ValueError("there is no rule: add [[rules]]")
    names = [rule.name for rule in rules]
    if len(set(names)) < len(names):
        raise ValueError("two rules have the same name")
