"""Stand-ins for the widgets of CTK and Slicer, over the real scene."""

import sys
import types

import slicer

from slicer_host.pythonqt import ui_loader
from slicer_host.widgets.collapsible_button import ctkCollapsibleButton
from slicer_host.widgets.node_combo_box import qMRMLNodeComboBox
from slicer_host.widgets.path_line_edit import ctkPathLineEdit
from slicer_host.widgets.scene_widget import qMRMLWidget
from slicer_host.widgets.search_box import ctkSearchBox
from slicer_host.widgets.segment_editor_widget import qMRMLSegmentEditorWidget
from slicer_host.widgets.segments_table_view import qMRMLSegmentsTableView
from slicer_host.widgets.show_3d_button import ctkMenuButton, qMRMLSegmentationShow3DButton

CTK = (ctkCollapsibleButton, ctkMenuButton, ctkPathLineEdit, ctkSearchBox)
SLICER = (
    qMRMLNodeComboBox,
    qMRMLSegmentEditorWidget,
    qMRMLSegmentationShow3DButton,
    qMRMLSegmentsTableView,
    qMRMLWidget,
)


def install() -> None:
    """Makes ``import ctk`` work, gives ``slicer`` its widget classes, and makes both known to .ui files."""
    sys.modules["ctk"] = types.ModuleType("ctk")
    for owner, classes in ((sys.modules["ctk"], CTK), (slicer, SLICER)):
        for cls in classes:
            setattr(owner, cls.__name__, cls)
            ui_loader.STAND_INS[cls.__name__] = cls
