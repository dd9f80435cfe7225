"""Configuration of a node: one TOML file; see ``docs/node.md``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from textsegment.errors import RulesError
from textsegment.node.connections import Destination, Poll, Port, Receive, Seconds, Web
from textsegment.node.rules.rule import Rule
from textsegment.node.rules.rule_set import RuleSet, require_distinct
from textsegment.node.tables import ItemName, Table, check_table, read_toml
from textsegment.templates.reading import SUFFIXES

_PATHS = ("folder", "certfile", "keyfile", "ca_file", "password_file", "token_file", "rules_file")
Count = Annotated[int, Field(gt=0)]


class Engine(Table):
    """What segments: a model in this process, or a server.

    Attributes:
        model: Name of the model in this process; None for ``sat-demo``.
        device: Its device.
        precision: Its precision.
        server: Address of a TextSegment server, which is sent voxels, or None.
        token_file: File with the key of the server.
        ca_file: PEM file with authorities to trust in place of the usual ones.
        allow_plain_http: Whether an unencrypted server on another computer is allowed.
    """

    model: str | None = None
    device: str | None = None
    precision: str | None = None
    server: str | None = None
    token_file: Path | None = None
    ca_file: Path | None = None
    allow_plain_http: bool = False

    @model_validator(mode="after")
    def _of_one_kind(self) -> Engine:
        if self.server is not None and (self.model or self.device or self.precision):
            raise ValueError("with a server, its operator decides on model, device and precision")
        if self.server is None and (self.token_file or self.ca_file):
            raise ValueError("token_file and ca_file mean nothing without a server")
        return self


class Limits(Table):
    """What the node may use, and how long it waits.

    Attributes:
        spool_mb: Largest size of the spool.
        free_mb: Disk space that is left to others.
        object_mb: Largest object.
        keep_days: Age at which images and results leave the spool, and undelivered ones are given up.
        journal_days: Age at which the journal forgets a series.
        quiet_s: Silence after which a series counts as complete.
        resume_s: Time that the sender of a series has to go on after it broke off.
        counts_from: Name of a DICOMweb service that is asked how many images a series has, or None.
        attempts: Number of times that a series is tried which the engine does not survive.
        retry_first_s: Wait before the second attempt; later waits double.
        retry_longest_s: Longest wait between two attempts.
    """

    spool_mb: Count = 20_000
    free_mb: Annotated[int, Field(ge=0)] = 500
    object_mb: Count = 2048
    keep_days: Annotated[float, Field(gt=0)] = 14.0
    journal_days: Annotated[float, Field(gt=0)] = 730.0
    quiet_s: Seconds = 20.0
    resume_s: Seconds = 3600.0
    counts_from: ItemName | None = None
    attempts: Count = 20
    retry_first_s: Seconds = 10.0
    retry_longest_s: Seconds = 900.0

    def wait_s(self, attempts: int) -> float:
        """Return the wait after a number of failed attempts: twice the one before, up to a limit.

        >>> [Limits().wait_s(attempts) for attempts in (1, 2, 3, 30)]
        [10.0, 20.0, 40.0, 900.0]
        """
        return min(self.retry_first_s * 2.0 ** min(attempts - 1, 60), self.retry_longest_s)


class Monitor(Table):
    """The page for monitoring, on this computer only.

    Attributes:
        port: TCP port of ``/healthz`` and ``/metrics`` on loopback.
        red_after_minutes: Time without any delivery, while results wait, after which health turns red.
    """

    port: Port = 8767
    red_after_minutes: Annotated[float, Field(gt=0)] = 30.0


class NodeSettings(Table):
    """All settings of a node.

    Attributes:
        folder: Folder of journal and spool, which belongs to the node alone.
        rules_file: File with rules; None if they are in the same file.
        rules: Rules, in order; the first one that matches decides.
        identifiers: Whether the journal holds identifiers as they are (``plain``) or their keyed hash.
        receive: DICOM service that takes images, or None.
        polls: DICOMweb queries that are repeated.
        destinations: Systems that results can be delivered to.
        engine: What segments.
        limits: Limits.
        monitor: Page for monitoring, or None.
    """

    folder: Path
    rules_file: Path | None = None
    rules: tuple[Rule, ...] = ()
    identifiers: Literal["plain", "hashed"] = "plain"
    receive: Receive | None = None
    polls: tuple[Poll, ...] = ()
    destinations: tuple[Annotated[Destination, Field(discriminator="kind")], ...] = ()
    engine: Engine = Engine()
    limits: Limits = Limits()
    monitor: Monitor | None = Monitor()

    @model_validator(mode="after")
    def _fits_together(self) -> NodeSettings:
        if self.receive is None and not self.polls:
            raise ValueError("no images can arrive: add [receive] or [[polls]]")
        names = [item.name for item in (*self.destinations, *self.polls)]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"several destinations or polls are called {doubled[0]}")
        require_distinct(self.rules)
        known = {destination.name for destination in self.destinations}
        for rule in self.rules:
            for name in rule.destinations:
                if name not in known:
                    raise ValueError(f"rule {rule.name!r} delivers to {name}, which is no destination")
        web = {item.name for item in (*self.polls, *self.destinations) if isinstance(item, Web)}
        if self.limits.counts_from is not None and self.limits.counts_from not in web:
            raise ValueError(f"limits.counts_from: {self.limits.counts_from} is no DICOMweb service")
        return self

    def destination(self, name: str) -> Destination:
        """Return a destination by name."""
        return next(item for item in self.destinations if item.name == name)

    def web(self, name: str) -> Web:
        """Return a DICOMweb service by name."""
        services = (item for item in (*self.polls, *self.destinations) if isinstance(item, Web))
        return next(item for item in services if item.name == name)


def read_settings(path: Path | str) -> NodeSettings:
    """Read the configuration of a node; relative paths in it start at its folder.

    Raises:
        InputNotFoundError: The file, or the file of rules, does not exist.
        RulesError: One of them is invalid.
    """
    path = Path(path)
    content = _with_paths(read_toml(path), path.parent)
    if "rules_file" in content:
        if "rules" in content:
            raise RulesError(f"{path.name} has both rules and rules_file.", "Keep one of them.")
        content["rules"] = _rules_in(Path(str(content["rules_file"])))
    return check_table(NodeSettings, content, path.name)


def read_rules(path: Path | str) -> RuleSet:
    """Read rules from a file of their own, or from the configuration of a node.

    Raises:
        InputNotFoundError: The file does not exist.
        RulesError: The file is invalid.
    """
    path = Path(path)
    content = _with_paths(read_toml(path), path.parent)
    if set(content) - {"rules"}:
        return RuleSet(rules=read_settings(path).rules)
    return check_table(RuleSet, content, path.name)


def _rules_in(path: Path) -> Any:
    content = _with_paths(read_toml(path), path.parent)
    check_table(RuleSet, content, path.name)
    return content["rules"]


def _with_paths(value: Any, base: Path, key: str = "") -> Any:
    """Return the content of a file with its relative paths resolved."""
    if isinstance(value, dict):
        return {name: _with_paths(each, base, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_with_paths(each, base, key) for each in value]
    is_path = key in _PATHS or (key == "template" and str(value).lower().endswith(SUFFIXES))
    return str((base / value).absolute()) if is_path and isinstance(value, str) else value
