"""Slicer without Slicer: boots scene and Qt, loads an unmodified module, shows its panel."""

import importlib.util
import sys
from pathlib import Path

import slicer
import slicer.util

from slicer_host import (
    dicom,
    driver,
    packaging,
    pythonqt,
    sample_data,
    scene,
    scripted_loadable_module,
    segment_editor,
    widgets,
)
from slicer_host.module_widget import qSlicerScriptedLoadableModule, qSlicerScriptedLoadableModuleWidget
from slicer_host.pythonqt import tooltips
from slicer_host.qt_application import SlicerApplication


def boot() -> SlicerApplication:
    """Makes everything that a scripted module with a panel finds in Slicer, once.

    Returns:
        The application, the same object as ``slicer.app``.
    """
    if not isinstance(getattr(slicer, "app", None), SlicerApplication):
        headless = scene.boot()
        pythonqt.install()
        widgets.install()
        scripted_loadable_module.install()
        packaging.install()
        slicer.qSlicerScriptedLoadableModule = qSlicerScriptedLoadableModule
        slicer.qSlicerScriptedLoadableModuleWidget = qSlicerScriptedLoadableModuleWidget
        slicer.app = SlicerApplication(headless)
        tooltips.install(slicer.app)
        segment_editor.install()
        dicom.install()
        sample_data.install()
    return slicer.app


def load_module(path: Path) -> qSlicerScriptedLoadableModule:
    """Loads a scripted module as Slicer does when it starts.

    Args:
        path: File ``<Name>.py``.

    Returns:
        The module, also known as ``slicer.modules.<name>``.
    """
    name = path.stem
    sys.path.insert(0, str(path.parent))
    module = qSlicerScriptedLoadableModule(name, str(path))
    scene.add_module(module)
    spec = importlib.util.spec_from_file_location(name, path)
    source = importlib.util.module_from_spec(spec)
    sys.modules[name] = source
    spec.loader.exec_module(source)
    setattr(slicer.modules, name + "Instance", getattr(source, name)(module))
    return module


def show_panel(module: qSlicerScriptedLoadableModule, width: int = 400, height: int = 900):
    """Enters a module, as by the menu; returns the module's own widget object."""
    panel = module.widgetRepresentation()
    panel.resize(width, height)
    panel.show()
    slicer.util.selectModule(module.name)
    driver.run_events(0)  # what was added to a visible panel is shown by the event loop
    return panel.self()
