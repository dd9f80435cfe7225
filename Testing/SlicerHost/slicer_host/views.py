"""Slice and 3-D views, drawn by the real displayable managers into windows without a screen."""

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

SLICE_MANAGERS = (
    "vtkMRMLVolumeGlyphSliceDisplayableManager",
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLScalarBarDisplayableManager",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
)
THREE_D_MANAGERS = (
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
    "vtkMRMLVolumeRenderingDisplayableManager",
)
ORIENTATIONS = {"Red": "Axial", "Yellow": "Sagittal", "Green": "Coronal"}
COLORS = {"Red": (0.95, 0.29, 0.2), "Yellow": (0.93, 0.84, 0.3), "Green": (0.43, 0.69, 0.29)}


def register_displayable_managers(application_logic) -> None:
    """Makes views draw volumes, segmentations, models and markups; before the first view."""
    for factory_class, names in (
        (slicer.vtkMRMLSliceViewDisplayableManagerFactory, SLICE_MANAGERS),
        (slicer.vtkMRMLThreeDViewDisplayableManagerFactory, THREE_D_MANAGERS),
    ):
        factory = factory_class.GetInstance()
        factory.SetMRMLApplicationLogic(application_logic)
        for name in names:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)


class _View:
    """A render window without a screen, and the managers that fill it."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.renderer = vtk.vtkRenderer()
        self.window = vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(1)
        self.window.SetMultiSamples(0)
        self.window.SetSize(*size)
        self.window.AddRenderer(self.renderer)
        self.interactor = vtk.vtkRenderWindowInteractor()
        self.interactor.SetRenderWindow(self.window)
        self.interactor.Initialize()

    def show(self, factory_class, style, node) -> None:
        """Connects the displayable managers of this kind of view to its node."""
        self.managers = factory_class.GetInstance().InstantiateDisplayableManagers(self.renderer)
        self.managers.SetMRMLDisplayableNode(node)
        self.style = style
        self.style.SetDisplayableManagers(self.managers)

    def close(self) -> None:
        """Lets go of scene and window; a connected view costs time at every change of the scene."""
        self.managers.SetMRMLDisplayableNode(None)
        self.logic.SetMRMLScene(None)
        self.window.Finalize()

    def picture(self) -> np.ndarray:
        """Returns what the view shows now, uint8 (height, width, 3), first row on top."""
        self.window.Render()
        grabber = vtk.vtkWindowToImageFilter()
        grabber.SetInput(self.window)
        grabber.ReadFrontBufferOff()
        grabber.Update()
        width, height, _ = grabber.GetOutput().GetDimensions()
        pixels = vtk_to_numpy(grabber.GetOutput().GetPointData().GetScalars())
        return pixels.reshape(height, width, -1)[::-1, :, :3].copy()


class SliceView(_View):
    """A slice view as in Slicer's layout.

    Args:
        name: ``Red`` (axial), ``Yellow`` (sagittal) or ``Green`` (coronal).
        size: Width and height in pixels.
    """

    def __init__(self, name: str = "Red", size: tuple[int, int] = (400, 400)) -> None:
        super().__init__(size)
        application_logic = slicer.app.applicationLogic()
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(application_logic)
        application_logic.GetSliceLogics().AddItem(self.logic)
        self.logic.SetMRMLScene(slicer.mrmlScene)
        self.node = self.logic.AddSliceNode(name)
        self.node.SetOrientation(ORIENTATIONS[name])
        self.node.SetLayoutColor(*COLORS[name])
        self.renderer.SetBackground(0, 0, 0)
        self.renderer.GetActiveCamera().SetParallelProjection(1)
        self._add_image_layer()
        style = slicer.vtkMRMLSliceViewInteractorStyle()
        self.show(slicer.vtkMRMLSliceViewDisplayableManagerFactory, style, self.node)
        style.SetSliceLogic(self.logic)
        self.logic.ResizeSliceNode(*size)

    def fit(self) -> None:
        """Shows the whole background volume."""
        self.logic.FitSliceToBackground()
        self.logic.SnapSliceOffsetToIJK()

    def close(self) -> None:
        """See ``_View.close``."""
        slicer.app.applicationLogic().GetSliceLogics().RemoveItem(self.logic)
        super().close()

    def picture(self) -> np.ndarray:
        """Returns what the view shows now; see ``_View.picture``."""
        self.logic.UpdatePipeline()
        image = self.logic.GetImageDataConnection()
        self._mapper.SetInputConnection(image)
        self._actor.SetVisibility(image is not None)
        return super().picture()

    def _add_image_layer(self) -> None:
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._actor = vtk.vtkActor2D()
        self._actor.SetMapper(self._mapper)
        self._actor.GetProperty().SetDisplayLocationToBackground()
        self.renderer.AddViewProp(self._actor)


class ThreeDView(_View):
    """A 3-D view with Slicer's background.

    Args:
        size: Width and height in pixels.
    """

    def __init__(self, size: tuple[int, int] = (400, 400)) -> None:
        super().__init__(size)
        self.node = slicer.vtkMRMLViewNode()
        self.node.SetLayoutName("1")
        self.node.SetName("View1")
        self.node.SetBoxVisible(False)
        self.node.SetAxisLabelsVisible(False)
        slicer.mrmlScene.AddNode(self.node)
        self.logic = slicer.vtkMRMLViewLogic()
        self.logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        self.logic.SetMRMLScene(slicer.mrmlScene)
        slicer.app.applicationLogic().GetViewLogics().AddItem(self.logic)
        style = slicer.vtkMRMLThreeDViewInteractorStyle()
        self.show(slicer.vtkMRMLThreeDViewDisplayableManagerFactory, style, self.node)

    def close(self) -> None:
        """See ``_View.close``."""
        slicer.app.applicationLogic().GetViewLogics().RemoveItem(self.logic)
        super().close()

    def fit(self) -> None:
        """Turns the camera to everything that is shown, seen from the front."""
        self.renderer.ResetCamera()
        self.renderer.GetActiveCamera().Zoom(1.3)
        self.renderer.ResetCameraClippingRange()


def write_png(picture: np.ndarray, path) -> None:
    """Writes a picture (height, width, 3), uint8, first row on top."""
    height, width, _ = picture.shape
    image = vtk.vtkImageData()
    image.SetDimensions(width, height, 1)
    pixels = np.ascontiguousarray(picture[::-1]).reshape(-1, 3)
    array = vtk.util.numpy_support.numpy_to_vtk(pixels, deep=True, array_type=vtk.VTK_UNSIGNED_CHAR)
    image.GetPointData().SetScalars(array)
    writer = vtk.vtkPNGWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(image)
    writer.Write()
