"""The bar that shows what a correction would change, before and after in turn, and takes it or not."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import qt
from slicer.i18n import tr as _

from TextSegmentLib.correction.correction_run import CorrectionRun
from TextSegmentLib.correction.preview import Preview
from TextSegmentLib.panel.numbers import number

_BLINK_MS = 600


class PreviewBar:
    """Shows a correction until it is taken or discarded.

    Args:
        ui: Widgets of the panel, by name.
        on_take: Called when the user takes the correction.
        on_discard: Called when the user discards it.
    """

    def __init__(self, ui: Any, on_take: Callable[[], None], on_discard: Callable[[], None]) -> None:
        self._ui = ui
        self._preview: Preview | None = None
        self._timer = qt.QTimer(ui.previewFrame)
        self._timer.setInterval(_BLINK_MS)
        self._timer.connect("timeout()", self._blink)
        ui.takeButton.connect("clicked()", on_take)
        ui.discardButton.connect("clicked()", on_discard)
        ui.blinkBox.connect("toggled(bool)", self._blink_toggled)
        ui.previewFrame.visible = False

    @property
    def is_shown(self) -> bool:
        """Whether a correction waits to be taken or discarded."""
        return self._preview is not None

    def show(self, run: CorrectionRun) -> None:
        """Show the outcome of a correction, in place of an earlier one."""
        self.close()
        outcome = run.outcome
        assert outcome is not None
        if outcome.packed is not None:
            results = run.results
            self._preview = Preview(results.segmentation_node, results.volume_node, outcome)
        lines = [_change(run), *(str(warning) for warning in outcome.mask.warnings)]
        self._ui.previewLabel.text = "<br>".join(escape(line) for line in lines)
        self._ui.takeButton.enabled = self._preview is not None
        self._ui.previewFrame.visible = True
        self._blink_toggled(self._ui.blinkBox.checked)

    def close(self) -> None:
        """Remove the preview from the views and the bar from the panel."""
        self._timer.stop()
        preview, self._preview = self._preview, None
        if preview is not None:
            preview.close()
        self._ui.previewFrame.visible = False

    def pause(self) -> None:
        """Show the segment as it is, because the user leaves the panel."""
        self._timer.stop()
        if self._preview is not None:
            self._preview.show(False)

    def resume(self) -> None:
        """Show the preview again."""
        if self._preview is not None:
            self._blink_toggled(self._ui.blinkBox.checked)

    def toggle_blink(self) -> None:
        """Switch the blinking on or off."""
        if self._preview is not None:
            self._ui.blinkBox.checked = not self._ui.blinkBox.checked

    def _blink_toggled(self, blinks: bool) -> None:
        if self._preview is None:
            return
        self._preview.show(True)
        if blinks:
            self._timer.start()
        else:
            self._timer.stop()

    def _blink(self) -> None:
        if self._preview is not None:
            self._preview.show(not self._preview.is_visible)


def _change(run: CorrectionRun) -> str:
    assert run.outcome is not None
    before, after = run.outcome.volume_before_ml, run.outcome.mask.statistics.volume_ml
    digits = 0 if max(before, after) >= 100 else 1
    return _("{name}: {before} → {after} ml. Yellow: the corrected mask; red: what goes.").format(
        name=run.order.segment.name, before=number(before, digits), after=number(after, digits)
    )
