"""Stand-ins for Slicer's DICOM database and for its dialog for export. No Qt."""

from pathlib import Path

import pydicom
import slicer


class ctkDICOMDatabase:
    """Knows the files that were put into it."""

    def __init__(self) -> None:
        self._files: dict[str, str] = {}

    def fileForInstance(self, sopInstanceUID: str) -> str:
        """Returns the path of a file, empty if it is not known."""
        return self._files.get(sopInstanceUID, "")

    def insert_folder(self, folder: Path) -> list[str]:
        """Takes the files of a folder in (of the host, not of CTK); returns their UIDs by instance number."""
        found = []
        for path in folder.glob("*.dcm"):
            header = pydicom.dcmread(path, stop_before_pixels=True)
            self._files[header.SOPInstanceUID] = str(path)
            found.append((header.InstanceNumber, str(header.SOPInstanceUID)))
        return [instance for _number, instance in sorted(found)]


class qSlicerDICOMExportDialog:
    """Opens and closes at once; ``opened`` keeps for which items."""

    opened: list[int] = []  # noqa: RUF012

    def __init__(self, parent=None) -> None:
        self._scene = None

    def setMRMLScene(self, scene) -> None:
        """Takes the scene."""
        self._scene = scene

    def execDialog(self, itemToSelect: int = -1) -> bool:
        """Returns that nothing was exported."""
        assert self._scene is not None
        self.opened.append(itemToSelect)
        return False


def install() -> None:
    """Makes ``slicer.dicomDatabase`` and the dialog known."""
    slicer.dicomDatabase = ctkDICOMDatabase()
    slicer.qSlicerDICOMExportDialog = qSlicerDICOMExportDialog
