"""Points and boxes that the user places to correct a segment: markups nodes, saved with the scene."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _
from textsegment.geometry import Box, Geometry

from TextSegmentLib.correction.edited_segment import Mark
from TextSegmentLib.scene.region import effort_of

_FOR = "TextSegment.MarksFor"
_SEGMENT = "TextSegment.MarksSegment"
_KIND = "TextSegment.MarksKind"
_INSIDE, _OUTSIDE, _BOX = "inside", "outside", "box"
_POINTS, _ROI = "vtkMRMLMarkupsFiducialNode", "vtkMRMLMarkupsROINode"
_COLORS = {_INSIDE: (0.2, 0.9, 0.2), _OUTSIDE: (1.0, 0.25, 0.2), _BOX: (1.0, 0.8, 0.1)}


class Marks:
    """Points and the box of one segment.

    Args:
        segmentation_node: Segmentation that holds the segment.
        segment_id: Identifier of the segment.
    """

    def __init__(self, segmentation_node: Any, segment_id: str) -> None:
        self._scene = segmentation_node.GetScene()
        self._segmentation_node, self._segment_id = segmentation_node, segment_id
        segment = segmentation_node.GetSegmentation().GetSegment(segment_id)
        self._name = segment.GetName() if segment is not None else segment_id

    @property
    def segment_id(self) -> str:
        """Identifier of the segment."""
        return self._segment_id

    def points(self, volume_node: Any) -> tuple[Mark, ...]:
        """Return all points, in the space of a volume."""
        to_volume = vtk.vtkGeneralTransform()
        slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(
            None, volume_node.GetParentTransformNode(), to_volume
        )
        marks = []
        for kind in (_INSIDE, _OUTSIDE):
            node = self._find(kind)
            for number in range(node.GetNumberOfControlPoints() if node is not None else 0):
                if node.GetNthControlPointPositionStatus(number) == node.PositionDefined:
                    world = [0.0, 0.0, 0.0]
                    node.GetNthControlPointPositionWorld(number, world)
                    x, y, z = to_volume.TransformPoint(world)
                    marks.append(Mark((x, y, z), belongs=kind == _INSIDE))
        return tuple(marks)

    def box(self, volume_node: Any, geometry: Geometry) -> Box | None:
        """Return the box on the grid of a volume; None if there is none.

        Raises:
            GeometryError: The box lies outside the volume.
        """
        node = self._find(_BOX)
        if node is None or node.GetNumberOfDefinedControlPoints() == 0:
            return None
        return effort_of(node, volume_node, geometry).region

    @property
    def has_box(self) -> bool:
        """Whether a box was placed."""
        node = self._find(_BOX)
        return node is not None and node.GetNumberOfDefinedControlPoints() > 0

    def place_inside(self) -> Any:
        """Let the user click on what belongs to the structure; return the node of the points."""
        return self._place(_INSIDE)

    def place_outside(self) -> Any:
        """Let the user click on what does not belong to the structure; return the node of the points."""
        return self._place(_OUTSIDE)

    def place_box(self) -> Any:
        """Let the user draw a box in place of an earlier one; return its node."""
        node = self._find(_BOX)
        if node is not None:
            self._scene.RemoveNode(node)
        return self._place(_BOX)

    def clear(self) -> None:
        """Remove all points and the box."""
        for node in list(self._nodes()):
            self._scene.RemoveNode(node)

    def show_alone(self) -> None:
        """Show all points and the box, and hide those of other segments, over which they would lie."""
        mine = set(self._nodes())
        for node in self._nodes_of_all():
            node.SetDisplayVisibility(node in mine)

    def _place(self, kind: str) -> Any:
        node = self._find(kind) or self._make(kind)
        selection = slicer.app.applicationLogic().GetSelectionNode()
        selection.SetReferenceActivePlaceNodeClassName(node.GetClassName())
        selection.SetActivePlaceNodeID(node.GetID())
        interaction = slicer.app.applicationLogic().GetInteractionNode()
        if kind == _BOX:
            interaction.SwitchToSinglePlaceMode()
        else:
            interaction.SwitchToPersistentPlaceMode()
        return node

    def _make(self, kind: str) -> Any:
        names = {
            _INSIDE: _("{segment}: inside"),
            _OUTSIDE: _("{segment}: outside"),
            _BOX: _("{segment}: box"),
        }
        name = self._scene.GenerateUniqueName(names[kind].format(segment=self._name))
        node = self._scene.AddNewNodeByClass(_ROI if kind == _BOX else _POINTS, name)
        node.SetNodeReferenceID(_FOR, self._segmentation_node.GetID())
        node.SetAttribute(_SEGMENT, self._segment_id)
        node.SetAttribute(_KIND, kind)
        node.CreateDefaultDisplayNodes()
        display_node = node.GetDisplayNode()
        display_node.SetSelectedColor(*_COLORS[kind])
        display_node.SetColor(*_COLORS[kind])
        display_node.SetPointLabelsVisibility(False)
        display_node.SetPropertiesLabelVisibility(False)
        display_node.SetFillVisibility(False)  # a filled box hides what it is drawn around
        return node

    def _find(self, kind: str) -> Any:
        return next((node for node in self._nodes() if node.GetAttribute(_KIND) == kind), None)

    def _nodes(self) -> Iterator[Any]:
        return (node for node in self._nodes_of_all() if node.GetAttribute(_SEGMENT) == self._segment_id)

    def _nodes_of_all(self) -> Iterator[Any]:
        """Yield the nodes of all segments of the segmentation."""
        for class_name in (_POINTS, _ROI):
            count = self._scene.GetNumberOfNodesByClass(class_name)
            for node in [self._scene.GetNthNodeByClass(n, class_name) for n in range(count)]:
                if node.GetAttribute(_SEGMENT) and node.GetNodeReference(_FOR) is self._segmentation_node:
                    yield node


def stop_placing() -> None:
    """End the placing of points and boxes."""
    slicer.app.applicationLogic().GetInteractionNode().SwitchToViewTransformMode()
