"""The real MRML scene with its logics, and the names that the application adds to ``slicer``. No Qt."""

import importlib.util
import sys
import types

import slicer
import vtk

from slicer_host import i18n, subject_hierarchy, vtk_messages
from slicer_host.application import HeadlessApplication
from slicer_host.core_module import CoreModule

LOGICS = {
    "Terminologies": "vtkSlicerTerminologiesModuleLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Models": "vtkSlicerModelsLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Texts": "vtkSlicerTextsLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "CropVolume": "vtkSlicerCropVolumeLogic",
    "VolumeRendering": "vtkSlicerVolumeRenderingLogic",
    "Units": "vtkSlicerUnitsLogic",
    "Cameras": "vtkSlicerCamerasModuleLogic",
}
"""Module name → class of its logic, in the order of loading: the later ones ask the earlier ones."""


def boot() -> HeadlessApplication:
    """Makes ``slicer.mrmlScene``, ``slicer.app``, ``slicer.modules`` and ``slicer.i18n``, once.

    Returns:
        The application, the same object as ``slicer.app``.
    """
    if hasattr(slicer, "mrmlScene"):
        return slicer.app
    vtk_messages.listen()
    slicer.mrmlScene = slicer.vtkMRMLScene()
    _add_singletons(slicer.mrmlScene)
    application_logic = _application_logic(slicer.mrmlScene)
    slicer.modules = _empty_module("slicer.modules")
    slicer.moduleNames = _empty_module("slicer.moduleNames")
    add_module(CoreModule("Colors", application_logic.GetColorLogic()))
    with vtk_messages.silence():  # the wheel has no files of terminologies
        for name, class_name in LOGICS.items():
            add_module(CoreModule(name, _module_logic(getattr(slicer, class_name), name, application_logic)))
    slicer.app = HeadlessApplication(application_logic)
    slicer.app.keep(_remote_io(slicer.mrmlScene, slicer.app.temporaryPath))
    slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(slicer.mrmlScene)
    subject_hierarchy.follow(slicer.mrmlScene)
    i18n.install()
    return slicer.app


def clear() -> None:
    """Empties the scene as the menu's "Close scene" does: singletons stay."""
    slicer.mrmlScene.Clear(False)
    slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(slicer.mrmlScene)


def add_module(module: CoreModule) -> None:
    """Makes a module known as ``slicer.modules.<lower-case name>``."""
    setattr(slicer.modules, module.name.lower(), module)
    setattr(slicer.moduleNames, module.name, module.name)


def _add_singletons(scene) -> None:
    scene.AddNode(slicer.vtkMRMLCrosshairNode())
    for node in (slicer.vtkMRMLSelectionNode(), slicer.vtkMRMLInteractionNode()):
        node.SetSingletonTag("Singleton")
        scene.AddNode(node)


def _application_logic(scene):
    logic = slicer.vtkSlicerApplicationLogic()
    logic.SetMRMLScene(scene)
    logic.SetSliceLogics(vtk.vtkCollection())
    logic.SetViewLogics(vtk.vtkCollection())
    logic.GetColorLogic().SetMRMLScene(scene)
    logic.GetColorLogic().AddDefaultColorNodes()
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    logic.SetModuleLogic("Colors", logic.GetColorLogic())
    return logic


def _remote_io(scene, cache_folder: str):
    """Scene bundles (.mrb) are unpacked into the cache of remote data."""
    remote_io = slicer.vtkMRMLRemoteIOLogic()
    remote_io.SetMRMLScene(scene)
    remote_io.GetCacheManager().SetRemoteCacheDirectory(cache_folder)
    remote_io.AddDataIOToScene()
    return remote_io


def _module_logic(logic_class, name: str, application_logic):
    logic = logic_class()
    logic.SetMRMLApplicationLogic(application_logic)
    application_logic.SetModuleLogic(name, logic)
    logic.SetMRMLScene(slicer.mrmlScene)
    return logic


def _empty_module(name: str) -> types.ModuleType:
    module = importlib.util.module_from_spec(importlib.machinery.ModuleSpec(name, loader=None))
    sys.modules[name] = module
    return module
