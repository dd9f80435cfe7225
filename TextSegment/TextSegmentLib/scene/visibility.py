"""Visibility of a segmentation in the slice views."""

from __future__ import annotations

from typing import Any

import slicer


def is_hidden(segmentation_node: Any) -> bool:
    """Return whether slice views hide a segmentation entirely, whatever the visibility of its segments."""
    display_node = segmentation_node.GetDisplayNode()
    if display_node is None:
        return False
    return not (
        display_node.GetVisibility()
        and display_node.GetVisibility2D()
        and _is_shown_by_folders(segmentation_node)
    )


def make_visible(segmentation_node: Any) -> None:
    """Show a segmentation and the folders it is in; the visibility of its segments stays as it is."""
    display_node = segmentation_node.GetDisplayNode()
    if display_node is not None:
        display_node.SetVisibility(True)
        display_node.SetVisibility2D(True)
    for folder_node in _folders(segmentation_node):
        folder_node.SetVisibility(True)


def _is_shown_by_folders(segmentation_node: Any) -> bool:
    return all(
        folder_node.GetVisibility() or not folder_node.GetApplyDisplayPropertiesOnBranch()
        for folder_node in _folders(segmentation_node)
    )


def _folders(segmentation_node: Any) -> list[Any]:
    """Return the display nodes of the folders above a node in the subject hierarchy."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(segmentation_node.GetScene())
    item = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(segmentation_node))
    nodes = []
    while item not in (slicer.vtkMRMLSubjectHierarchyNode.GetInvalidItemID(), hierarchy.GetSceneItemID()):
        node = hierarchy.GetItemDataNode(item)
        if node is not None and node.IsA("vtkMRMLFolderDisplayNode"):
            nodes.append(node)
        item = hierarchy.GetItemParent(item)
    return nodes
