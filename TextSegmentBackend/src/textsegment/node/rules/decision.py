"""Decisions about series, with the outcome of every condition of every rule."""

from __future__ import annotations

from dataclasses import dataclass

from textsegment.node.rules.condition import Check
from textsegment.node.rules.rule import Rule


@dataclass(frozen=True)
class Trial:
    """Outcome of one rule.

    Attributes:
        rule: The rule.
        checks: Outcome of each of its conditions.
    """

    rule: Rule
    checks: tuple[Check, ...]

    @property
    def matches(self) -> bool:
        """Whether all conditions hold."""
        return all(check.holds for check in self.checks)


@dataclass(frozen=True)
class Decision:
    """Decision about a series.

    Attributes:
        rule: The rule that decides; None if no rule matches.
        trials: Outcome of every rule, in order.
    """

    rule: Rule | None
    trials: tuple[Trial, ...]

    @property
    def reason(self) -> str:
        """Reason in one sentence, from names in the rules only, and so safe to log."""
        if self.rule is not None:
            trial = next(trial for trial in self.trials if trial.rule is self.rule)
            return f"Matches rule {self.rule.name!r}: {', '.join(check.name for check in trial.checks)}."
        failed = (
            f"{trial.rule.name!r} fails at {', '.join(c.name for c in trial.checks if not c.holds)}"
            for trial in self.trials
        )
        return f"No rule matches: {'; '.join(failed)}."
