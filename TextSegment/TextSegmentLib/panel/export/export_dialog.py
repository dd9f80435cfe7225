"""The dialog that exports segments as DICOM objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _
from textsegment.errors import TextSegmentError

from TextSegmentLib import settings
from TextSegmentLib.background import Pump
from TextSegmentLib.engine.installer import Installation, InstallState, question, steps_for
from TextSegmentLib.engine.interpreter import chosen_interpreter
from TextSegmentLib.export.regions import list_regions
from TextSegmentLib.export.request import Export, ExportResult
from TextSegmentLib.export.sources import has_dicom_source
from TextSegmentLib.export.writer import PackagesMissingError
from TextSegmentLib.panel.export.export_form import ExportForm
from TextSegmentLib.panel.theme import colors_of


class ExportDialog:
    """Asks what to export, and exports it in the background.

    Args:
        parent: Parent widget of the dialog.
        segmentation_node: Segmentation node that holds the segments.
        volume_node: Volume node on which the segments were drawn.

    Attributes:
        window: The ``QDialog``.
        form: Form with the user's input.
    """

    def __init__(self, parent: Any, segmentation_node: Any, volume_node: Any) -> None:
        self._segmentation_node = segmentation_node
        self._volume_node = volume_node
        # Read once for the whole dialog, because another Slicer instance may change the settings.
        self._interpreter = chosen_interpreter(settings.interpreter())
        self._export: Export | None = None
        self._installation: Installation | None = None
        self._missing: Sequence[str] = ()
        self._pump: Pump | None = None
        self.window = qt.QDialog(parent)
        self.window.windowTitle = _("Export to DICOM")
        self.window.setWindowModality(qt.Qt.WindowModal)
        self.window.setAttribute(qt.Qt.WA_DeleteOnClose)
        self.window.connect("finished(int)", lambda _result: self.stop())
        qt.QVBoxLayout(self.window)
        self.form = ExportForm(
            self.window, list_regions(segmentation_node), has_source=has_dicom_source(volume_node)
        )
        self.message_label = self._add_label()
        self.progress_bar = qt.QProgressBar()
        self.progress_bar.maximum = 0  # indeterminate
        self.window.layout().addWidget(self.progress_bar)
        if hasattr(slicer, "qSlicerDICOMExportDialog"):
            self._offer_slicers_own()
        row = qt.QHBoxLayout()
        self.install_button = self._add_button(row, _("&Install packages…"), self._install)
        row.addStretch(1)
        self.export_button = self._add_button(row, _("&Export"), self._start)
        self.export_button.default = True
        self.close_button = self._add_button(row, _("&Close"), self.window.reject)
        self.window.layout().addLayout(row)
        self._show()

    def open(self) -> None:
        """Show the dialog."""
        self.window.open()

    def stop(self) -> None:
        """Stop updating the dialog; a file that is being written is still completed."""
        if self._pump is not None:
            self._pump.stop()

    def _start(self) -> None:
        self._say()
        try:
            self._export = Export(
                self._segmentation_node,
                self._volume_node,
                self.form.chosen,
                replace(self.form.request, destination=self.form.destination),
                self._interpreter,
            )
        except TextSegmentError as error:
            self._say_error(error)
            return
        self._follow()

    def _follow(self) -> None:
        self._show()
        self._pump = Pump(self._look)

    def _look(self) -> bool:
        """Process results from the background tasks; return whether any task is still running."""
        if self._export is not None and self._export.is_over:
            self._take_result(self._export)
        if self._installation is not None and self._installation.look() is not InstallState.RUNNING:
            self._end_installation(self._installation)
        return self._is_busy

    @property
    def _is_busy(self) -> bool:
        return self._export is not None or self._installation is not None

    def _take_result(self, export: Export) -> None:
        self._export, self._missing = None, ()
        try:
            exported = export.result()
        except TextSegmentError as error:
            if isinstance(error, PackagesMissingError):
                self._missing = error.requirements
            self._say_error(error)
        else:
            self._say_result(exported)
        self._show()

    def _say_result(self, exported: ExportResult) -> None:
        done = [_("Written: {file}").format(file=exported.file.name)] if exported.file is not None else []
        if exported.sent_to:
            done.append(_("Sent to {name}.").format(name=exported.sent_to))
        done += exported.warnings
        if exported.not_sent is None:
            self._say(*done)
            return
        if isinstance(exported.not_sent, PackagesMissingError):
            self._missing = exported.not_sent.requirements
        self._say_error(exported.not_sent, *done)

    def _install(self) -> None:
        interpreter, wheels = self._interpreter, settings.wheels_folder()
        text = question(self._missing, interpreter, wheels)
        if not slicer.util.confirmOkCancelDisplay(text, _("Install the packages?"), parent=self.window):
            return
        self._say(_("Installing…"))
        try:
            self._installation = Installation(
                interpreter, steps_for(self._missing, wheels=wheels, proxy=settings.proxy())
            )
        except TextSegmentError as error:
            self._say_error(error)
        else:
            self._follow()

    def _end_installation(self, installation: Installation) -> None:
        self._installation = None
        if installation.error is None:
            self._missing = ()
            self._say(_("Installed. Export again."))
        else:
            self._say_error(installation.error)
        self._show()

    def _show(self) -> None:
        self.progress_bar.visible = self._is_busy
        self.export_button.enabled = not self._is_busy
        self.install_button.enabled = not self._is_busy
        self.install_button.visible = bool(self._missing)

    def _say_error(self, error: TextSegmentError, *before: str) -> None:
        color = colors_of(self.message_label).problem
        what = f"<b style='color:{color}'>{escape(error.message)}</b>"
        self._say_html(*map(escape, before), what, escape(error.hint))

    def _say(self, *sentences: str) -> None:
        self._say_html(*map(escape, sentences))

    def _say_html(self, *lines: str) -> None:
        self.message_label.text = "<br>".join(line for line in lines if line)
        self.message_label.visible = bool(lines)

    def _offer_slicers_own(self) -> None:
        """Offer a link to Slicer's own export dialog, whose formats depend on the installed extensions."""
        has_slicer_rt = hasattr(slicer.modules, "dicomrtimportexport")
        text = _("Or use {link}.") if has_slicer_rt else _("Or use {link} (structure sets need SlicerRT).")
        name = _("Slicer's own export, with SlicerRT") if has_slicer_rt else _("Slicer's own export")
        label = self._add_label()
        label.text = text.format(link=f"<a href='slicer'>{escape(name)}</a>")
        label.visible = True
        label.connect("linkActivated(QString)", self._open_slicers_own)

    def _open_slicers_own(self, _link: str) -> None:
        self.window.reject()
        scene = self._segmentation_node.GetScene()
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
        dialog = slicer.qSlicerDICOMExportDialog(None)
        dialog.setMRMLScene(scene)
        dialog.execDialog(hierarchy.GetItemByDataNode(self._segmentation_node))

    def _add_label(self) -> Any:
        label = qt.QLabel()
        label.wordWrap = True
        label.visible = False
        self.window.layout().addWidget(label)
        return label

    def _add_button(self, row: Any, text: str, on_clicked: Any) -> Any:
        button = qt.QPushButton(text)
        button.autoDefault = False
        button.connect("clicked()", on_clicked)
        row.addWidget(button)
        return button
