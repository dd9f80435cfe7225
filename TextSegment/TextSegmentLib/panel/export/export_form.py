"""The form of the export dialog: its widgets and the user's input."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ctk
import qt
from slicer.i18n import tr as _

from TextSegmentLib.export.destinations import Destination, known_destinations, typed_destination
from TextSegmentLib.export.regions import SegmentRegion
from TextSegmentLib.export.request import ExportRequest, Format, names_for
from TextSegmentLib.panel.anatomy.sets import read_own_sets
from TextSegmentLib.panel.anatomy.sets_menu import own_sets_folder

_FORMATS = tuple(Format)
_NAMINGS = ("tg263", "sat", "snomed")
_WIDTH = 420


class ExportForm:
    """Lets the user choose format, naming scheme, structures, DICOM images and output file.

    Args:
        window: Dialog to which the form is added.
        regions: Segments that can be exported.
        has_source: Whether Slicer's DICOM database contains the source images.
    """

    def __init__(self, window: Any, regions: Sequence[SegmentRegion], *, has_source: bool) -> None:
        self._regions = regions
        self.layout = qt.QFormLayout()
        self.format_box = self._add_box(
            _("&Format:"), (_("RT structure set (RTSTRUCT)"), _("DICOM segmentation (SEG)"))
        )
        self._sets, _problems = read_own_sets(own_sets_folder())
        own = (_("Set: {name}").format(name=each.label) for each in self._sets)
        self.naming_box = self._add_box(
            _("&Names:"), (_("AAPM TG-263"), _("As in the segmentation"), _("SNOMED CT"), *own)
        )
        self.naming_box.toolTip = _(
            "A set of yours also gives types, colors and order, finishes the masks, and derives structures."
        )
        self.short_box = qt.QCheckBox(_("At most &16 characters"))
        self.short_box.toolTip = _("Some planning systems cut longer names.")
        self.layout.addRow("", self.short_box)
        self.list = qt.QListWidget()
        self.list.accessibleName = _("Structures to export")
        for row, region in enumerate(regions):
            self.list.addItem(region.name)
            self.list.item(row).setCheckState(qt.Qt.Checked)
        self._add(_("&Structures:"), self.list)
        self.folder_edit = self._add_path(_("&DICOM folder:"), ctk.ctkPathLineEdit.Dirs)
        self.folder_edit.toolTip = _("The DICOM images that the structures were drawn on.")
        if has_source:
            self._hint(self.folder_edit, _("from Slicer's database"))
        self.append_edit = self._add_path(_("E&xtend:"), ctk.ctkPathLineEdit.Files)
        self.append_edit.toolTip = _(
            "A structure set of the same images: the new file has its structures too. It is left as it is."
        )
        self._hint(self.append_edit, _("no structure set"))
        self.path_edit = self._add_path(_("F&ile:"), ctk.ctkPathLineEdit.Files | ctk.ctkPathLineEdit.Writable)
        self.path_edit.toolTip = _("The file to write; nothing is overwritten.")
        self._destinations = known_destinations()
        self.send_box = self._add_box(
            _("&Send to:"), ("", *(destination.name for destination in self._destinations))
        )
        self.send_box.editable = True
        self.send_box.toolTip = _(
            "A server of the DICOM module with storage enabled, AETITLE@host:port, or the address of a "
            "DICOMweb service. Without a file, the object is sent only."
        )
        self.send_box.lineEdit().placeholderText = _("nobody")
        for box in (self.format_box, self.naming_box):
            box.connect("currentIndexChanged(int)", lambda _index: self.show_names())
        self.short_box.connect("toggled(bool)", lambda _is_checked: self.show_names())
        window.layout().addLayout(self.layout)
        window.minimumWidth = _WIDTH
        self.show_names()

    @property
    def destination(self) -> Destination | None:
        """The system to send to; None for none.

        Raises:
            SettingsError: What was typed is not understood.
        """
        text = self.send_box.currentText.strip()
        known = {destination.name: destination for destination in self._destinations}
        return known.get(text) or (typed_destination(text) if text else None)

    @property
    def request(self) -> ExportRequest:
        """The export request as the user has entered it, but for its destination."""
        kind, index = _FORMATS[self.format_box.currentIndex], self.naming_box.currentIndex
        append = self._path(self.append_edit) if kind is Format.STRUCTURE_SET else None
        return ExportRequest(
            format=kind,
            path=self._path(self.path_edit) or Path(),
            naming=_NAMINGS[index] if index < len(_NAMINGS) else "sat",
            short_names=self.short_box.checked,
            append_to=append,
            folder=self._path(self.folder_edit),
            template=self._sets[index - len(_NAMINGS)] if index >= len(_NAMINGS) else None,
        )

    @property
    def chosen(self) -> list[str]:
        """Identifiers of the checked segments."""
        rows = range(len(self._regions))
        return [
            self._regions[row].segment_id for row in rows if self.list.item(row).checkState() == qt.Qt.Checked
        ]

    def show_names(self) -> None:
        """Show the name under which each segment would be written."""
        request = self.request
        self.append_edit.enabled = request.format is Format.STRUCTURE_SET
        for row, (region, name) in enumerate(
            zip(self._regions, names_for(self._regions, request), strict=True)
        ):
            text = region.name if name == region.name else f"{region.name}  →  {name}"
            self.list.item(row).setText(text)

    def _add(self, label: str, widget: Any) -> None:
        tag = qt.QLabel(label)
        tag.setBuddy(widget)
        self.layout.addRow(tag, widget)

    def _add_box(self, label: str, texts: Sequence[str]) -> Any:
        box = qt.QComboBox()
        box.addItems(list(texts))
        self._add(label, box)
        return box

    def _add_path(self, label: str, filters: Any) -> Any:
        edit = ctk.ctkPathLineEdit()
        edit.filters = filters
        edit.accessibleName = label.replace("&", "").rstrip(":")
        self._add(label, edit)
        return edit

    def _hint(self, edit: Any, text: str) -> None:
        edit.comboBox().lineEdit().placeholderText = text

    def _path(self, edit: Any) -> Path | None:
        text = edit.currentPath.strip()
        return Path(text) if text else None
