"""Doubt about a mask in the tags of its segment, so that it is there again after save and load."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from textsegment.caution import Caution
from textsegment.doubt import NO_DOUBT, Doubt, Verdict


def doubt_to_tags(doubt: Doubt) -> dict[str, str]:
    """Return the tags for a doubt; none if nothing speaks against the mask."""
    if not doubt.reasons:
        return {}
    reasons = [[reason.code, dict(reason.values)] for reason in doubt.reasons]
    return {"verdict": doubt.verdict.value, "reasons": json.dumps(reasons, ensure_ascii=True)}


def doubt_from_tags(verdict: str, reasons: str) -> Doubt:
    """Return the doubt that ``doubt_to_tags`` wrote; what another version or a person wrote is left out."""
    if not reasons:
        return NO_DOUBT
    try:
        return Doubt(tuple(_reasons(json.loads(reasons))), Verdict(verdict))
    except ValueError:
        return NO_DOUBT


def _reasons(given: Any) -> Iterator[Caution]:
    for each in given if isinstance(given, list) else ():
        match each:
            case [str() as code, dict() as values]:
                try:
                    yield Caution(code, **values)
                except (KeyError, TypeError, ValueError):  # of another version
                    continue
