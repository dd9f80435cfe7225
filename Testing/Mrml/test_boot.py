import numpy as np
import slicer
import slicer.util


def test_scene_of_a_test_starts_without_data(scene):
    assert scene.GetNumberOfNodesByClass("vtkMRMLVolumeNode") == 0
    assert slicer.mrmlScene is slicer.app.mrmlScene()


def test_volume_and_segmentation_survive_a_scene_file(scene, tmp_path):
    volume_node = slicer.util.addVolumeFromArray(np.arange(60, dtype=np.int16).reshape(3, 4, 5), name="CT")
    segmentation_node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Structures")
    segmentation_node.SetReferenceImageGeometryParameterFromVolumeNode(volume_node)
    segment_id = segmentation_node.GetSegmentation().AddEmptySegment("", "liver")
    mask = np.zeros((3, 4, 5), dtype=np.uint8)
    mask[1, 2, 3] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentation_node, segment_id, volume_node)
    assert slicer.util.saveScene(str(tmp_path / "case.mrb"))
    slicer.util.loadScene(str(tmp_path / "case.mrb"))
    restored = slicer.util.getNode("Structures")
    array = slicer.util.arrayFromSegmentBinaryLabelmap(restored, segment_id, slicer.util.getNode("CT"))
    np.testing.assert_array_equal(array, mask)


def test_subject_hierarchy_knows_a_new_volume(scene):
    volume_node = slicer.util.addVolumeFromArray(np.zeros((2, 2, 2)), name="CT")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    assert hierarchy.GetItemByDataNode(volume_node) != 0


def test_slice_and_three_d_view_show_a_segment_in_its_colour(scene):
    from slicer_host import views

    views.register_displayable_managers(slicer.app.applicationLogic())
    volume_node = slicer.util.addVolumeFromArray(np.zeros((20, 20, 20), dtype=np.int16), name="CT")
    segmentation_node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Structures")
    segmentation_node.CreateDefaultDisplayNodes()
    segment_id = segmentation_node.GetSegmentation().AddEmptySegment("", "ball", (0.0, 1.0, 0.0))
    mask = np.zeros((20, 20, 20), dtype=np.uint8)
    mask[5:15, 5:15, 5:15] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentation_node, segment_id, volume_node)
    segmentation_node.CreateClosedSurfaceRepresentation()
    red, three_d = views.SliceView("Red", (100, 100)), views.ThreeDView((100, 100))
    red.logic.GetSliceCompositeNode().SetBackgroundVolumeID(volume_node.GetID())
    red.fit()
    three_d.fit()
    for picture in (red.picture(), three_d.picture()):
        r, g, b = (int(value) for value in picture[50, 50])
        assert g > 60
        assert g > 2 * max(r, b)
    for view in (red, three_d):
        view.close()
