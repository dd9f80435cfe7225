"""Exception hierarchy: every failure that a user can encounter has a stable ``code``.

Messages say what is wrong and what to do about it, and are safe to log: they contain no patient data and no
file content. Front ends print ``message`` and ``hint``; programs branch on ``code``.
"""

from __future__ import annotations

from textsegment.errors.base import TextSegmentError, place_of
from textsegment.errors.connections import (
    ServerTimeoutError,
    ServerUnreachableError,
    StreamBrokenError,
    TlsError,
)
from textsegment.errors.images import (
    EditError,
    GeometryError,
    InputError,
    InputNotFoundError,
    InputUnreadableError,
    LimitExceededError,
    ModalityError,
    SeriesIncompleteError,
    TemplateError,
    VolumeInvalidError,
)
from textsegment.errors.jobs import (
    CancelledError,
    DependencyMissingError,
    DeviceError,
    EngineLostError,
    OutOfMemoryError,
)
from textsegment.errors.models import (
    CheckpointError,
    SelfTestError,
    WeightsDownloadError,
    WeightsError,
    WeightsMissingError,
    WeightsTamperedError,
)
from textsegment.errors.outputs import (
    DestinationError,
    DestinationRefusedError,
    DestinationUnreachableError,
    DiskFullError,
    NothingFoundError,
    OutputError,
    OverlapError,
)
from textsegment.errors.prompts import ExpressionError, PromptError, UnknownStructureError
from textsegment.errors.requests import (
    BusyError,
    ChecksumError,
    ForbiddenError,
    RateLimitedError,
    RequestError,
    RequestTimeoutError,
    UnauthorizedError,
    UploadOutOfStepError,
    VersionMismatchError,
    VolumeUnknownError,
)
from textsegment.errors.settings import PortInUseError, RulesError, SettingsError
from textsegment.errors.storage import JournalError, SpoolFullError, StorageError

__all__ = [
    "BusyError",
    "CancelledError",
    "CheckpointError",
    "ChecksumError",
    "DependencyMissingError",
    "DestinationError",
    "DestinationRefusedError",
    "DestinationUnreachableError",
    "DeviceError",
    "DiskFullError",
    "EditError",
    "EngineLostError",
    "ExpressionError",
    "ForbiddenError",
    "GeometryError",
    "InputError",
    "InputNotFoundError",
    "InputUnreadableError",
    "JournalError",
    "LimitExceededError",
    "ModalityError",
    "NothingFoundError",
    "OutOfMemoryError",
    "OutputError",
    "OverlapError",
    "PortInUseError",
    "PromptError",
    "RateLimitedError",
    "RequestError",
    "RequestTimeoutError",
    "RulesError",
    "SelfTestError",
    "SeriesIncompleteError",
    "ServerTimeoutError",
    "ServerUnreachableError",
    "SettingsError",
    "SpoolFullError",
    "StorageError",
    "StreamBrokenError",
    "TemplateError",
    "TextSegmentError",
    "TlsError",
    "UnauthorizedError",
    "UnknownStructureError",
    "UploadOutOfStepError",
    "VersionMismatchError",
    "VolumeInvalidError",
    "VolumeUnknownError",
    "WeightsDownloadError",
    "WeightsError",
    "WeightsMissingError",
    "WeightsTamperedError",
    "place_of",
]
