"""Volume nodes: which of them can be segmented, and their voxels as a ``Volume``.

MRML stores voxels in KJI order and their place as an IJK-to-RAS matrix, without the parent transform of the
node. Results go under the same transform, so a volume is segmented where its own matrix puts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from slicer.i18n import tr as _
from textsegment.errors import VolumeInvalidError
from textsegment.geometry import Geometry
from textsegment.volume import Volume
from vtk.util import numpy_support


@dataclass(frozen=True, eq=False)
class VolumeSource:
    """What a run needs of a volume node, captured at the start; the worker copies the voxels later.

    Attributes:
        voxels_kji: View of the node's own memory, which this object keeps alive; ``[k, j, i]``.
        geometry: Grid of the voxels; ``[0, 0, 0]`` is the first voxel in memory.
        first_index: MRML IJK index of the first voxel in memory; zero except for images cropped from others.
        ijk_to_ras: 4×4 matrix from MRML's IJK to RAS, in mm.
        warnings: Sentences for the user.
        image: Image that the voxels belong to, and its modification time.
    """

    voxels_kji: NDArray[Any]
    geometry: Geometry
    first_index: tuple[int, int, int]
    ijk_to_ras: NDArray[np.float64]
    warnings: tuple[str, ...]
    image: tuple[vtk.vtkImageData, int]

    def require_unchanged(self) -> None:
        """Check, on the calling thread after ``to_volume``, that no voxel changed while they were copied.

        Raises:
            VolumeInvalidError: They did change: the copy may mix old and new voxels.
        """
        image, time = self.image
        if image.GetMTime() != time:
            raise VolumeInvalidError(_("The volume was changed while it was read."), _("Start again."))

    def shows_another(self, volume_node: Any) -> bool:
        """Return whether a node now has another image, such as another time point of a sequence."""
        return volume_node.GetImageData() is not self.image[0]

    def is_moved(self, volume_node: Any) -> bool:
        """Return whether the node's own matrix has changed, while its image is the same."""
        return not self.shows_another(volume_node) and not np.array_equal(
            matrix_of(volume_node.GetIJKToRASMatrix), self.ijk_to_ras
        )

    def to_volume(self, modality: str) -> Volume:
        """Return a copy of the voxels, ``[i, j, k]``, as a volume; may take a second, so call it in a worker.

        Args:
            modality: DICOM modality code.
        """
        voxels = np.array(self.voxels_kji.transpose(2, 1, 0), order="C", copy=True)
        return Volume(voxels, self.geometry, modality, self.warnings)


def read_volume_node(volume_node: Any) -> VolumeSource:
    """Capture the image of a volume node without copying its voxels.

    Args:
        volume_node: A ``vtkMRMLScalarVolumeNode`` with a three-dimensional image.

    Raises:
        VolumeInvalidError: The node is not a scan: it is of another kind, or its image is empty, has several
            channels, or is a single slice.
        GeometryError: The matrix of the node is not a valid map from voxels to patient space.
    """
    image = require_scan(volume_node)
    extent = image.GetExtent()
    first = (extent[0], extent[2], extent[4])
    ijk_to_ras = matrix_of(volume_node.GetIJKToRASMatrix)
    affine = ijk_to_ras.copy()
    affine[:3, 3] += ijk_to_ras[:3, :3] @ first
    i, j, k = image.GetDimensions()
    voxels_kji = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(k, j, i)
    return VolumeSource(
        voxels_kji=voxels_kji,
        geometry=Geometry((i, j, k), affine),
        first_index=first,
        ijk_to_ras=ijk_to_ras,
        warnings=_sequence_warnings(volume_node),
        image=(image, image.GetMTime()),
    )


def require_scan(volume_node: Any) -> vtk.vtkImageData:
    """Return the image of a node, after checking that it can be segmented.

    Raises:
        VolumeInvalidError: The node cannot be segmented; the message says why and what to do.
    """
    if volume_node is None:
        raise VolumeInvalidError(_("No volume is chosen."), _("Choose one, or load one first."))
    if volume_node.IsA("vtkMRMLSequenceNode"):
        raise VolumeInvalidError(
            _("This is a sequence of images."), _("Choose the volume that shows one time point of it.")
        )
    if not volume_node.IsA("vtkMRMLScalarVolumeNode") or volume_node.IsA("vtkMRMLLabelMapVolumeNode"):
        raise VolumeInvalidError(_("This node is no scan."), _("Choose a scalar volume."))
    if volume_node.GetScene() is None:
        raise VolumeInvalidError(_("The volume is not in the scene."), _("Add it, or choose another one."))
    image = volume_node.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0 or image.GetPointData().GetScalars() is None:
        raise VolumeInvalidError(_("The volume holds no image."), _("Load it again."))
    if image.GetNumberOfScalarComponents() != 1:
        raise VolumeInvalidError(
            _("The image has several values a voxel (colour, vectors or time points)."),
            _("Convert it to a scalar volume: one channel, or one time point."),
        )
    if min(image.GetDimensions()) < 2:
        raise VolumeInvalidError(_("The image is a single slice."), _("Choose a three-dimensional one."))
    if image.GetScalarType() == vtk.VTK_BIT:
        raise VolumeInvalidError(_("The image has one bit a voxel."), _("Choose a scan."))
    return image


def matrix_of(fill: Any) -> NDArray[np.float64]:
    """Return as a 4×4 array the matrix that a VTK method fills in, such as ``node.GetIJKToRASMatrix``."""
    matrix = vtk.vtkMatrix4x4()
    fill(matrix)
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def vtk_matrix(values: NDArray[np.float64] | Sequence[Sequence[float]]) -> vtk.vtkMatrix4x4:
    """Return a 4×4 array as a ``vtkMatrix4x4``."""
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy([float(value) for value in np.asarray(values).ravel()])
    return matrix


def _sequence_warnings(volume_node: Any) -> tuple[str, ...]:
    sequences = getattr(slicer.modules, "sequences", None)
    if sequences is None or sequences.logic().GetFirstBrowserNodeForProxyNode(volume_node) is None:
        return ()
    return (_("The volume is a time point of a sequence: the result belongs to the one that is shown now."),)
