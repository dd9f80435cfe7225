"""qMRMLNodeComboBox: the nodes of the scene of some types, to choose, make, rename and delete."""

from typing import ClassVar

import slicer
import vtk
from PySide6 import QtWidgets
from PySide6.QtCore import Signal

from slicer_host.observation import Observer
from slicer_host.widgets.stand_in import StandIn, cpp_property


def _stored(type_name: str, attribute: str):
    """Returns a property whose change lists the nodes anew."""

    def write(self, value) -> None:
        setattr(self, attribute, value)
        self._list_nodes()

    return cpp_property(type_name, lambda self: getattr(self, attribute), write)


class qMRMLNodeComboBox(StandIn, QtWidgets.QWidget):
    """Follows the scene; greyed until it has one."""

    currentNodeChanged = Signal(object)
    _validity_changed = Signal(bool)
    currentNodeIDChanged = Signal(str)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeAddedByUserAction = Signal(object)
    nodeAboutToBeRemoved = Signal(object)
    currentNodeRenamed = Signal(str)
    _SIGNAL_NAMES: ClassVar = {"currentNodeChanged(bool)": "_validity_changed"}

    nodeTypes = _stored("QStringList", "_node_types")
    baseName = _stored("QString", "_base_name")
    noneDisplay = _stored("QString", "_none_display")
    noneEnabled = _stored("bool", "_none_enabled")
    addEnabled = _stored("bool", "_add_enabled")
    removeEnabled = _stored("bool", "_remove_enabled")
    renameEnabled = _stored("bool", "_rename_enabled")
    editEnabled = _stored("bool", "_edit_enabled")
    showHidden = _stored("bool", "_show_hidden")
    showChildNodeTypes = _stored("bool", "_show_child_node_types")
    selectNodeUponCreation = _stored("bool", "_select_upon_creation")

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._node_types, self._base_name, self._none_display = [], "", "None"
        self._none_enabled = self._edit_enabled = self._rename_enabled = False
        self._add_enabled = self._remove_enabled = True
        self._show_hidden, self._show_child_node_types, self._select_upon_creation = False, True, True
        self._attributes: dict[str, dict[str, str | None]] = {}
        self._scene, self._current_id, self._shown_name = None, "", ""
        self._entries: list[tuple[str, str]] = []
        self._box = QtWidgets.QComboBox()
        self._box.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Expanding)
        self.setSizePolicy(QtWidgets.QSizePolicy.Preferred, QtWidgets.QSizePolicy.Fixed)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box)
        self.setFocusProxy(self._box)
        self.setEnabled(False)
        self._scene_tags: list[int] = []
        self._name_observer = Observer(self._compare_name)
        self._box.activated.connect(self._activate)

    currentNodeID = cpp_property(
        "QString", lambda self: self._current_id, lambda self, value: self.setCurrentNodeID(value)
    )

    def setMRMLScene(self, scene) -> None:
        """Sets the scene whose nodes are listed."""
        for tag in self._scene_tags:
            self._scene.RemoveObserver(tag)
        self._scene, self._scene_tags = scene, []
        if scene is not None:  # with the priorities of Slicer's own model of the scene
            self._scene_tags = [
                scene.AddObserver(scene.NodeAddedEvent, self._node_added, 10.0),
                scene.AddObserver(scene.NodeAboutToBeRemovedEvent, self._node_leaves, -10.0),
                scene.AddObserver(scene.EndImportEvent, self._scene_changed),
                scene.AddObserver(scene.EndCloseEvent, self._scene_changed),
            ]
        self.setEnabled(scene is not None)
        self._list_nodes()

    def mrmlScene(self):
        """Returns the scene."""
        return self._scene

    def currentNode(self):
        """Returns the chosen node or None."""
        return self._scene.GetNodeByID(self._current_id) if self._scene and self._current_id else None

    def setCurrentNode(self, node) -> None:
        """Chooses a node (or its ID); one that is not listed, or None, chooses nothing."""
        node_id = node if isinstance(node, str) else (node.GetID() if node else "")
        self.setCurrentNodeID(node_id)

    def setCurrentNodeID(self, node_id: str) -> None:
        """Chooses a node by its ID."""
        self._choose(node_id if node_id in self._node_ids() else "")

    def setCurrentNodeIndex(self, index: int) -> None:
        """Chooses the node at a place in the list."""
        self._choose(self._node_ids()[index])

    def nodeCount(self) -> int:
        """Returns how many nodes are listed."""
        return len(self._node_ids())

    def nodeFromIndex(self, index: int):
        """Returns the node at a place in the list or None."""
        ids = self._node_ids()
        return self._scene.GetNodeByID(ids[index]) if 0 <= index < len(ids) else None

    def addAttribute(self, node_type: str, name: str, value=None) -> None:
        """Lists nodes of a type only if they have an attribute (of this value)."""
        self._attributes.setdefault(node_type, {})[name] = value
        self._list_nodes()

    def addNode(self, node_type: str | None = None):
        """Makes a node, chooses it, and returns it."""
        kind = node_type or self._node_types[0]
        if kind not in self._node_types:
            return None
        name = self._scene.GenerateUniqueName(self._base_name or _label(kind))
        node = self._scene.AddNewNodeByClass(kind, name)
        if self._select_upon_creation:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def removeCurrentNode(self) -> None:
        """Deletes the chosen node from the scene."""
        self.nodeAboutToBeRemoved.emit(self.currentNode())
        self._scene.RemoveNode(self.currentNode())

    def renameCurrentNode(self) -> None:
        """Asks for a new name of the chosen node."""
        node = self.currentNode()
        if node is None:
            return
        name, accepted = QtWidgets.QInputDialog.getText(self, "Rename", "New name:", text=node.GetName())
        if accepted and name:
            node.SetName(name)
            self.currentNodeRenamed.emit(name)

    def _node_ids(self) -> list[str]:
        return [value for kind, value in self._entries if kind == "node" and value]

    def _accepts(self, node) -> bool:
        if node.GetHideFromEditors() and not self._show_hidden:
            return False
        for kind in self._node_types:
            if node.IsA(kind) if self._show_child_node_types else node.GetClassName() == kind:
                wanted = self._attributes.get(kind, {}).items()
                return all(
                    node.GetAttribute(name) is not None and value in (None, "", node.GetAttribute(name))
                    for name, value in wanted
                )
        return False

    def _node_added(self, scene, _event) -> None:
        if not scene.IsImporting():  # identifiers are not final yet
            self._list_nodes()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _node_leaves(self, scene, _event, node) -> None:
        if not scene.IsClosing():
            self._list_nodes(without=node)

    def _scene_changed(self, _scene, _event) -> None:
        self._list_nodes()

    def _list_nodes(self, without=None) -> None:
        scene = self._scene
        count = scene.GetNumberOfNodes() if scene is not None else 0
        nodes = [scene.GetNthNode(number) for number in range(count)]
        nodes = [node for node in nodes if node is not without and self._accepts(node)]
        before = set(self._node_ids())
        self._fill(nodes)
        ids = self._node_ids()
        if self._current_id in ids:
            self._choose(self._current_id)
        else:  # without "None" there is always a choice; the last one, after a removal
            self._choose("" if self._none_enabled or not ids else ids[-1])
        for node in nodes:
            if before and node.GetID() not in before:
                self.nodeAdded.emit(node)

    def _fill(self, nodes) -> None:
        entries = [("node", "", self._none_display)] if self._none_enabled else []
        entries += [("node", node.GetID(), node.GetName()) for node in nodes]
        if self._rename_enabled:
            entries.append(("rename", "", f"Rename current {self._type_label()}"))
        if self._add_enabled:
            entries += [("create", kind, f"Create new {_label(kind)}") for kind in self._node_types]
        if self._remove_enabled:
            entries.append(("delete", "", f"Delete current {self._type_label()}"))
        self._box.blockSignals(True)
        self._box.clear()
        self._box.addItems([text for _kind, _value, text in entries])
        self._box.blockSignals(False)
        self._entries = [(kind, value) for kind, value, _text in entries]

    def _type_label(self) -> str:
        return _label(self._node_types[0]) if len(self._node_types) == 1 else "Node"

    def _choose(self, node_id: str) -> None:
        """Shows a choice; signals follow when it, or the name that is shown, is another one, as in Slicer."""
        wanted = ("node", node_id)
        self._box.blockSignals(True)
        self._box.setCurrentIndex(self._entries.index(wanted) if wanted in self._entries else -1)
        self._box.blockSignals(False)
        if (node_id, self._box.currentText) == (self._current_id, self._shown_name):
            return
        self._current_id, self._shown_name = node_id, self._box.currentText
        node = self.currentNode()
        self._name_observer.watch(node, (vtk.vtkCommand.ModifiedEvent,))
        self.currentNodeChanged.emit(node)
        self._validity_changed.emit(node is not None)
        self.currentNodeIDChanged.emit(node_id)

    def _compare_name(self) -> None:
        if self.currentNode() is not None and self.currentNode().GetName() != self._shown_name:
            self._list_nodes()

    def _activate(self, index: int) -> None:
        kind, value = self._entries[index]
        self._choose(self._current_id)  # what is an action is never the choice
        if kind == "node":
            self._choose(value)
            self.nodeActivated.emit(self.currentNode())
        elif kind == "create":
            self.nodeAddedByUserAction.emit(self.addNode(value))
        elif kind == "rename":
            self.renameCurrentNode()
        elif kind == "delete" and self.currentNode() is not None:
            self.removeCurrentNode()


def _label(node_type: str) -> str:
    return slicer.mrmlScene.GetTypeDisplayNameByClassName(node_type)
