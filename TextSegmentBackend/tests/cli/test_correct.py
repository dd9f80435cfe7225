"""``textsegment correct``: files in, files out, with what was not edited kept as it was."""

from dataclasses import replace

import numpy as np
import pytest
import slicerio
from command_line import CHEST, textsegment
from nninteractive_server import LICENSE, stand_in

from textsegment import read_volume
from textsegment.files.images.seg_nrrd import read_seg_nrrd, write_seg_nrrd
from textsegment.files.results import write_result
from textsegment.geometry import Geometry
from textsegment.origin import Maker
from textsegment.segmentation import Segmentation, StructureMask

pytestmark = pytest.mark.usefixtures("engine")
GEOMETRY = read_volume(CHEST, modality="CT").geometry


def lump(centre, radius_mm):
    index = np.indices(GEOMETRY.spatial_shape).reshape(3, -1).T
    away = np.linalg.norm((index - centre) * GEOMETRY.spacing, axis=1)
    return (away <= radius_mm).reshape(GEOMETRY.spatial_shape)


SHAPE = np.array(GEOMETRY.spatial_shape)
OLD, TRUE, OTHER = lump(SHAPE * 0.45, 45), lump(SHAPE * 0.5, 60), lump(SHAPE * 0.55, 30)
SLICES = [int(SHAPE[2] * share) for share in (0.45, 0.5, 0.58)]


def written(path, **masks):
    made = (StructureMask.measured(name.replace("_", " "), mask, GEOMETRY) for name, mask in masks.items())
    write_seg_nrrd(Segmentation(GEOMETRY, tuple(made), {"model": "sat-demo"}), path)
    return path


def drawn():
    after = OLD.copy()
    after[:, :, SLICES] = TRUE[:, :, SLICES]
    return after


def correct(*arguments):
    return textsegment("correct", CHEST, *arguments, "--modality", "CT")


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def test_slices_drawn_anew_mend_the_rest_and_the_other_segments_stay(tmp_path):
    before = written(tmp_path / "result.seg.nrrd", Liver=OLD, My_lesion=OTHER)
    edited = written(tmp_path / "edited.seg.nrrd", Liver=drawn(), My_lesion=OLD)
    content = slicerio.read_segmentation(str(before))
    content["segments"][1]["color"] = [0.25, 0.5, 0.75]
    content["segments"][1]["tags"]["Mine"] = "yes"
    slicerio.write_segmentation(str(before), content)
    kept = before.read_bytes(), edited.read_bytes()
    ended = correct(before, "--structure", "liver", "--edited", edited, "-o", tmp_path / "out.seg.nrrd")
    assert ended.code == 0, ended.err
    assert "Liver: " in ended.out
    result = read_seg_nrrd(tmp_path / "out.seg.nrrd")
    assert [mask.structure for mask in result] == ["Liver", "My lesion"]
    new = result.full_mask("Liver")
    assert np.array_equal(new[:, :, SLICES], TRUE[:, :, SLICES])
    assert dice(new, TRUE) > dice(drawn(), TRUE)
    assert result["Liver"].origin.maker is Maker.EDITED
    assert np.array_equal(result.full_mask("My lesion"), OTHER)
    assert result["My lesion"].origin.maker is Maker.MODEL
    lesion = slicerio.read_segmentation(str(tmp_path / "out.seg.nrrd"))["segments"][1]
    assert lesion["color"] == [0.25, 0.5, 0.75]
    assert lesion["tags"]["Mine"] == "yes"
    assert (before.read_bytes(), edited.read_bytes()) == kept


def test_a_structure_that_the_result_lacks_is_drawn_once(tmp_path):
    before = written(tmp_path / "result.seg.nrrd", liver=OLD)
    sketch = np.zeros_like(TRUE)
    sketch[:, :, SLICES] = TRUE[:, :, SLICES]
    edited = written(tmp_path / "edited.seg.nrrd", GTV=sketch)
    out = tmp_path / "out.seg.nrrd"
    assert correct(before, "--structure", "GTV", "--edited", edited, "-o", out, "-q") == (0, "", "")
    result = read_seg_nrrd(out)
    assert [mask.structure for mask in result] == ["liver", "GTV"]
    assert np.array_equal(result.full_mask("liver"), OLD)
    assert result["GTV"].statistics.voxel_count > sketch.sum()
    alone = tmp_path / "alone.nii.gz"
    assert correct("--structure", "GTV", "--edited", edited, "-o", alone, "-q").code == 0
    voxels = read_volume(alone, modality="CT").voxels
    assert np.array_equal(voxels > 0, result.full_mask("GTV"))


def test_an_image_without_names_may_hold_any_structure(tmp_path):
    """As other programs write what was drawn in them: a mask, called as its file is."""
    before = written(tmp_path / "result.seg.nrrd", liver=OLD)
    after = Segmentation(GEOMETRY, (StructureMask.measured("drawing 2", drawn(), GEOMETRY),), {})
    write_result(after, tmp_path / "drawing_2.nii.gz")
    for table in tmp_path.glob("*.json"):
        table.unlink()
    out = tmp_path / "out.seg.nrrd"
    ended = correct(before, "--structure", "Liver", "--edited", tmp_path / "drawing_2.nii.gz", "-o", out)
    assert ended.code == 0, ended.err
    new = read_seg_nrrd(out).full_mask("liver")
    assert np.array_equal(new[:, :, SLICES], TRUE[:, :, SLICES])


def test_what_cannot_be_corrected_leaves_everything_alone(tmp_path):
    before = written(tmp_path / "result.seg.nrrd", liver=OLD)
    edited = written(tmp_path / "edited.seg.nrrd", liver=drawn())
    moved = GEOMETRY.affine.copy()
    moved[:3, 3] += 5
    elsewhere = read_seg_nrrd(edited)
    other = Geometry(GEOMETRY.spatial_shape, moved)
    write_seg_nrrd(replace(elsewhere, geometry=other), tmp_path / "elsewhere.seg.nrrd")
    out = tmp_path / "out.seg.nrrd"
    there = sorted(path.name for path in tmp_path.iterdir())
    for arguments, code in (
        (("--edited", before), "edit_invalid"),
        (("--edited", tmp_path / "elsewhere.seg.nrrd"), "geometry_invalid"),
        (("--edited", tmp_path / "none.seg.nrrd"), "input_not_found"),
        (("--edited", edited, "--prompt", "livr"), "structure_unknown"),
    ):
        ended = correct(before, "--structure", "liver", *arguments, "-o", out)
        assert ended.code in (2, 3)
        assert f"[{code}]" in ended.err
    ended = correct(before, "--structure", "spleen", "--edited", edited, "-o", out)
    assert (ended.code, "structure_unknown" in ended.err) == (2, True)
    ended = correct(before, "--structure", "liver", "--edited", edited, "-o", before)
    assert ended.code == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == there


def test_an_nninteractive_server_of_the_user_mends_it(tmp_path):
    voxels = read_volume(CHEST, modality="CT").voxels
    before = written(tmp_path / "result.seg.nrrd", liver=OLD)
    edited = written(tmp_path / "edited.seg.nrrd", liver=drawn())
    out = tmp_path / "out.seg.nrrd"
    with stand_in(key="right") as server:
        (tmp_path / "key").write_text("right\n")
        options = ("--structure", "liver", "--edited", edited, "-o", out, "--nninteractive", server.url)
        ended = correct(before, *options)
        assert (ended.code, "[unauthorized]" in ended.err) == (9, True), ended
        ended = correct(before, *options, "--prompt", "liver")
        assert "[settings_invalid]" in ended.err
        ended = correct(before, *options, "--token-file", tmp_path / "key")
        assert ended.code == 0, ended.err
        assert LICENSE in ended.out
        assert server.lease is None
        assert np.array_equal(server.images[-1].T, voxels)
    result = read_seg_nrrd(out)
    assert np.array_equal(result.full_mask("liver")[:, :, SLICES], TRUE[:, :, SLICES])
    assert result["liver"].origin.maker is Maker.EDITED
    ended = correct("--structure", "liver", "--edited", edited, "-o", tmp_path / "b.nii.gz", *options[-2:])
    assert "[server_unreachable]" in ended.err
