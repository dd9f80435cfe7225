"""The one error hierarchy: every failure that a user can meet has a stable ``code``.

A message says what is wrong and what to do about it, in words that are safe to log: no patient data, no
file content. Front ends print ``message`` and ``hint``; programs branch on ``code``.
"""

from __future__ import annotations

from typing import ClassVar


class TextSegmentError(Exception):
    """Base of all errors of this package.

    Attributes:
        code: Stable machine-readable name of the failure; part of the contract with clients.
        message: What is wrong, one sentence.
        hint: What to do about it, one sentence, or an empty string.
    """

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint


class InputError(TextSegmentError):
    """The image that was given cannot be used."""

    code = "input_invalid"


class InputNotFoundError(InputError):
    """No such file or folder."""

    code = "input_not_found"


class InputUnreadableError(InputError):
    """The file exists but is no image that can be read: wrong type, truncated, empty, garbage."""

    code = "input_unreadable"


class VolumeInvalidError(InputError):
    """The voxels cannot be segmented: not three-dimensional, complex or colour, NaN, constant, empty.

    Attributes:
        volume_count: How many volumes (time points, channels) there are, of which one has to be chosen.
    """

    code = "volume_invalid"

    def __init__(self, message: str, hint: str = "", volume_count: int = 1) -> None:
        super().__init__(message, hint)
        self.volume_count = volume_count


class GeometryError(InputError):
    """The affine matrix is no map from voxels to patient space: singular, NaN, zero spacing."""

    code = "geometry_invalid"


class ModalityError(InputError):
    """The modality is unknown or not supported by the model."""

    code = "modality_unsupported"


class LimitExceededError(InputError):
    """The request is larger than this installation allows."""

    code = "limit_exceeded"


class PromptError(TextSegmentError):
    """A prompt is blank, too long, or there is none."""

    code = "prompt_invalid"


class UnknownStructureError(PromptError):
    """The text names no structure that the model can segment.

    Attributes:
        suggestions: Names of the nearest structures, best first; may be empty.
    """

    code = "structure_unknown"

    def __init__(self, message: str, hint: str = "", suggestions: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.suggestions = suggestions


class ExpressionError(PromptError):
    """The definition of a derived structure cannot be read, or not be carried out.

    Attributes:
        position: Index of the character where it fails.
    """

    code = "expression_invalid"

    def __init__(self, message: str, hint: str = "", position: int = 0) -> None:
        super().__init__(message, hint)
        self.position = position


class OutputError(TextSegmentError):
    """The result cannot be written."""

    code = "output_unwritable"


class DiskFullError(OutputError):
    """There is no room for the result; nothing half-written is left behind."""

    code = "disk_full"


class OverlapError(OutputError):
    """Structures overlap and the chosen format can hold one structure a voxel only."""

    code = "structures_overlap"


class WeightsError(TextSegmentError):
    """Model weights cannot be used."""

    code = "weights_invalid"


class WeightsMissingError(WeightsError):
    """The weights of the model are not on this computer."""

    code = "weights_missing"


class WeightsTamperedError(WeightsError):
    """The weights differ from the ones recorded on first sight (SHA-256)."""

    code = "weights_tampered"


class WeightsDownloadError(WeightsError):
    """The weights could not be fetched: network, proxy, hub, or the files are not there."""

    code = "weights_download_failed"


class CheckpointError(WeightsError):
    """The checkpoint has other parameters than the network: missing, unexpected, or of another shape."""

    code = "checkpoint_mismatch"


class DeviceError(TextSegmentError):
    """The device that was asked for is not there or does not work."""

    code = "device_unavailable"


class OutOfMemoryError(TextSegmentError):
    """Memory did not suffice although every fallback was tried."""

    code = "out_of_memory"


class CancelledError(TextSegmentError):
    """The job was cancelled by its owner."""

    code = "cancelled"


class DependencyMissingError(TextSegmentError):
    """A package that this function needs is not installed; the hint has the pip command."""

    code = "dependency_missing"


class RequestError(TextSegmentError):
    """What was sent is not in the agreed form: garbage, truncated, a field missing or of the wrong type."""

    code = "request_invalid"


class ChecksumError(RequestError):
    """What arrived is not what was sent; nothing of it is kept."""

    code = "checksum_mismatch"


class UploadOutOfStepError(RequestError):
    """The upload goes on at another place than the server stands at."""

    code = "upload_out_of_step"


class RequestTimeoutError(RequestError):
    """The request came in too slowly."""

    code = "request_timeout"


class VersionMismatchError(TextSegmentError):
    """The two sides speak different versions of the protocol."""

    code = "version_mismatch"


class UnauthorizedError(TextSegmentError):
    """The access key is missing or wrong."""

    code = "unauthorized"


class ForbiddenError(TextSegmentError):
    """The request came by a way that is not allowed, for example under a foreign host name."""

    code = "forbidden"


class VolumeUnknownError(TextSegmentError):
    """The server does not hold this volume, or not any more: upload it again."""

    code = "volume_unknown"


class StorageError(TextSegmentError):
    """The server cannot keep the volume: its disk or its store is full, or fails."""

    code = "storage_failed"


class BusyError(TextSegmentError):
    """The queue is full.

    Attributes:
        retry_after_s: After how many seconds to try again.
    """

    code = "busy"

    def __init__(self, message: str, hint: str = "", retry_after_s: int = 1) -> None:
        super().__init__(message, hint)
        self.retry_after_s = retry_after_s


class RateLimitedError(BusyError):
    """Too many requests, or too many wrong keys, from one place."""

    code = "rate_limited"


class EngineLostError(TextSegmentError):
    """The engine stopped in mid-job; the next job finds a new one."""

    code = "engine_lost"


class StreamBrokenError(TextSegmentError):
    """The answer of the server broke off, or cannot be understood."""

    code = "stream_broken"


class SettingsError(TextSegmentError):
    """A program was told to run in a way that cannot work, or would not be safe."""

    code = "settings_invalid"


class PortInUseError(SettingsError):
    """Another program listens at this port already."""

    code = "port_in_use"


class ServerUnreachableError(TextSegmentError):
    """No connection to the server: name, address, port, network or proxy."""

    code = "server_unreachable"


class TlsError(ServerUnreachableError):
    """The server cannot prove who it is, or speaks no TLS."""

    code = "tls_failed"


class ServerTimeoutError(ServerUnreachableError):
    """The server did not answer in time."""

    code = "server_timeout"


def place_of(error: BaseException) -> str:
    """Return the line of code that raised an error, ``module:line``: safe to log, unlike its text."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"
