"""Exception hierarchy: every failure that a user can encounter has a stable ``code``.

Messages say what is wrong and what to do about it, and are safe to log: they contain no patient data and no
file content. Front ends print ``message`` and ``hint``; programs branch on ``code``.
"""

from __future__ import annotations

from typing import ClassVar


class TextSegmentError(Exception):
    """Base class of all exceptions raised by this package.

    Attributes:
        code: Stable machine-readable identifier of the failure; part of the contract with clients.
        message: One sentence that says what is wrong.
        hint: One sentence that says what to do about it; may be empty.
    """

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint


class InputError(TextSegmentError):
    """The given image cannot be used."""

    code = "input_invalid"


class InputNotFoundError(InputError):
    """The file or folder does not exist."""

    code = "input_not_found"


class InputUnreadableError(InputError):
    """The file exists but is not a readable image: wrong type, truncated, empty or corrupt."""

    code = "input_unreadable"


class TemplateError(InputUnreadableError):
    """A template file is not as its format wants it.

    Attributes:
        line: Number of the line, from 1; 0 if it is not known.
        field: Name of the field; empty if it is the file as a whole.
    """

    code = "template_invalid"

    def __init__(self, message: str, hint: str = "", line: int = 0, field: str = "") -> None:
        super().__init__(message, hint)
        self.line = line
        self.field = field


class VolumeInvalidError(InputError):
    """The voxels cannot be segmented: not three-dimensional, complex, colour, NaN, constant or empty.

    Attributes:
        volume_count: Number of volumes (time points, channels) in the file, one of which must be chosen.
    """

    code = "volume_invalid"

    def __init__(self, message: str, hint: str = "", volume_count: int = 1) -> None:
        super().__init__(message, hint)
        self.volume_count = volume_count


class GeometryError(InputError):
    """The affine is not a valid map from voxels to patient space: singular, NaN or zero spacing."""

    code = "geometry_invalid"


class EditError(InputError):
    """Edits of a mask cannot be used: there are none, or they or the mask do not belong to the image."""

    code = "edit_invalid"


class ModalityError(InputError):
    """The modality is unknown or not supported by the model."""

    code = "modality_unsupported"


class SeriesIncompleteError(InputError):
    """Images of the series are missing, or may be: it must not be segmented as it is."""

    code = "series_incomplete"


class LimitExceededError(InputError):
    """The request exceeds a limit of this installation."""

    code = "limit_exceeded"


class PromptError(TextSegmentError):
    """A prompt is blank or invalid, or no prompt was given."""

    code = "prompt_invalid"


class UnknownStructureError(PromptError):
    """The text does not name a structure that the model can segment.

    Attributes:
        suggestions: Names of the closest structures, best match first; may be empty.
    """

    code = "structure_unknown"

    def __init__(self, message: str, hint: str = "", suggestions: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.suggestions = suggestions


class ExpressionError(PromptError):
    """The definition of a derived structure cannot be parsed or evaluated.

    Attributes:
        position: Index of the character at which the definition fails.
    """

    code = "expression_invalid"

    def __init__(self, message: str, hint: str = "", position: int = 0) -> None:
        super().__init__(message, hint)
        self.position = position


class OutputError(TextSegmentError):
    """The result cannot be written."""

    code = "output_unwritable"


class DiskFullError(OutputError):
    """The disk is full; no partially written result is left behind."""

    code = "disk_full"


class DestinationError(OutputError):
    """The result could not be delivered to another system."""

    code = "destination_failed"


class DestinationUnreachableError(DestinationError):
    """The other system cannot be reached, or does not answer in time."""

    code = "destination_unreachable"


class DestinationRefusedError(DestinationError):
    """The other system refused the connection or the object."""

    code = "destination_refused"


class OverlapError(OutputError):
    """Structures overlap, but the chosen format can hold only one structure per voxel."""

    code = "structures_overlap"


class WeightsError(TextSegmentError):
    """Model weights cannot be used."""

    code = "weights_invalid"


class WeightsMissingError(WeightsError):
    """The model weights are not installed on this computer."""

    code = "weights_missing"


class WeightsTamperedError(WeightsError):
    """The SHA-256 of the weights differs from the one recorded when they were first used."""

    code = "weights_tampered"


class WeightsDownloadError(WeightsError):
    """The weights could not be downloaded: network, proxy or hub failure, or missing files."""

    code = "weights_download_failed"


class CheckpointError(WeightsError):
    """The checkpoint does not match the network: missing, unexpected or differently shaped parameters."""

    code = "checkpoint_mismatch"


class SelfTestError(WeightsError):
    """A model failed its self-test: its masks make no sense, or its numbers are wrong."""

    code = "selftest_failed"


class DeviceError(TextSegmentError):
    """The requested device is not available or does not work."""

    code = "device_unavailable"


class OutOfMemoryError(TextSegmentError):
    """Memory ran out after every fallback was tried."""

    code = "out_of_memory"


class CancelledError(TextSegmentError):
    """The job was cancelled by its owner."""

    code = "cancelled"


class DependencyMissingError(TextSegmentError):
    """A required package is not installed; the hint contains the pip command."""

    code = "dependency_missing"


class RequestError(TextSegmentError):
    """The request is malformed: corrupt, truncated, or with a missing or wrongly typed field."""

    code = "request_invalid"


class ChecksumError(RequestError):
    """The data received differ from the data sent; they are discarded."""

    code = "checksum_mismatch"


class UploadOutOfStepError(RequestError):
    """The upload resumes at a different chunk from the one the server expects."""

    code = "upload_out_of_step"


class RequestTimeoutError(RequestError):
    """The request arrived too slowly."""

    code = "request_timeout"


class VersionMismatchError(TextSegmentError):
    """Client and server use different versions of the protocol."""

    code = "version_mismatch"


class UnauthorizedError(TextSegmentError):
    """The access key is missing or wrong."""

    code = "unauthorized"


class ForbiddenError(TextSegmentError):
    """The request is not allowed, for example because it names a foreign host."""

    code = "forbidden"


class VolumeUnknownError(TextSegmentError):
    """The server does not hold this volume, or no longer does: upload it again."""

    code = "volume_unknown"


class StorageError(TextSegmentError):
    """The server cannot store the volume: its disk or volume store is full or has failed."""

    code = "storage_failed"


class SpoolFullError(StorageError):
    """The spool of the DICOM node has reached its limit, or its disk is full."""

    code = "spool_full"


class JournalError(StorageError):
    """The journal of the DICOM node cannot be used."""

    code = "journal_unusable"


class BusyError(TextSegmentError):
    """The queue is full.

    Attributes:
        retry_after_s: Seconds to wait before trying again.
    """

    code = "busy"

    def __init__(self, message: str, hint: str = "", retry_after_s: int = 1) -> None:
        super().__init__(message, hint)
        self.retry_after_s = retry_after_s


class RateLimitedError(BusyError):
    """Too many requests, or too many wrong keys, from one address."""

    code = "rate_limited"


class EngineLostError(TextSegmentError):
    """The engine stopped in the middle of a job; the next job gets a new one."""

    code = "engine_lost"


class StreamBrokenError(TextSegmentError):
    """The server's response broke off or could not be decoded."""

    code = "stream_broken"


class SettingsError(TextSegmentError):
    """The settings cannot work, or would be unsafe."""

    code = "settings_invalid"


class RulesError(SettingsError):
    """A file of rules or the configuration of the DICOM node is invalid."""

    code = "rules_invalid"


class PortInUseError(SettingsError):
    """Another program is already listening on this port."""

    code = "port_in_use"


class ServerUnreachableError(TextSegmentError):
    """The server cannot be reached: wrong name, address or port, or a network or proxy failure."""

    code = "server_unreachable"


class TlsError(ServerUnreachableError):
    """The server's identity cannot be verified, or the server does not use TLS."""

    code = "tls_failed"


class ServerTimeoutError(ServerUnreachableError):
    """The server did not respond in time."""

    code = "server_timeout"


def place_of(error: BaseException) -> str:
    """Return where an error was raised, as ``module:line``, which is safe to log, unlike its text."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"
