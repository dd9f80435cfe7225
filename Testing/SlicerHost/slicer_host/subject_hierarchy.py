"""Stand-in for the plugins (C++ with Qt) that give each node of data its place in the subject hierarchy."""

import slicer
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
    """Adds an item for each shown node that enters the scene, below the scene's own item."""

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def on_node_added(_scene, _event, node) -> None:
        if not node.GetHideFromEditors() and any(node.IsA(kind) for kind in SHOWN):
            hierarchy = slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(scene)
            hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)

    scene.AddObserver(scene.NodeAddedEvent, on_node_added)
