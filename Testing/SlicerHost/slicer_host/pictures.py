"""Pictures as arrays: a panel, Slicer's four views, and both side by side."""

from pathlib import Path

import numpy as np
import slicer
from PySide6 import QtGui, QtWidgets

from slicer_host import views

_BAR = 6  # height of the coloured bar that marks a slice view, in pixels
_GAP = 2


class FourUp:
    """Slicer's usual layout, without toolbars: axial and 3-D above, coronal and sagittal below.

    Args:
        volume_node: Shown behind the segments.
        size: Width and height of one view in pixels.
    """

    def __init__(self, volume_node, size: tuple[int, int] = (360, 320)) -> None:
        application_logic = slicer.app.applicationLogic()
        views.register_displayable_managers(application_logic)
        inner = (size[0], size[1] - _BAR)
        self.slices = {name: views.SliceView(name, inner) for name in views.ORIENTATIONS}
        self.three_d = views.ThreeDView(size)
        application_logic.GetSelectionNode().SetReferenceActiveVolumeID(volume_node.GetID())
        application_logic.PropagateVolumeSelection()
        for view in self.slices.values():
            view.logic.GetSliceCompositeNode().SetBackgroundVolumeID(volume_node.GetID())
            view.fit()

    def close(self) -> None:
        """Lets go of the scene; see ``views.SliceView.close``."""
        for view in (*self.slices.values(), self.three_d):
            view.close()

    def picture(self) -> np.ndarray:
        """Returns what the four views show now, uint8 (height, width, 3)."""
        self.three_d.fit()
        red, green, yellow = (self._with_bar(name) for name in ("Red", "Green", "Yellow"))
        return _stack(beside(red, self.three_d.picture()), beside(green, yellow))

    def _with_bar(self, name: str) -> np.ndarray:
        picture = self.slices[name].picture()
        bar = np.empty((_BAR, picture.shape[1], 3), dtype=np.uint8)
        bar[:] = np.rint(np.multiply(views.COLORS[name], 255))
        return np.concatenate([bar, picture])


def panel_picture(panel: QtWidgets.QWidget) -> np.ndarray:
    """Returns a panel as it is now, uint8 (height, width, 3)."""
    image = panel.grab().toImage().convertToFormat(QtGui.QImage.Format_RGB888)
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return pixels[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def panel_beside_views(panel: QtWidgets.QWidget, four_up: FourUp) -> np.ndarray:
    """Returns panel and views as in Slicer's window."""
    return beside(panel_picture(panel), four_up.picture())


def save(picture: np.ndarray, path: Path) -> None:
    """Writes a picture as PNG."""
    height, width, _ = picture.shape
    data = np.ascontiguousarray(picture)
    image = QtGui.QImage(data.data, width, height, 3 * width, QtGui.QImage.Format_RGB888)
    image.save(str(path), "PNG", 0)


def beside(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Returns two pictures side by side; the lower one is made higher."""
    height = max(left.shape[0], right.shape[0])
    gap = np.full((height, _GAP, 3), 120, dtype=np.uint8)
    return np.concatenate([_fill(left, height), gap, _fill(right, height)], axis=1)


def _stack(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    gap = np.full((_GAP, upper.shape[1], 3), 120, dtype=np.uint8)
    return np.concatenate([upper, gap, lower])


def _fill(picture: np.ndarray, height: int) -> np.ndarray:
    """Makes a picture higher, in the colour of its last row's first pixel."""
    missing = height - picture.shape[0]
    below = np.broadcast_to(picture[-1, 0], (missing, picture.shape[1], 3))
    return np.concatenate([picture, below])
