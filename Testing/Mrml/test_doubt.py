"""Doubt and tidying: what speaks against a mask, and what was removed from it, in rows and scene."""

import numpy as np
import pytest
import slicer
from cases import names, points_ras, row_of, segment, to_the_end, volume_node
from doubtful import Doubtful, WithStrays
from textsegment.doubt import Doubt, Verdict
from textsegment.testing import FakeSegmenter, ball, phantom
from TextSegmentLib.logic import TextSegmentLogic
from TextSegmentLib.scene.segment.doubt_tags import doubt_from_tags

ODD = {"liver": {"second_part_share": 0.7, "part_count": 2, "second_part_distance_mm": 40.0}}


def run_with(segmenter, structures=("liver", "aorta"), **options):
    run = TextSegmentLogic().start(volume_node(), structures, modality="CT", segmenter=segmenter, **options)
    to_the_end(run)
    return run


def codes(doubt):
    return [reason.code for reason in doubt.reasons]


def test_doubt_is_in_the_row_in_words_and_survives_the_scene(tmp_path):
    """Issue 13.A2."""
    run = run_with(Doubtful(ODD))
    doubt = row_of(run.results, "liver").doubt
    assert doubt.verdict is not Verdict.NONE
    assert "70 %" in str(doubt)
    assert "distant_parts" in codes(doubt)
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    results = TextSegmentLogic().results_of(
        slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode"),
        slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode"),
    )
    loaded = row_of(results, "liver").doubt
    assert (str(loaded), loaded.verdict) == (str(doubt), doubt.verdict)
    assert dict(loaded.reasons[0].values) == dict(doubt.reasons[0].values)


def test_accepted_masks_are_not_doubted():
    run = run_with(Doubtful(ODD))
    run.results.accept(row_of(run.results, "liver"))
    assert not row_of(run.results, "liver").doubt


@pytest.mark.parametrize(
    ("verdict", "reasons"),
    [
        ("", ""),
        ("check", "{"),
        ("maybe", "[]"),
        ("check", '[["unknown", {}]]'),
        ("check", '[["claimed", {}]]'),
    ],
)
def test_tags_that_somebody_has_changed_say_nothing(verdict, reasons):
    assert doubt_from_tags(verdict, reasons).reasons == Doubt().reasons


def test_most_results_doubtful_is_said_for_the_image():
    """Issue 13.A2: check modality, unit, orientation."""
    structures = ["liver", "aorta", "heart", "pancreas"]
    run = run_with(Doubtful(dict.fromkeys(structures[:3], ODD["liver"])), structures)
    assert any("doubtful" in str(warning) for warning in run.warnings)


def test_a_second_look_is_asked_of_the_engine():
    """Issue 13.A4."""
    engine = Doubtful({}, {"liver": {"shift_agreement": 0.3}})
    run = run_with(engine)
    assert "unstable" not in codes(row_of(run.results, "liver").doubt)
    checked = TextSegmentLogic().start(
        run.volume_node,
        ["liver", "aorta"],
        run.segmentation_node,
        modality="CT",
        segmenter=engine,
        replaced=run.results.rows,
        check=True,
    )
    to_the_end(checked)
    assert engine.efforts[-1].check
    assert "unstable" in codes(row_of(checked.results, "liver").doubt)
    assert names(run.segmentation_node) == ["liver", "aorta"]


def test_stray_parts_are_removed_said_and_brought_back():
    """Issue 13.B: the raw mask is kept while the scene is open; one click brings it back."""
    geometry = phantom().geometry
    run = run_with(WithStrays(), ["liver"], tidy=True)
    node = run.segmentation_node
    clean = ball("liver", geometry).sum()
    assert len(points_ras(node, "liver")) == clean
    row = row_of(run.results, "liver")
    assert "ml" in row.tidied
    assert row.volume_ml == pytest.approx(clean * geometry.voxel_volume_ml, rel=1e-4)
    assert str(row.state) != "edited"
    run.results.bring_back_raw(row)
    run.results.settle()
    assert len(points_ras(node, "liver")) == clean + 1
    row = row_of(run.results, "liver")
    assert (row.tidied, row.confidence) == ("", None)
    assert row.volume_ml == pytest.approx((clean + 1) * geometry.voxel_volume_ml, rel=1e-4)
    assert str(row.state) != "edited"
    list(run.results.history.undo())
    run.results.settle()
    assert len(points_ras(node, "liver")) == clean
    list(run.results.history.undo())
    assert names(node) == []


def test_raw_masks_are_kept_in_the_scene(tmp_path):
    """Issue 13.B."""
    run_with(WithStrays(), ["liver"], tidy=True)
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    results = TextSegmentLogic().results_of(
        slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode"), node
    )
    before = len(points_ras(node, "liver"))
    results.bring_back_raw(row_of(results, "liver"))
    assert len(points_ras(node, "liver")) == before + 1


def test_masks_are_tidied_only_if_that_is_usual_or_wanted():
    """Issue 13.B: default on for sat-demo, off for other weights until calibrated."""
    clean = ball("liver", phantom().geometry).sum()
    assert len(points_ras(run_with(WithStrays(), ["liver"]).segmentation_node, "liver")) == clean + 1
    assert not row_of(run_with(FakeSegmenter(), ["liver"], tidy=True).results, "liver").tidied


def test_strokes_during_a_run_are_not_tidied_away():
    """Issue 13.C3: nothing of the user's drawing is lost."""
    run = run_with(WithStrays(), ["liver"], tidy=False)
    image = segment(run.segmentation_node, "liver").GetRepresentation("Binary labelmap")
    image.GetPointData().GetScalars().SetTuple1(5, 1)
    image.GetPointData().GetScalars().Modified()
    image.Modified()
    before = points_ras(run.segmentation_node, "liver")
    run.results.settle()
    row = row_of(run.results, "liver")
    history = run.results.history
    state = history.state_of(row.segment_id)
    run.results.change(row, None, state.mask, {"tidied": "x"}, history.begin("run"))
    assert np.array_equal(points_ras(run.segmentation_node, "liver"), before)
    assert str(row_of(run.results, "liver").state) == "edited"
