"""The switch that collects accepted cases for training, and the folder that they go to."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _
from textsegment.errors import TextSegmentError

from TextSegmentLib import settings
from TextSegmentLib.background import Pump
from TextSegmentLib.collect.case import CollectedCase
from TextSegmentLib.scene.results.results import Results


class CollectBox:
    """Collects what the user accepts, while the switch is on; it is off until the user turns it on.

    Args:
        ui: Widgets of the panel, by name.

    Attributes:
        case: Case that is being written, or None.
    """

    def __init__(self, ui: Any) -> None:
        self._box, self._edit, self._label = ui.collectBox, ui.collectFolderEdit, ui.collectLabel
        self._edit.currentPath = str(settings.collect_folder() or "")
        self._box.checked = settings.collects()
        self.case: CollectedCase | None = None
        self._again: Results | None = None
        self._pump: Pump | None = None
        self._box.connect("toggled(bool)", self._switched)
        self._edit.connect("currentPathChanged(QString)", settings.set_collect_folder)
        self._switched(self._box.checked)

    def take(self, results: Results) -> None:
        """Collect the accepted segments of results with their scan, if the switch is on."""
        if not self._box.checked:
            return
        if self.case is not None:
            self._again = results  # one at a time, and then as it is by then
            return
        rows = [row for row in results.rows if row.accepted and row.segment_id]
        folder = settings.collect_folder()
        if not rows or None in (results.volume_node, results.segmentation_node):
            return
        try:
            if folder is None:
                self._say(_("Choose a folder: nothing has been collected."))
                return
            self.case = CollectedCase(results.volume_node, results.segmentation_node, rows, folder)
        except TextSegmentError as error:
            self._say(f"{error.message} {error.hint}")
            return
        self._say(_("Collecting…"))
        self._pump = Pump(self._look)

    def stop(self) -> None:
        """Stop following a case that is being written; it is written to the end."""
        if self._pump is not None:
            self._pump.stop()

    def _look(self) -> bool:
        if self.case is None or not self.case.is_over:
            return self.case is not None
        case, self.case, self._pump = self.case, None, None
        try:
            said = _("Collected as {name}.").format(name=case.result().name)
            if case.left_out:
                said += " " + _("Left out, since their names are your own: {count}.").format(
                    count=case.left_out
                )
            self._say(said)
        except TextSegmentError as error:
            self._say(f"{error.message} {error.hint}")
        again, self._again = self._again, None
        if again is not None:
            self.take(again)
        return False

    def _switched(self, is_on: bool) -> None:
        settings.set_collects(is_on)
        self._edit.visible = self._label.visible = is_on
        self._say(_("Accepted structures go there with their scan, without names.") if is_on else "")

    def _say(self, text: str) -> None:
        self._label.text = text
