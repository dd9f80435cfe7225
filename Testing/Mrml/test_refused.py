"""Nodes that cannot be segmented are refused with a reason, before anything is created or changed."""

import numpy as np
import pytest
import slicer
import vtk
from cases import matrix, volume_node
from textsegment.errors import GeometryError, TextSegmentError, VolumeInvalidError
from textsegment.testing import FakeSegmenter, phantom
from TextSegmentLib.logic import TextSegmentLogic


def start(node, structures=("liver",), **keywords):
    return TextSegmentLogic().start(
        node, structures, **{"modality": "CT", "segmenter": FakeSegmenter(), **keywords}
    )


def empty():
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")


def without_voxels():
    node = empty()
    image = vtk.vtkImageData()
    image.SetDimensions(4, 5, 6)
    node.SetAndObserveImageData(image)
    return node


def single_slice():
    return slicer.util.addVolumeFromArray(np.arange(30, dtype=np.int16).reshape(1, 5, 6))


def vector():
    return slicer.util.addVolumeFromArray(
        np.zeros((4, 5, 6, 3), dtype=np.uint8), nodeClassName="vtkMRMLVectorVolumeNode"
    )


def several_channels():
    """Returns a scalar volume node that shows a sequence of vectors."""
    node = empty()
    image = vtk.vtkImageData()
    image.SetDimensions(4, 5, 6)
    image.AllocateScalars(vtk.VTK_SHORT, 4)
    node.SetAndObserveImageData(image)
    return node


def sequence():
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode")


def labels():
    return slicer.util.addVolumeFromArray(
        np.zeros((4, 5, 6), dtype=np.uint8), nodeClassName="vtkMRMLLabelMapVolumeNode"
    )


def not_in_the_scene():
    return slicer.vtkMRMLScalarVolumeNode()


def model():
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: None, "No volume"),
        (empty, "no image"),
        (without_voxels, "no image"),
        (single_slice, "single slice"),
        (vector, "no scan|several values"),
        (several_channels, "several values"),
        (sequence, "sequence"),
        (labels, "no scan"),
        (model, "no scan"),
        (not_in_the_scene, "not in the scene"),
    ],
)
def test_no_scan(make, words):
    """Faults 68 and 69."""
    with pytest.raises(VolumeInvalidError, match=words) as refused:
        start(make())
    assert refused.value.hint
    assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode") == []


def test_a_time_point_of_a_sequence_runs_with_a_warning():
    """Fault 69."""
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    images = sequence()
    for time in range(2):
        images.SetDataNodeAtValue(volume_node(), str(time))
    browser.SetAndObserveMasterSequenceNodeID(images.GetID())
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    run = start(browser.GetProxyNode(images))
    while run.process_events():
        pass
    assert run.state == "done"
    assert any("sequence" in warning for warning in run.warnings)


def test_constant_and_broken_voxels_are_refused():
    for values in (np.zeros((5, 6, 7)), np.full((5, 6, 7), np.nan)):
        run = start(slicer.util.addVolumeFromArray(values))
        while run.process_events():
            pass
        assert (run.state, run.error.code) == ("failed", "volume_invalid")
        assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode") == []


def test_a_singular_matrix_is_refused():
    node = volume_node()
    node.SetIJKToRASMatrix(matrix(np.diag([1, 1, 0, 1])))
    with pytest.raises(GeometryError):
        start(node)


@pytest.mark.parametrize(
    ("keywords", "code"),
    [
        ({"structures": ()}, "prompt_invalid"),
        ({"structures": (" ",)}, "prompt_invalid"),
        ({"modality": "XA"}, "modality_unsupported"),
    ],
)
def test_bad_requests_make_no_segmentation(keywords, code):
    with pytest.raises(TextSegmentError) as refused:
        start(volume_node(), **keywords)
    assert refused.value.code == code
    assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode") == []


def test_a_node_of_another_kind_is_no_place_for_results():
    with pytest.raises(TextSegmentError) as refused:
        start(volume_node(), segmentation_node=model())
    assert refused.value.code == "output_unwritable"


def test_what_the_model_does_not_know_is_said_with_suggestions():
    with pytest.raises(TextSegmentError) as refused:
        TextSegmentLogic().segment(volume_node(phantom()), "livr", segmenter=FakeSegmenter(), modality="CT")
    assert refused.value.code == "structure_unknown"
    assert "liver" in refused.value.suggestions
