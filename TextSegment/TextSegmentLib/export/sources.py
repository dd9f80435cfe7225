"""DICOM files that a volume node was loaded from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _
from textsegment.errors import InputError, InputNotFoundError

_INSTANCES = "DICOM.instanceUIDs"


def has_dicom_source(volume_node: Any) -> bool:
    """Return whether a volume was loaded from Slicer's DICOM database."""
    return bool(volume_node.GetAttribute(_INSTANCES))


def dicom_files(volume_node: Any) -> list[Path]:
    """Return the files of a volume that was loaded from Slicer's DICOM database.

    Raises:
        InputError: The volume was not loaded from the database.
        InputNotFoundError: The files are no longer in the database.
    """
    instances = (volume_node.GetAttribute(_INSTANCES) or "").split()
    if not instances:
        raise InputError(
            _("The image was not loaded from DICOM, so no DICOM object can refer to it."),
            _("Choose the folder of its DICOM images, if there is one, or save the segmentation instead."),
        )
    database = getattr(slicer, "dicomDatabase", None)
    files = [database.fileForInstance(instance) for instance in instances] if database else [""]
    if not all(files):
        raise _gone()
    return [Path(file) for file in dict.fromkeys(files)]


def require_there(files: Sequence[Path]) -> None:
    """Check that all files exist; call this in a worker, since disks may be slow.

    Raises:
        InputNotFoundError: A file does not exist.
    """
    if not all(file.is_file() for file in files):
        raise _gone()


def _gone() -> InputNotFoundError:
    return InputNotFoundError(
        _("DICOM files of the image are no longer in Slicer's database."),
        _("Choose the folder that holds them."),
    )
