"""Makes the pictures of the module for README and extension catalogue: real panel, real engine, real CT.

Run it from anywhere, with the environment of the tests; it takes about a minute.
"""

import sys
from pathlib import Path

_TOP = Path(__file__).parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(_TOP / "TextSegment")]

from slicer_host import driver, host, pictures  # noqa: E402

host.boot()

import numpy as np  # noqa: E402
import slicer  # noqa: E402
import slicer.util  # noqa: E402
from scipy import ndimage  # noqa: E402

_FOLDER = _TOP / "Resources" / "Screenshots"
_DOCS = _TOP / "TextSegmentBackend" / "docs" / "pictures"
_PICTURES = (
    "empty_panel",
    "engine_section",
    "typing",
    "tree",
    "running",
    "results",
    "correcting",
    "export",
)
_VIEW = (380, 427)  # as high, two of them, as the panel with its results
_TEXT = "left lung, right lung, heart, aorta, liver, vertebrae"
_HALF_SENTENCE = "lungs, lt kidney, hart, appendix"


class Photographer:
    """Works the panel and takes pictures on the way."""

    def __init__(self) -> None:
        module = host.load_module(_TOP / "TextSegment" / "TextSegment.py")
        slicer.app.startupCompleted.emit()
        self.widget = host.show_panel(module)
        self.ui = self.widget.panel.ui

    def empty_panel(self) -> None:
        """The panel as it opens, with an image chosen."""
        from textsegment.files.sample import sample_scan

        self.volume_node = slicer.util.loadVolume(str(sample_scan()), {"name": "CT chest"})
        display_node = self.volume_node.GetDisplayNode()
        display_node.AutoWindowLevelOff()
        display_node.SetWindowLevel(700, 0)
        self.ui.inputSelector.setCurrentNode(self.volume_node)
        driver.wait_until(lambda: "looking" not in self.ui.engineStatusLabel.text, "a look at the engine")
        self._save_panel("panel")

    def engine_section(self) -> None:
        """The engine on this computer, started."""
        driver.wait_until(lambda: self.ui.startButton.enabled, "a button to start the engine", 60)
        driver.click(self.ui.engineButton)
        driver.click(self.ui.startButton)
        driver.wait_until(lambda: "(cpu)" in self.ui.engineStatusLabel.text, "the engine", 120)
        self._save_panel("panel_engine")
        driver.click(self.ui.engineButton)

    def typing(self) -> None:
        """What a text means, while it is typed."""
        driver.type_text(self.ui.promptEdit, _HALF_SENTENCE)
        driver.wait_until(lambda: "appendix" in self.ui.resolutionLabel.text, "meaning of the text")
        self._close_completion()
        self._save_panel("panel_typing")
        self.ui.promptEdit.text = ""

    def tree(self) -> None:
        """The anatomy with checks, in step with the text."""
        driver.type_text(self.ui.promptEdit, "heart, left lung")
        driver.wait_until(lambda: "left lung" in self.ui.resolutionLabel.text, "meaning of the text")
        self._close_completion()
        self._fold_anatomy(False)
        view = self.ui.anatomyTree
        for name in ("Airways and lungs", "Heart and vessels"):
            for row in range(view.model().rowCount()):
                item = view.model().item(row)
                if item.text() == name:
                    view.expand(item.index())
        self._save_panel("panel_anatomy")
        view.collapseAll()
        self.ui.promptEdit.text = ""

    def running(self) -> None:
        """A run on its way."""
        self._fold_anatomy(True)
        self.four_up = pictures.FourUp(self.volume_node, _VIEW)
        driver.type_text(self.ui.promptEdit, _TEXT)
        driver.wait_until(lambda: "vertebrae" in self.ui.resolutionLabel.text, "meaning of the text")
        self._close_completion()
        driver.click(self.ui.segmentButton)
        run = self.widget.logic.run
        driver.wait_until(lambda: run.fraction > 0.5 or not run.is_active, "half of the work", 120)
        self._save_panel("panel_running")
        driver.wait_until(lambda: not run.is_active, "the end", 300)

    def results(self) -> None:
        """Segments in the slice views and in 3-D, and their table."""
        run = self.widget.logic.run
        driver.click(self.ui.show3DButton)
        driver.fit_panel(self.widget.parent)
        driver.click_row(self.ui.resultsTable.tableWidget(), 2, 3)
        driver.fit_panel(self.widget.parent)
        assert run.state == "done", run.error
        self._save(pictures.panel_beside_views(self.widget.parent, self.four_up), "results")

    def correcting(self) -> None:
        """A slice of the heart drawn anew, carried to the rest, before it is taken."""
        node = self.widget.logic.run.segmentation_node
        segment_id = node.GetSegmentation().GetSegmentIdBySegmentName("heart")
        mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment_id, self.volume_node) > 0
        k = int(np.argwhere(mask)[:, 0].mean())
        mask[k] = ndimage.binary_dilation(mask[k], iterations=8)
        slicer.util.updateSegmentBinaryLabelmapFromArray(
            mask.astype(np.uint8), node, segment_id, self.volume_node
        )
        self.ui.resultsTable.setSelectedSegmentIDs([segment_id])
        driver.click(self.ui.correctButton)
        driver.wait_until(lambda: self.ui.applyButton.enabled, "edits to apply")
        self.ui.blinkBox.checked = False
        driver.click(self.ui.applyButton)
        driver.wait_until(lambda: self.ui.previewFrame.visible, "the preview", 120)
        driver.fit_panel(self.widget.parent)
        panel = pictures.panel_picture(self.widget.parent)
        margin = self.ui.inputSelector.geometry.top()  # of the panel around what is in it
        top = self.ui.resultsButton.geometry.top()
        bottom = self.ui.engineButton.geometry.top() + margin
        axial = self.four_up.slices["Red"].picture()
        picture = pictures.beside(panel[top:bottom], axial)
        self._save(picture, "panel_correcting", _DOCS)
        driver.click(self.ui.takeButton)
        driver.click(self.ui.correctButton)

    def export(self) -> None:
        """The dialog that writes DICOM objects."""
        driver.click(self.ui.exportButton)
        dialog = self.widget.panel.results.export_dialog
        dialog.form.folder_edit.currentPath = "chest/images"
        dialog.form.path_edit.currentPath = "chest/plan.rtstruct.dcm"
        driver.run_events(100)
        self._save(pictures.panel_picture(dialog.window), "export")
        driver.click(dialog.close_button)

    def _fold_anatomy(self, shut: bool) -> None:
        if self.ui.anatomyButton.collapsed != shut:
            driver.click(self.ui.anatomyButton)

    def _close_completion(self) -> None:
        self.ui.promptEdit.clearFocus()
        for window in slicer.app.topLevelWidgets():
            if window.isVisible() and window is not self.widget.parent:
                window.hide()

    def _save_panel(self, name: str) -> None:
        driver.fit_panel(self.widget.parent)
        self._save(pictures.panel_picture(self.widget.parent), name)

    def _save(self, picture, name: str, folder: Path = _FOLDER) -> None:
        path = folder / f"{name}.png"
        pictures.save(picture, path)
        print(path.name, f"{path.stat().st_size / 1000:.0f} kB")


def main() -> None:
    """Takes all pictures, and stops the engine."""
    photographer = Photographer()
    try:
        for picture in _PICTURES:
            getattr(photographer, picture)()
    finally:
        from TextSegmentLib.engine.server_process import local_server

        local_server().stop_now()


if __name__ == "__main__":
    main()
