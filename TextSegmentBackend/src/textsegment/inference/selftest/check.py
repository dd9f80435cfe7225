"""One thing that a self-test looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Check:
    """Outcome of one check.

    Attributes:
        name: What was checked, in a few words.
        passed: Whether it is as it should be.
        finding: What was found, as a sentence for people.
        values: The numbers behind it.
        is_vital: Whether the model is unusable if it failed; of the other checks a few may fail.
    """

    name: str
    passed: bool
    finding: str
    values: dict[str, Any] = field(default_factory=dict)
    is_vital: bool = False
