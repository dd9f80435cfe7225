"""qMRMLSegmentationShow3DButton: makes and removes the closed surfaces of a segmentation."""

import slicer
import vtk
from PySide6 import QtWidgets

from slicer_host.observation import Observer
from slicer_host.widgets.stand_in import StandIn, cpp_property


class ctkMenuButton(StandIn, QtWidgets.QPushButton):
    """A button with a menu at its side; the menu is not drawn."""


class qMRMLSegmentationShow3DButton(ctkMenuButton):
    """Enabled when the segmentation has segments, down when it has surfaces."""

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self.setText("Show 3D")
        self.setCheckable(True)
        self.setEnabled(False)
        self._node, self._locked = None, False
        self._observer = Observer(self._update)
        self.toggled.connect(self._show)

    locked = cpp_property("bool", lambda self: self._locked, lambda self, value: self.setLocked(value))

    def setLocked(self, locked: bool) -> None:
        """Greys the button whatever the segmentation holds."""
        self._locked = bool(locked)
        self._update()

    def segmentationNode(self):
        """Returns the segmentation."""
        return self._node

    def setSegmentationNode(self, node) -> None:
        """Sets the segmentation, or None."""
        self._node = node
        events = (
            vtk.vtkCommand.ModifiedEvent,
            slicer.vtkSegmentation.SegmentAdded,
            slicer.vtkSegmentation.SegmentRemoved,
            slicer.vtkSegmentation.ContainedRepresentationNamesModified,
        )
        self._observer.watch(node, events)
        self._update()

    def _update(self) -> None:
        segmentation = self._node.GetSegmentation() if self._node else None
        self.setEnabled(
            segmentation is not None and not self._locked and segmentation.GetNumberOfSegments() > 0
        )
        if segmentation is not None:
            self.blockSignals(True)
            self.setChecked(segmentation.ContainsRepresentation(_SURFACE))
            self.blockSignals(False)

    def _show(self, on: bool) -> None:
        if self._node is None:
            return
        segmentation = self._node.GetSegmentation()
        if on and segmentation.CreateRepresentation(_SURFACE) and self._node.GetDisplayNode():
            self._node.GetDisplayNode().SetPreferredDisplayRepresentationName3D(_SURFACE)
        elif not on and segmentation.GetSourceRepresentationName() != _SURFACE:
            segmentation.RemoveRepresentation(_SURFACE)


_SURFACE = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
