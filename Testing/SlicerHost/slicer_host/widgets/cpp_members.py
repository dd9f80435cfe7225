"""What PythonQt exposes of the real classes: properties, invokable methods, public slots, signals.

Read off the headers of Slicer (main, August 2026) and CTK (July 2026). Public C++ methods that are neither
slots nor invokable, as ``setNodeTypes``, are not here: Python cannot call them. Members of Qt's own base
classes are not repeated.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CppMembers:
    """What one class adds to its base class."""

    properties: frozenset[str] = frozenset()
    invokables: frozenset[str] = frozenset()
    slots: frozenset[str] = frozenset()
    signals: frozenset[str] = frozenset()
    enumerators: frozenset[str] = field(default=frozenset())

    def names(self) -> frozenset[str]:
        """Returns every name that Python may use."""
        by_signature = {signature.split("(")[0] for signature in self.slots | self.signals}
        return self.properties | self.invokables | self.enumerators | by_signature


def _members(properties="", invokables="", slots="", signals="", enumerators="") -> CppMembers:
    groups = (properties, invokables, slots, signals, enumerators)
    return CppMembers(*(frozenset(group.split()) for group in groups))


CPP_MEMBERS = {
    "ctkCollapsibleButton": _members(
        properties="collapsed collapsedHeight flat contentsFrameShape contentsFrameShadow contentsLineWidth"
        " contentsMidLineWidth buttonTextAlignment indicatorAlignment",
        signals="contentsCollapsed(bool)",
    ),
    "ctkMenuButton": _members(),
    "ctkPathLineEdit": _members(
        properties="label filters currentPath options settingKey showBrowseButton showHistoryButton"
        " sizeAdjustPolicy minimumContentsLength nameFilters",
        invokables="comboBox",
        slots="setCurrentPath(QString) browse() retrieveHistory() addCurrentPathToHistory()",
        signals="validInputChanged(bool) currentPathChanged(QString)",
        enumerators="Dirs Files Drives Readable Writable Executable Hidden NoDot NoDotDot",
    ),
    "ctkSearchBox": _members(properties="showSearchIcon searchIcon clearIcon"),
    "qMRMLWidget": _members(
        invokables="mrmlScene pixmapFromIcon",
        slots="setMRMLScene(vtkMRMLScene*)",
        signals="mrmlSceneChanged(vtkMRMLScene*)",
    ),
    "qMRMLNodeComboBox": _members(
        properties="currentNodeID currentNodeId nodeTypes showHidden showChildNodeTypes hideChildNodeTypes"
        " baseName noneEnabled addEnabled removeEnabled editEnabled renameEnabled interactionNodeSingletonTag"
        " selectNodeUponCreation noneDisplay sizeAdjustPolicy",
        invokables="mrmlScene addAttribute removeAttribute setNodeTypeLabel nodeTypeLabel nodeCount"
        " nodeFromIndex currentNode sortFilterProxyModel addMenuAction",
        slots="setMRMLScene(vtkMRMLScene*) setCurrentNode(vtkMRMLNode*) setCurrentNode(QString)"
        " setCurrentNodeID(QString) setCurrentNodeIndex(int) addNode(QString) addNode() removeCurrentNode()"
        " editCurrentNode() renameCurrentNode()",
        signals="currentNodeChanged(vtkMRMLNode*) currentNodeIDChanged(QString) nodeActivated(vtkMRMLNode*)"
        " currentNodeChanged(bool) nodeAdded(vtkMRMLNode*) nodeAddedByUser(vtkMRMLNode*)"
        " nodeAddedByUserAction(vtkMRMLNode*) nodeAboutToBeRemoved(vtkMRMLNode*) currentNodeRenamed(QString)"
        " nodeAboutToBeEdited(vtkMRMLNode*)",
    ),
    "qMRMLSegmentationShow3DButton": _members(
        properties="locked",
        invokables="segmentationNode",
        slots="setSegmentationNode(vtkMRMLSegmentationNode*) setLocked(bool)",
    ),
    "qMRMLSegmentsTableView": _members(
        properties="selectionMode headerVisible visibilityColumnVisible colorColumnVisible"
        " opacityColumnVisible statusColumnVisible layerColumnVisible readOnly filterBarVisible textFilter"
        " jumpToSelectedSegmentEnabled segmentCount useTerminologySelectorSettingsKey useTerminologySelector"
        " terminologySelectorOptionVisible terminologySelectorAutoDisable",
        invokables="segmentationNode tableWidget selectedSegmentIDs setSelectedSegmentIDs clearSelection"
        " terminologyTooltipForSegment setHideSegments hideSegments displayedSegmentIDs statusShown"
        " sortFilterProxyModel model rowForSegmentID segmentIDForRow",
        slots="setSegmentationNode(vtkMRMLNode*) setMRMLScene(vtkMRMLScene*) setSelectionMode(int)"
        " setHeaderVisible(bool) setVisibilityColumnVisible(bool) setColorColumnVisible(bool)"
        " setOpacityColumnVisible(bool) setStatusColumnVisible(bool) setLayerColumnVisible(bool)"
        " setReadOnly(bool) setFilterBarVisible(bool) showOnlySelectedSegments()"
        " toggleSelectedSegmentsVisibility() jumpSlices() setJumpToSelectedSegmentEnabled(bool)"
        " setSelectedSegmentsStatus(int) clearSelectedSegments() moveSelectedSegmentsUp()"
        " moveSelectedSegmentsDown() setTextFilter(QString) setStatusShown(int,bool)",
        signals="selectionChanged(QItemSelection,QItemSelection) segmentAboutToBeModified(QString)",
    ),
    "qMRMLSegmentsModel": _members(
        properties="nameColumn visibilityColumn colorColumn opacityColumn statusColumn layerColumn",
        invokables="terminologyTooltipForSegment",
        signals="segmentAboutToBeModified(QString)",
    ),
    "qMRMLSortFilterSegmentsProxyModel": _members(
        properties="filterEnabled nameFilter textFilter",
        invokables="segmentationNode setHideSegments hideSegments showStatus segmentIDFromIndex"
        " indexFromSegmentID setShowStatus",
        slots="setFilterEnabled(bool) setNameFilter(QString) setTextFilter(QString)",
        signals="filterModified()",
    ),
    "qMRMLSegmentEditorWidget": _members(
        properties="segmentationNodeSelectorVisible sourceVolumeNodeSelectorVisible maskingSectionVisible"
        " specifyGeometryButtonVisible show3DButtonVisible addRemoveSegmentButtonsVisible"
        " autoShowSourceVolumeNode switchToSegmentationsButtonVisible undoEnabled maximumNumberOfUndoStates"
        " readOnly effectButtonStyle effectColumnCount unorderedEffectsVisible jumpToSelectedSegmentEnabled"
        " defaultTerminologyEntrySettingsKey defaultTerminologyEntry",
        invokables="mrmlSegmentEditorNode segmentationNode segmentationNodeID sourceVolumeNode"
        " sourceVolumeNodeID currentSegmentID activeEffect setActiveEffect effectByName availableEffectNames"
        " setEffectNameOrder effectNameOrder effectCount effectByIndex setupViewObservations"
        " removeViewObservations interactionNode setEffectCursor",
        slots="setMRMLSegmentEditorNode(vtkMRMLSegmentEditorNode*) setSegmentationNode(vtkMRMLNode*)"
        " setSegmentationNodeID(QString) setSourceVolumeNode(vtkMRMLNode*) setSourceVolumeNodeID(QString)"
        " setCurrentSegmentID(QString) setActiveEffectByName(QString) saveStateForUndo() undo() redo()"
        " installKeyboardShortcuts(QWidget*) installKeyboardShortcuts() uninstallKeyboardShortcuts()"
        " updateWidgetFromMRML() updateEffectList() jumpSlices() selectPreviousSegment() selectNextSegment()",
        signals="currentSegmentIDChanged(QString) sourceVolumeNodeChanged(vtkMRMLVolumeNode*)"
        " segmentationNodeChanged(vtkMRMLSegmentationNode*)",
    ),
    "qSlicerWidget": _members(slots="setMRMLScene(vtkMRMLScene*)", signals="mrmlSceneChanged(vtkMRMLScene*)"),
    "qSlicerAbstractModuleWidget": _members(
        properties="isEntered", invokables="enter exit setEditedNode nodeEditable"
    ),
    "qSlicerScriptedLoadableModuleWidget": _members(properties="moduleName", invokables="reload self"),
}
