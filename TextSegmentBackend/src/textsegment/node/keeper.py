"""The keeper: decides about complete series, chooses among several, and enforces limits of age and size."""

from __future__ import annotations

import time

from textsegment.errors import InputError, LimitExceededError, TextSegmentError
from textsegment.node.intake import Intake
from textsegment.node.journal.entries import Entry, State
from textsegment.node.journal.journal import Journal
from textsegment.node.rules.facts import SeriesFacts, read_facts
from textsegment.node.rules.rule import Rule
from textsegment.node.rules.rule_set import RuleSet
from textsegment.node.settings import NodeSettings
from textsegment.node.spool import Spool
from textsegment.server.logs import log

_DAY_S = 86400.0
_MEGABYTE = 2**20
# Images of served series leave the spool early when it is fuller than this.
_NEARLY_FULL = 0.8


class Keeper:
    """Moves series on, and removes what is old.

    Args:
        settings: Settings of the node.
        journal: Journal.
        spool: Spool.
        intake: Says which series are complete.
    """

    def __init__(self, settings: NodeSettings, journal: Journal, spool: Spool, intake: Intake) -> None:
        self._settings, self._journal, self._spool, self._intake = settings, journal, spool, intake
        self._rules = RuleSet(rules=settings.rules)

    def decide(self) -> None:
        """Decide about all series that have become complete."""
        for entry in self._intake.complete():
            self._decide(entry)
        for study in dict.fromkeys(entry.study for entry in self._journal.entries(State.WAITING)):
            self._choose(study)

    def _decide(self, entry: Entry) -> None:
        try:
            decision = self._rules.decide(self._facts(entry))
        except InputError as error:
            self._journal.set_state(entry.id, State.FAILED, error=error)
            return
        rule = decision.rule
        state, name = State.IGNORED, ""
        if rule is not None:
            state, name = State.DECIDED if rule.choose is None else State.WAITING, rule.name
        self._journal.set_state(entry.id, state, rule=name, reason=decision.reason)
        log("decided", entry=entry.id, rule=name, state=state.value, images=entry.images)

    def _choose(self, study: str) -> None:
        """Choose among the series of a study that wait under the same rule, once all of it has come."""
        everything = self._journal.entries(study=study)
        waiting = [entry for entry in everything if entry.state is State.WAITING]
        for rule in self._settings.rules:
            group = [entry for entry in waiting if entry.rule == rule.name]
            if not group or rule.choose is None:
                continue
            taken = {
                entry.uid
                for entry in everything
                if entry.rule == rule.name
                and entry.state not in (State.WAITING, State.IGNORED, State.RECEIVING)
            }
            if not taken:
                last = max(entry.changed_at for entry in everything)
                is_coming = any(entry.state is State.RECEIVING for entry in everything)
                if is_coming or time.time() - last < rule.choose.wait_s:
                    continue
                taken = {group[rule.choose.best([self._facts(entry) for entry in group])].uid}
            self._settle(group, taken, rule)

    def _settle(self, group: list[Entry], taken: set[str], rule: Rule) -> None:
        for entry in group:
            if entry.uid in taken:
                reason = f"Matches rule {rule.name!r}, and was chosen among {len(group)} series of its study."
                self._journal.set_state(entry.id, State.DECIDED, reason=reason)
            else:
                reason = f"Matches rule {rule.name!r}, but another series of its study was chosen."
                self._journal.set_state(entry.id, State.IGNORED, reason=reason)

    def _facts(self, entry: Entry) -> SeriesFacts:
        images = self._spool.images(self._intake.spool_key(entry))
        if not images:
            raise InputError("The images have left the spool.", "Send the series again.")
        return read_facts(next(iter(images.values())), images=len(images), sender=entry.sender)

    def expire(self) -> None:
        """Give up what is too old, and remove from the spool what is no longer needed."""
        old = time.time() - self._settings.limits.keep_days * _DAY_S
        late = LimitExceededError("The age limit was reached.", "Send the series again, or raise keep_days.")
        for delivery in self._journal.deliveries(state="waiting"):
            if self._journal.entry(delivery.series).changed_at < old:
                self._journal.set_undelivered(delivery, late, 0.0, is_final=True)
        for entry in self._journal.entries(State.RECEIVING, State.WAITING, State.DECIDED):
            if entry.received_at < old:
                self._journal.set_state(entry.id, State.FAILED, error=_last_error(entry) or late)
        self._remove_old(old)
        self._make_room()
        self._journal.forget(time.time() - self._settings.limits.journal_days * _DAY_S)

    def _remove_old(self, old: float) -> None:
        entries = self._journal.entries()
        needed = {entry.id for entry in entries if not entry.state.is_final or entry.changed_at >= old}
        for number in self._spool.prepared():
            if number not in needed:
                self._spool.remove_results(number)
        kept = {entry.uid for entry in entries if entry.id in needed}
        for uid in {entry.uid for entry in entries} - kept:
            self._intake.release(uid)
        known = {self._intake.spool_key(entry) for entry in entries}
        for key in self._spool.incoming():
            # Images of which the journal knows nothing, since it has forgotten them or was lost.
            if key not in known and self._spool.last_change(key) < old:
                self._spool.remove_images(key)

    def _make_room(self) -> None:
        """Remove images of served and ignored series if the spool is nearly full, the oldest first."""
        limit = self._settings.limits.spool_mb * _MEGABYTE * _NEARLY_FULL
        if self._spool.size_bytes < limit and not self._spool.is_full:
            return
        entries = self._journal.entries()
        busy = {entry.uid for entry in entries if entry.state not in (State.DELIVERED, State.IGNORED)}
        for uid in dict.fromkeys(entry.uid for entry in entries if entry.uid not in busy):
            if self._spool.size_bytes < limit / 2:
                return
            self._intake.release(uid)


def _last_error(entry: Entry) -> TextSegmentError | None:
    """Return the error that an entry was waiting to overcome, or None."""
    if not entry.code:
        return None
    from textsegment.wire.failures import error_classes

    return error_classes().get(entry.code, TextSegmentError)(entry.reason, entry.hint)
