"""Contents of the scene after a run, read with Slicer's own functions rather than the module's."""

import hashlib

import numpy as np
import slicer.util
import vtk
from vtk.util.numpy_support import vtk_to_numpy

_TAGS = ("TerminologyEntry", "TextSegment.model", "TextSegment.prompt", "TextSegment.date")


def segment_id(segmentation_node, name: str) -> str:
    """Returns the identifier of the only segment of this name."""
    segmentation = segmentation_node.GetSegmentation()
    (found,) = [
        each for each in segmentation.GetSegmentIDs() if segmentation.GetSegment(each).GetName() == name
    ]
    return found


def names(segmentation_node) -> list[str]:
    """Returns the names of the segments, in order."""
    segmentation = segmentation_node.GetSegmentation()
    return [segmentation.GetSegment(each).GetName() for each in segmentation.GetSegmentIDs()]


def mask(segmentation_node, name: str, volume_node) -> np.ndarray:
    """Returns a segment as a mask on the grid of a volume, bool ``[i, j, k]``."""
    identifier = segment_id(segmentation_node, name)
    mask_kji = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation_node, identifier, volume_node)
    return mask_kji.transpose(2, 1, 0) > 0


def center_ras(segmentation_node, name: str) -> np.ndarray:
    """Returns the center of a segment's box in world space (RAS, mm)."""
    return np.array(segmentation_node.GetSegmentCenterRAS(segment_id(segmentation_node, name)))


def fingerprint(segmentation_node, name: str) -> str:
    """Returns a digest of everything a segment consists of: voxels, place, name, color, tags."""
    segment = segmentation_node.GetSegmentation().GetSegment(segment_id(segmentation_node, name))
    image = segment.GetRepresentation("Binary labelmap")
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    voxels = vtk_to_numpy(image.GetPointData().GetScalars())
    place = (image.GetExtent(), slicer.util.arrayFromVTKMatrix(matrix).tolist(), segment.GetLabelValue())
    tags = [tag(segment, key) for key in _TAGS]
    digest = hashlib.sha256(voxels.tobytes())
    digest.update(repr((place, segment.GetName(), segment.GetColor(), tags)).encode())
    return digest.hexdigest()


def tag(segment, key: str) -> str | None:
    """Returns a tag of a segment, or None."""
    value = vtk.mutable("")
    return str(value) if segment.GetTag(key, value) else None


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """Returns the Dice coefficient of two masks, 1 for equal ones."""
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def draw(segmentation_node, name: str, volume_node, change) -> None:
    """Edits a segment as the Segment Editor does.

    Args:
        segmentation_node: Segmentation that holds the segment.
        name: Name of the segment.
        volume_node: Volume on whose grid to edit.
        change: Function that changes the mask, bool ``[i, j, k]``, in place.
    """
    drawn = mask(segmentation_node, name, volume_node)
    change(drawn)
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        drawn.transpose(2, 1, 0).astype(np.uint8),
        segmentation_node,
        segment_id(segmentation_node, name),
        volume_node,
    )
