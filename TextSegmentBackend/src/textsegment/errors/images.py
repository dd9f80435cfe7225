"""The given image, file or edit cannot be used."""

from __future__ import annotations

from textsegment.errors.base import TextSegmentError


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
    """A template file is invalid.

    Attributes:
        line: Number of the line, from 1; 0 if it is not known.
        field: Name of the invalid field; empty if the file as a whole is invalid.
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
