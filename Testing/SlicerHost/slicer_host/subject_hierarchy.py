"""Stand-in for the plugins (C++ with Qt) that give each node of data its place in the subject hierarchy."""

import slicer
import slicer.util
import vtk

SHOWN = (
    "vtkMRMLVolumeNode",
    "vtkMRMLSegmentationNode",
    "vtkMRMLModelNode",
    "vtkMRMLTransformNode",
    "vtkMRMLMarkupsNode",
    "vtkMRMLTableNode",
    "vtkMRMLTextNode",
    "vtkMRMLSequenceNode",
)


def follow(scene) -> None:
    """Gives each shown node that enters the scene an item below the scene's own, and takes it when it leaves.

    While a scene is read, its own hierarchy comes with it: only what that lacks is added in the end.
    """

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def on_node_added(_scene, _event, node) -> None:
        if not scene.IsImporting():
            _add(scene, node)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def on_node_about_to_be_removed(_scene, _event, node) -> None:
        if scene.IsClosing() or node.IsA("vtkMRMLSubjectHierarchyNode"):
            return
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
        if item := hierarchy.GetItemByDataNode(node):
            hierarchy.RemoveItem(item, False, False)

    def on_import_ended(_scene, _event) -> None:
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(scene)
        for node in slicer.util.getNodesByClass("vtkMRMLDisplayableNode"):
            if not hierarchy.GetItemByDataNode(node):
                _add(scene, node)

    scene.AddObserver(scene.NodeAddedEvent, on_node_added)
    scene.AddObserver(scene.NodeAboutToBeRemovedEvent, on_node_about_to_be_removed)
    scene.AddObserver(scene.EndImportEvent, on_import_ended)


def _add(scene, node) -> None:
    if not node.GetHideFromEditors() and any(node.IsA(kind) for kind in SHOWN):
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(scene)
        hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
