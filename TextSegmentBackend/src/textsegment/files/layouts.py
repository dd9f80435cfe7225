"""How data sets lay their files out: which folders hold scans, and which other things."""

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
    """Where scans lie in a folder.

    Attributes:
        scan_folders: Names of the folders that hold them, in small letters; empty if any folder may.
        is_of_image_files: Whether a standard says so: then DICOM files somewhere below are no matter.
    """

    scan_folders: tuple[str, ...] = ()
    is_of_image_files: bool = False

    def reason_against(self, parts: Sequence[str]) -> str | None:
        """Return why the images in a folder, given by the names on the way to it, are none to segment."""
        names = [part.lower() for part in parts]
        if any(name in _LABEL_FOLDERS for name in names):
            return LABELS
        if self.scan_folders and names[-1] not in self.scan_folders:
            return OTHER_IMAGES
        if self.is_of_image_files and names[0] in ("derivatives", "sourcedata"):
            return OTHER_IMAGES
        return None


def layout_of(folder: Path) -> Layout:
    """Recognise BIDS and nnU-Net by what lies in the folder."""
    if (folder / _BIDS_MARK).is_file():
        return Layout(_BIDS_SCANS, is_of_image_files=True)
    below = {path.name.lower() for path in folder.iterdir() if path.is_dir()}
    if below & set(_NNUNET_SCANS):
        return Layout(_NNUNET_SCANS, is_of_image_files=True)
    return Layout()
