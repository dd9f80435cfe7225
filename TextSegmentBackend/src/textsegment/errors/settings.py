"""The settings of a server or node cannot work."""

from __future__ import annotations

from textsegment.errors.base import TextSegmentError


class SettingsError(TextSegmentError):
    """The settings cannot work, or would be unsafe."""

    code = "settings_invalid"


class RulesError(SettingsError):
    """A file of rules or the configuration of the DICOM node is invalid."""

    code = "rules_invalid"


class PortInUseError(SettingsError):
    """Another program is already listening on this port."""

    code = "port_in_use"
