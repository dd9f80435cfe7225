"""Corrections of segments from what the user drew in them, without declaring anything."""

import numpy as np
import pytest
import slicer
from cases import labelmap, matrix, names, points_ras, row_of, segment, tag, to_the_end, volume_node
from textsegment.errors import EditError, EngineLostError, TextSegmentError
from textsegment.geometry import Box
from textsegment.testing import FakeSegmenter, ball, phantom
from TextSegmentLib.correction.correcting import CorrectionOrder
from TextSegmentLib.correction.correction_run import CorrectionRun
from TextSegmentLib.correction.edited_segment import EditedSegment, Mark
from TextSegmentLib.correction.taking import take_over
from TextSegmentLib.export.regions import list_regions
from TextSegmentLib.logic import TextSegmentLogic
from TextSegmentLib.scene.volume_node import read_volume_node


@pytest.fixture
def run():
    """Run that has found a liver and an aorta in a small, oblique scan."""
    run = TextSegmentLogic().start(
        volume_node(), ["liver", "aorta"], modality="CT", segmenter=FakeSegmenter()
    )
    to_the_end(run)
    run.results.settle()
    return run


def identifier(node, name):
    return node.GetSegmentation().GetSegmentIdBySegmentName(name)


def voxels(run, name):
    """Return a segment on the grid of the volume, bool ``[i, j, k]``, read with Slicer's own function."""
    node = run.segmentation_node
    array = slicer.util.arrayFromSegmentBinaryLabelmap(node, identifier(node, name), run.volume_node)
    return array.transpose(2, 1, 0) > 0


def draw(run, name, change):
    """Edit a segment on the grid of the volume, as the Segment Editor does."""
    mask = voxels(run, name)
    change(mask)
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        mask.transpose(2, 1, 0).astype(np.uint8),
        run.segmentation_node,
        identifier(run.segmentation_node, name),
        run.volume_node,
    )
    return mask


def shifted(mask, k, by=4):
    """Draw a slice anew: what is there, moved along i."""
    mask[:, :, k] = np.roll(mask[:, :, k], by, axis=0)


def edited(run, name="liver"):
    return EditedSegment.take(run.segmentation_node, run.volume_node, identifier(run.segmentation_node, name))


def drawing(run, name="liver", marks=()):
    return edited(run, name).compare(phantom().geometry, marks)


def corrected(run, name="liver", segmenter=None, **options):
    order = CorrectionOrder(edited(run, name), "CT", **options)
    correction = CorrectionRun(
        read_volume_node(run.volume_node), run.results, order, segmenter or FakeSegmenter()
    )
    to_the_end(correction)
    return correction


def take(run, correction):
    order = correction.order
    take_over(run.results.history, run.volume_node, order.segment, correction.outcome, correction.model, "CT")
    run.results.settle()


def middle_of(mask):
    return int(np.argwhere(mask)[:, 2].mean())


def test_drawn_slices_are_found_without_declaring_them(run):
    """Issue 13.C3: differences between a segment and its stored result are the edited slices."""
    k = middle_of(voxels(run, "liver"))
    after = draw(run, "liver", lambda mask: (shifted(mask, k), shifted(mask, k + 2)))
    found = drawing(run)
    assert np.array_equal(found.current, after)
    assert np.array_equal(found.base.full(after.shape), ball("liver", phantom().geometry))
    assert sorted(edit.box.start[2] for edit in found.edits) == [k, k + 2]
    for edit in found.edits:
        assert edit.known.all()
        assert np.array_equal(edit.inside, after[edit.box.slices])
    assert drawing(run, "aorta").edits == ()


def test_drawn_slices_are_found_after_save_and_load(run, tmp_path):
    """Issue 13.C3: also where Slicer has merged all segments into one image."""
    k = middle_of(voxels(run, "liver"))
    after = draw(run, "liver", lambda mask: shifted(mask, k))
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    volume = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
    found = EditedSegment.take(node, volume, identifier(node, "liver")).compare(
        read_volume_node(volume).geometry
    )
    assert [edit.box.start[2] for edit in found.edits] == [k]
    assert np.array_equal(found.current, after)


def test_missing_result_is_said(run):
    """Issue 13.C3: the segmentation alone was saved, or an older version made it."""
    node = run.segmentation_node
    slicer.mrmlScene.RemoveNode(node.GetNodeReference("TextSegment.StoredMasks"))
    assert drawing(run).edits == ()  # as it was found: nothing is missing
    draw(run, "liver", lambda mask: shifted(mask, middle_of(mask)))
    with pytest.raises(EditError, match="not stored with the scene"):
        drawing(run)


def test_correction_keeps_what_was_drawn_and_can_be_undone(run):
    """Issue 13.C3: drawn voxels are never overwritten; accept or undo."""
    found = voxels(run, "liver")
    aorta = points_ras(run.segmentation_node, "aorta")
    k = middle_of(found)
    after = draw(run, "liver", lambda mask: shifted(mask, k))
    correction = corrected(run)
    assert correction.error is None
    assert np.array_equal(voxels(run, "liver"), after)  # a preview changes nothing
    take(run, correction)
    new = voxels(run, "liver")
    assert np.array_equal(new[:, :, k], after[:, :, k])
    assert (new[:, :, k + 1] != found[:, :, k + 1]).any()
    row = row_of(run.results, "liver")
    assert (str(row.state), row.confidence) == ("corrected", None)
    assert row.volume_ml == pytest.approx(new.sum() * phantom().geometry.voxel_volume_ml, rel=1e-4)
    list(run.results.history.undo())
    assert np.array_equal(voxels(run, "liver"), after)
    run.results.settle()
    assert str(row_of(run.results, "liver").state) == "edited"
    list(run.results.history.redo())
    assert np.array_equal(voxels(run, "liver"), new)
    assert np.array_equal(points_ras(run.segmentation_node, "aorta"), aorta)


def test_slices_drawn_before_stay_in_later_corrections(run):
    """Issue 13.C3: also after save and load they are known to be the user's."""
    k = middle_of(voxels(run, "liver"))
    first = draw(run, "liver", lambda mask: shifted(mask, k))
    take(run, corrected(run))
    second = draw(run, "liver", lambda mask: shifted(mask, k + 3, -6))
    found = drawing(run)
    known, inside = found.known()
    assert known[:, :, k].all()
    assert np.array_equal(inside[:, :, k], first[:, :, k])
    take(run, corrected(run))
    new = voxels(run, "liver")
    assert np.array_equal(new[:, :, k], first[:, :, k])
    assert np.array_equal(new[:, :, k + 3], second[:, :, k + 3])


class Careless(FakeSegmenter):
    """Engine that answers with a mask of its own, whatever was drawn."""

    def correct(self, volume, *, name, **_options):
        return self.segment(volume, ["heart"])["heart"]


def test_engine_cannot_overwrite_what_was_drawn(run):
    """Issue 13.C3: whatever it answers."""
    k = middle_of(voxels(run, "liver"))
    after = draw(run, "liver", lambda mask: shifted(mask, k))
    box = Box((0, 0, 0), (20, 36, 24))
    take(run, corrected(run, segmenter=Careless(), within=box))
    new = voxels(run, "liver")
    assert np.array_equal(new[:, :, k], after[:, :, k])
    assert np.array_equal(new[20:], after[20:])
    assert (new[:20] != after[:20]).any()


def test_looking_again_in_a_box_changes_nothing_outside(run):
    """Issue 13.C3: redo inside this box."""
    found = voxels(run, "liver")
    after = draw(run, "liver", lambda mask: mask.__setitem__(slice(None), False))
    box = Box((int(np.argwhere(found)[:, 0].mean()), 0, 0), (40, 36, 24))
    correction = corrected(run, within=box, anew=True)
    assert correction.error is None
    # Every slice was emptied by the user, so all of it is known to be empty, and stays so.
    assert correction.outcome.packed is None
    with pytest.raises(EditError, match="Nothing would be left"):
        take(run, correction)
    assert np.array_equal(voxels(run, "liver"), after)


def test_points_are_edits(run):
    """Issue 13.C3: a point says what belongs to the structure, in the space of the volume."""
    geometry = phantom().geometry
    index = np.argwhere(~voxels(run, "liver"))[0]
    point = Mark(tuple(geometry.to_ras(index)), belongs=True)
    correction = corrected(run, marks=[point])
    take(run, correction)
    assert voxels(run, "liver")[tuple(index)]
    outside = Mark((1e4, 0.0, 0.0), belongs=True)
    assert isinstance(corrected(run, marks=[outside]).error, EditError)


def test_structure_is_drawn_once(run):
    """Issue 13.C: two slices and a name."""
    node = run.segmentation_node
    segment_id = node.GetSegmentation().AddEmptySegment("", "my tumour")
    truth = ball("heart", phantom().geometry)
    ks = np.flatnonzero(truth.any(axis=(0, 1)))[[2, -3]]

    def two_slices(mask):
        for k in ks:
            mask[:, :, k] = truth[:, :, k]

    drawn = draw(run, "my tumour", two_slices)
    take(run, corrected(run, "my tumour"))
    new = voxels(run, "my tumour")
    assert new.sum() > 2 * drawn.sum()
    for k in ks:
        assert np.array_equal(new[:, :, k], drawn[:, :, k])
    row = row_of(run.results, "my tumour")
    assert (row.segment_id, str(row.state)) == (segment_id, "corrected")
    list(run.results.history.undo())
    assert np.array_equal(voxels(run, "my tumour"), drawn)


def test_corrected_segments_count_as_semiautomatic(run):
    """Issue 13.C3."""
    from TextSegmentLib.export.regions import take_region
    from TextSegmentLib.export.request import _maker

    draw(run, "liver", lambda mask: shifted(mask, middle_of(mask)))
    take(run, corrected(run))
    makers = {
        region.name: _maker(take_region(run.segmentation_node, run.volume_node, region))
        for region in list_regions(run.segmentation_node)
    }
    assert {name: str(maker.value) for name, maker in makers.items()} == {"liver": "edited", "aorta": "model"}


def test_accepted_segments_are_never_corrected(run):
    """Issue 13.C3."""
    before = draw(run, "liver", lambda mask: shifted(mask, middle_of(mask)))
    correction = corrected(run)
    run.results.accept(row_of(run.results, "liver"))
    with pytest.raises(EditError, match="accepted"):
        take(run, correction)
    with pytest.raises(EditError, match="accepted"):
        edited(run)
    assert np.array_equal(voxels(run, "liver"), before)


def test_strokes_during_a_correction_are_not_lost(run):
    """Issue 13.C3: nothing of the user's drawing is ever lost."""
    k = middle_of(voxels(run, "liver"))
    draw(run, "liver", lambda mask: shifted(mask, k))
    correction = corrected(run)
    later = draw(run, "liver", lambda mask: shifted(mask, k + 1))
    with pytest.raises(EditError, match="drawn in since"):
        take(run, correction)
    assert np.array_equal(voxels(run, "liver"), later)


class Lost(FakeSegmenter):
    def correct(self, *_arguments, **_options):
        raise EngineLostError("The engine is gone.")


def test_lost_engine_leaves_the_drawing(run):
    """Issue 13.C3: engine killed."""
    after = draw(run, "liver", lambda mask: shifted(mask, middle_of(mask)))
    correction = corrected(run, segmenter=Lost())
    assert (str(correction.state), correction.error.code) == ("failed", "engine_lost")
    assert np.array_equal(voxels(run, "liver"), after)
    assert corrected(run).error is None


def swap_image(run):
    node = volume_node(phantom((20, 20, 20)), "other")
    run.volume_node.SetAndObserveImageData(node.GetImageData())


@pytest.mark.parametrize(
    ("disturb", "message"),
    [
        (lambda run: slicer.mrmlScene.Clear(0), "deleted"),
        (lambda run: slicer.mrmlScene.RemoveNode(run.volume_node), "volume was deleted"),
        (lambda run: slicer.mrmlScene.RemoveNode(run.segmentation_node), "segmentation was deleted"),
        (
            lambda run: run.segmentation_node.GetSegmentation().RemoveSegment(
                identifier(run.segmentation_node, "liver")
            ),
            "segment was removed",
        ),
        (swap_image, "another image"),
    ],
    ids=["scene", "volume", "segmentation", "segment", "image"],
)
def test_what_disappears_ends_the_correction_with_a_sentence(run, disturb, message):
    """Issue 13.C3: scene closed, volume swapped."""
    draw(run, "liver", lambda mask: shifted(mask, middle_of(mask)))
    order = CorrectionOrder(edited(run), "CT")
    correction = CorrectionRun(
        read_volume_node(run.volume_node), run.results, order, FakeSegmenter(seconds=0.2)
    )
    disturb(run)
    to_the_end(correction)
    assert str(correction.state) == "cancelled"
    assert message in correction.error.message


def test_another_grid_is_refused(run):
    """Issue 13.C, bad input: drawn slices cannot be told, so nothing is guessed."""
    draw(run, "liver", lambda mask: shifted(mask, middle_of(mask)))
    affine = phantom().geometry.affine.copy()
    affine[:3, 3] += 0.7
    run.volume_node.SetIJKToRASMatrix(matrix(affine))
    with pytest.raises(EditError, match="another grid"):
        edited(run).compare(read_volume_node(run.volume_node).geometry)


def test_no_edits_and_everything_erased_are_errors(run):
    """Issue 13.C, bad input."""
    assert isinstance(corrected(run).error, EditError)
    node = run.segmentation_node
    node.GetSegmentation().AddEmptySegment("", "nothing")
    assert isinstance(corrected(run, "nothing").error, TextSegmentError)
    assert names(node) == ["liver", "aorta", "nothing"]


def test_correction_under_a_transform_stays_in_place(run):
    """Geometry: the segmentation is moved together with its volume."""
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    values = np.eye(4)
    values[:3, 3] = (30, -12, 7)
    transform.SetMatrixTransformToParent(matrix(values))
    for node in (run.volume_node, run.segmentation_node):
        node.SetAndObserveTransformNodeID(transform.GetID())
    k = middle_of(voxels(run, "liver"))
    after = draw(run, "liver", lambda mask: shifted(mask, k))
    take(run, corrected(run))
    assert np.array_equal(voxels(run, "liver")[:, :, k], after[:, :, k])


def test_correction_in_an_image_that_others_share(run):
    """sl2: Slicer has merged the segments; the other one keeps every voxel, also where both overlap."""
    node = run.segmentation_node
    node.GetSegmentation().CollapseBinaryLabelmaps(False)
    aorta = voxels(run, "aorta")
    k = middle_of(voxels(run, "liver"))
    after = draw(run, "liver", lambda mask: shifted(mask, k))
    take(run, corrected(run))
    assert np.array_equal(voxels(run, "aorta"), aorta)
    assert np.array_equal(voxels(run, "liver")[:, :, k], after[:, :, k])
    assert tag(segment(node, "liver"), "TextSegment.state") == "corrected"
    assert labelmap(node, "liver") is not None
