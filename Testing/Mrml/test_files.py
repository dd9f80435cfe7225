"""Results and the state of the panel survive saving and loading."""

import numpy as np
import pytest
import slicer
from cases import (
    labelmap,
    mask_points_ras,
    matrix,
    names,
    points_ras,
    segment,
    tag,
    volume_node,
)
from textsegment.files.images.seg_nrrd import read_seg_nrrd, write_seg_nrrd
from textsegment.geometry import Geometry
from textsegment.testing import FakeSegmenter, ball, phantom
from TextSegmentLib.logic import TextSegmentLogic
from TextSegmentLib.scene.parameters import Parameters, parameter_node

STRUCTURES = ("kidney", "left kidney", "liver")  # two of them overlap


def segmented(node):
    return TextSegmentLogic().segment(node, ", ".join(STRUCTURES), segmenter=FakeSegmenter(), modality="CT")


def save(node, path):
    node.AddDefaultStorageNode(path)
    node.GetStorageNode().SetFileName(path)
    assert node.GetStorageNode().WriteData(node)


def assert_in_place(result, geometry, *, atol=1e-3):
    assert names(result) == list(STRUCTURES)
    for structure in STRUCTURES:
        expected = mask_points_ras(ball(structure, geometry), geometry)
        found = points_ras(result, structure)
        assert found.shape == expected.shape
        assert np.allclose(
            found[np.lexsort(np.round(found, 2).T)],
            expected[np.lexsort(np.round(expected, 2).T)],
            rtol=0,
            atol=atol,
        )
        made = segment(result, structure)
        assert tag(made, "TextSegment.prompt") == structure
        assert tag(made, "TextSegment.weights_sha256") == "0" * 64
        assert "SCT^" in tag(made, made.GetTerminologyEntryTagName())


@pytest.mark.parametrize("sheared", [False, True])
def test_a_seg_nrrd_file_keeps_masks_tags_and_place(tmp_path, sheared):
    affine = phantom().geometry.affine.copy()
    if sheared:
        affine[1, 2] += 0.8
    geometry = Geometry(phantom().geometry.spatial_shape, affine)
    result = segmented(volume_node(phantom(affine=affine)))
    path = str(tmp_path / "result.seg.nrrd")
    save(result, path)
    slicer.mrmlScene.Clear(False)
    restored = slicer.util.loadSegmentation(path)
    assert_in_place(restored, geometry)


def test_a_scene_file_keeps_results_and_the_state_of_the_panel(tmp_path):
    node = volume_node()
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Moved")
    transform.SetMatrixTransformToParent(matrix(np.diag([1, -1, 1, 1])))
    node.SetAndObserveTransformNodeID(transform.GetID())
    result = segmented(node)
    parameters = Parameters(parameter_node())
    parameters.volume_node, parameters.segmentation_node = node, result
    parameters.text, parameters.modality = "kidney; lt kidney\nliver – größer", "CT"
    path = str(tmp_path / "case.mrb")
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear(False)
    assert Parameters(parameter_node()).volume_node is None

    slicer.util.loadScene(path)

    restored = Parameters(parameter_node())
    assert restored.text == "kidney; lt kidney\nliver – größer"
    assert restored.modality == "CT"
    assert restored.volume_node.GetName() == "CT chest"
    assert restored.segmentation_node.GetParentTransformNode().GetName() == "Moved"
    assert_in_place(restored.segmentation_node, phantom().geometry)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScriptedModuleNode") == 1


def test_undo_works_after_saving(tmp_path):
    """Saving merges label maps, which must not count as an edit."""
    logic = TextSegmentLogic()
    result = logic.segment(volume_node(), "liver, trachea", segmenter=FakeSegmenter(), modality="CT")
    save(result, str(tmp_path / "result.seg.nrrd"))
    assert labelmap(result, "liver") is labelmap(result, "trachea")
    assert logic.run.undo() == ()
    assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode") == []


def test_names_in_any_script_pass_between_slicer_and_the_backend(tmp_path):
    given = FakeSegmenter().segment(phantom(), ["liver", "left kidney"])
    path = tmp_path / "named.seg.nrrd"
    write_seg_nrrd(given, path, names={"liver": "肝臓", "left kidney": "Niere, links (größer)"})
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.AddDefaultStorageNode(str(path))
    node.GetStorageNode().SetFileName(str(path))
    assert node.GetStorageNode().ReadData(node)
    segmentation = node.GetSegmentation()
    names = [segmentation.GetNthSegment(number).GetName() for number in range(2)]
    assert names == ["肝臓", "Niere, links (größer)"]
    again = tmp_path / "again.seg.nrrd"
    node.GetStorageNode().SetFileName(str(again))
    assert node.GetStorageNode().WriteData(node)
    assert [mask.structure for mask in read_seg_nrrd(again)] == names
