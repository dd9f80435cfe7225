"""Folder layouts of data sets: which folders contain scans, and which do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LABELS = "label maps"
OTHER_IMAGES = "time series, derivatives and maps of a data set"

_LABEL_FOLDERS = ("labels", "labelstr", "labelsts", "labelsval", "masks", "segmentations")
# Brain Imaging Data Structure: https://bids-specification.readthedocs.io
_BIDS_MARK = "dataset_description.json"
_BIDS_SCANS = ("anat", "ct", "pet", "micr")
# nnU-Net: https://github.com/MIC-DKFZ/nnUNet (dataset format)
_NNUNET_SCANS = ("imagestr", "imagests", "imagesval")


@dataclass(frozen=True)
class Layout:
    """Layout of the scans in a folder.

    Attributes:
        scan_folders: Names of the folders that contain scans, in lower case; empty if any folder may.
        is_of_image_files: Whether a standard requires image files, so that DICOM files below are ignored.
    """

    scan_folders: tuple[str, ...] = ()
    is_of_image_files: bool = False

    def reason_against(self, parts: Sequence[str]) -> str | None:
        """Return why images in a folder are not scans to segment, or None if they may be.

        Args:
            parts: Names of the folders on the path to the folder, which comes last.
        """
        names = [part.lower() for part in parts]
        if any(name in _LABEL_FOLDERS for name in names):
            return LABELS
        if self.scan_folders and names[-1] not in self.scan_folders:
            return OTHER_IMAGES
        if self.is_of_image_files and names[0] in ("derivatives", "sourcedata"):
            return OTHER_IMAGES
        return None


def layout_of(folder: Path) -> Layout:
    """Return the layout of a folder, recognising BIDS and nnU-Net by the contents of the folder."""
    if (folder / _BIDS_MARK).is_file():
        return Layout(_BIDS_SCANS, is_of_image_files=True)
    below = {path.name.lower() for path in folder.iterdir() if path.is_dir()}
    if below & set(_NNUNET_SCANS):
        return Layout(_NNUNET_SCANS, is_of_image_files=True)
    return Layout()
