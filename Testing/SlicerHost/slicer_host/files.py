"""Stand-in for ``slicer.app.coreIOManager()``: reads and writes by the real storage nodes."""

from pathlib import Path

import slicer


class CoreIOManager:
    """Reads volumes, segmentations and scenes, and writes nodes and scenes."""

    def fileType(self, path: str) -> str:
        """Returns the type that Slicer would read this file as."""
        name = Path(path).name.lower()
        if name.endswith((".mrb", ".mrml")):
            return "SceneFile"
        return "SegmentationFile" if ".seg." in name else "VolumeFile"

    def loadNodes(self, file_type: str, properties: dict, loaded, _messages=None) -> bool:
        """Reads ``properties["fileName"]``; the nodes are appended to the collection ``loaded``."""
        path = properties["fileName"]
        if file_type == "SceneFile":
            return self._load_scene(path, properties)
        node = self._volume(path, properties) if file_type == "VolumeFile" else self._segmentation(path)
        if node is None:
            return False
        loaded.AddItem(node)
        return True

    def saveNodes(self, file_type: str, properties: dict, _messages=None) -> bool:
        """Writes the scene, or the node ``properties["nodeID"]``, to ``properties["fileName"]``."""
        path = properties["fileName"]
        scene = slicer.mrmlScene
        if file_type == "SceneFile":
            if str(path).endswith(".mrb"):
                return bool(scene.WriteToMRB(str(path)))
            return bool(scene.SaveSceneToSlicerDataBundleDirectory(str(path)))
        node = scene.GetNodeByID(properties["nodeID"])
        if node.GetStorageNode() is None:
            node.AddDefaultStorageNode(str(path))
        return bool(node.GetStorageNode().WriteData(node, str(path)))

    def _load_scene(self, path: str, properties: dict) -> bool:
        scene = slicer.mrmlScene
        clear = properties.get("clear", True)
        if path.endswith(".mrb"):
            return bool(scene.ReadFromMRB(path, clear))
        scene.SetURL(path)
        return bool(scene.Connect() if clear else scene.Import())

    def _volume(self, path: str, properties: dict):
        options = 1 if properties.get("labelmap") else 0
        name = properties.get("name") or Path(path).name.split(".")[0]
        return slicer.modules.volumes.logic().AddArchetypeVolume(path, name, options)

    def _segmentation(self, path: str):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", Path(path).name.split(".")[0])
        node.AddDefaultStorageNode(path)
        if node.GetStorageNode().ReadData(node):
            return node
        slicer.mrmlScene.RemoveNode(node)
        return None
