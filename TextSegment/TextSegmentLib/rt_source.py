"""The DICOM files that a volume node was loaded from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _
from textsegment.errors import InputError, InputNotFoundError

_INSTANCES = "DICOM.instanceUIDs"


def has_dicom_source(volume_node: Any) -> bool:
    """Whether a volume was loaded from Slicer's DICOM database."""
    return bool(volume_node.GetAttribute(_INSTANCES))


def dicom_files(volume_node: Any) -> list[Path]:
    """Return the files of a volume that was loaded from Slicer's DICOM database.

    Raises:
        InputError: It was not loaded from there.
        InputNotFoundError: The database, or some of the files, are there no more.
    """
    instances = (volume_node.GetAttribute(_INSTANCES) or "").split()
    if not instances:
        raise InputError(
            _("The image was not loaded from DICOM, so no DICOM object can refer to it."),
            _("Choose the folder of its DICOM images, if there is one, or save the segmentation instead."),
        )
    database = getattr(slicer, "dicomDatabase", None)
    files = [database.fileForInstance(instance) for instance in instances] if database else [""]
    if not all(file and Path(file).is_file() for file in files):
        raise InputNotFoundError(
            _("DICOM files of the image are no longer in Slicer's database."),
            _("Choose the folder that holds them."),
        )
    return [Path(file) for file in dict.fromkeys(files)]
