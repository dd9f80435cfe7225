from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
import slicerio
from made_scans import (
    ANISOTROPIC,
    MIRRORED,
    OBLIQUE,
    SHAPE,
    SHEARED,
    all_orientations,
    overlapping_masks,
    segmentation,
    separate_masks,
)

from textsegment.errors import InputNotFoundError, InputUnreadableError
from textsegment.files.images.itk_image import affine_of
from textsegment.files.images.seg_nrrd import read_seg_nrrd, replace_segment, write_seg_nrrd
from textsegment.geometry import Geometry
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.vocabulary.structures import find_structure

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.mark.parametrize("matrix", [*all_orientations()[::7], OBLIQUE, MIRRORED, SHEARED, ANISOTROPIC])
def test_slicerio_reads_equal_masks_and_geometry(tmp_path, matrix):
    path = tmp_path / "out.seg.nrrd"
    masks = overlapping_masks()
    write_seg_nrrd(segmentation(matrix, masks), path)
    content = slicerio.read_segmentation(str(path))
    assert np.array_equal(LPS @ content["ijkToLPS"], matrix)
    assert [segment["name"] for segment in content["segments"]] == list(masks)
    for name, mask in masks.items():
        assert np.array_equal(slicerio.segment_mask(content, name), mask)


@pytest.mark.parametrize("matrix", [OBLIQUE, SHEARED])
def test_simpleitk_reads_equal_masks_and_geometry(tmp_path, matrix):
    path = tmp_path / "out.seg.nrrd"
    masks = overlapping_masks()
    write_seg_nrrd(segmentation(matrix, masks), path)
    image = sitk.ReadImage(str(path))
    assert np.allclose(affine_of(image), matrix, rtol=0, atol=1e-12)
    voxels = sitk.GetArrayFromImage(image).transpose(3, 2, 1, 0)
    for number, mask in enumerate(masks.values()):
        layer = int(image.GetMetaData(f"Segment{number}_Layer"))
        label = int(image.GetMetaData(f"Segment{number}_LabelValue"))
        assert np.array_equal(voxels[layer] == label, mask)


def test_round_trip(tmp_path):
    written = segmentation(SHEARED, overlapping_masks(), model="sat-demo")
    write_seg_nrrd(written, tmp_path / "out.seg.nrrd")
    read = read_seg_nrrd(tmp_path / "out.seg.nrrd")
    assert read.geometry == written.geometry
    assert read.provenance == {"model": "sat-demo", "version": "1.2"}
    assert [mask.structure for mask in read] == [mask.structure for mask in written]
    for mask in written:
        assert np.array_equal(read.full_mask(mask.structure), written.full_mask(mask.structure))
        assert read[mask.structure].box == mask.box
        assert read[mask.structure].statistics.voxel_count == mask.statistics.voxel_count


def test_empty_structure_is_kept(tmp_path):
    write_seg_nrrd(segmentation(OBLIQUE, overlapping_masks()), tmp_path / "out.seg.nrrd")
    assert read_seg_nrrd(tmp_path / "out.seg.nrrd")["spleen"].statistics.is_empty


def test_only_overlapping_structures_need_a_layer_of_their_own(tmp_path):
    write_seg_nrrd(segmentation(OBLIQUE, separate_masks()), tmp_path / "one.seg.nrrd")
    write_seg_nrrd(segmentation(OBLIQUE, overlapping_masks()), tmp_path / "two.seg.nrrd")
    one = slicerio.read_segmentation(str(tmp_path / "one.seg.nrrd"))
    two = slicerio.read_segmentation(str(tmp_path / "two.seg.nrrd"))
    assert one["voxels"].shape == SHAPE
    assert two["voxels"].shape == (2, *SHAPE)
    assert [s["layer"] for s in two["segments"]] == [0, 1, 0, 0]


def test_more_structures_than_labels_of_a_layer(tmp_path):
    masks = {}
    for number in range(300):
        masks[f"structure {number}"] = mask = np.zeros(SHAPE, dtype=bool)
        mask.flat[number] = True
    write_seg_nrrd(segmentation(OBLIQUE, masks), tmp_path / "out.seg.nrrd")
    read = read_seg_nrrd(tmp_path / "out.seg.nrrd")
    assert all(np.array_equal(read.full_mask(name), mask) for name, mask in masks.items())


def test_no_structures_at_all(tmp_path):
    write_seg_nrrd(segmentation(OBLIQUE, {}), tmp_path / "out.seg.nrrd")
    assert len(read_seg_nrrd(tmp_path / "out.seg.nrrd")) == 0


def test_colour_and_terminology_are_those_of_the_vocabulary(tmp_path):
    write_seg_nrrd(segmentation(OBLIQUE, overlapping_masks()), tmp_path / "out.seg.nrrd")
    liver = slicerio.segment_from_name(slicerio.read_segmentation(str(tmp_path / "out.seg.nrrd")), "liver")
    known = find_structure("liver")
    assert np.allclose(np.array(liver["color"]) * 255, known.color, atol=0.01)
    assert liver["terminology"]["type"] == ["SCT", "10200004", "Liver"]
    # Character by character what 3D Slicer writes.
    tags = sitk.ReadImage(str(tmp_path / "out.seg.nrrd")).GetMetaData("Segment2_Tags")
    assert f"TerminologyEntry:{known.terminology}" in tags
    assert "TextSegment.model:sat-nano" in tags


def test_unknown_and_hostile_names(tmp_path):
    names = ["no such organ", "a|b~c^d:=e", 'Größe "x"\\', "../../x"]
    mask = overlapping_masks()["liver"]
    for attempt in ("first", "second"):
        write_seg_nrrd(segmentation(OBLIQUE, dict.fromkeys(names, mask)), tmp_path / f"{attempt}.seg.nrrd")
    first, second = (
        slicerio.read_segmentation(str(tmp_path / f"{attempt}.seg.nrrd")) for attempt in ("first", "second")
    )
    stored = [mask.structure for mask in read_seg_nrrd(tmp_path / "first.seg.nrrd")]
    assert stored == ["no such organ", "a/b~c^d:=e", 'Größe "x"\\', "../../x"]
    assert [s["color"] for s in first["segments"]] == [s["color"] for s in second["segments"]]
    assert len({tuple(s["color"]) for s in first["segments"]}) == len(names)
    assert first["segments"][0]["terminology"]["category"][1] == "85756007"
    for segment in first["segments"]:
        assert np.array_equal(slicerio.segment_mask(first, segment), mask)


def test_file_of_slicer_is_read():
    path = Path(slicerio.__file__).parent / "data" / "SegmentationOverlapping.seg.nrrd"
    content = slicerio.read_segmentation(str(path))
    read = read_seg_nrrd(path)
    assert [mask.structure for mask in read] == [s["name"] for s in content["segments"]]
    for segment in content["segments"]:
        assert np.array_equal(read.full_mask(segment["name"]), slicerio.segment_mask(content, segment))


def test_what_is_no_segmentation(tmp_path):
    with pytest.raises(InputNotFoundError):
        read_seg_nrrd(tmp_path / "nothing.seg.nrrd")
    write_seg_nrrd(segmentation(OBLIQUE, overlapping_masks()), tmp_path / "out.seg.nrrd")
    whole = (tmp_path / "out.seg.nrrd").read_bytes()
    for content in (b"", b"garbage" * 50, whole[:300], whole[:-30]):
        (tmp_path / "out.seg.nrrd").write_bytes(content)
        with pytest.raises(InputUnreadableError):
            read_seg_nrrd(tmp_path / "out.seg.nrrd")


def test_names_in_any_script_come_back(tmp_path):
    """Two of them must not become the same name, and a corrected file must not lose those of 3D Slicer."""
    geometry = Geometry((6, 5, 4), np.eye(4))
    names = ["左腎", "右腎", "Prostata (Änderung)", "liver"]
    masks = []
    for number, name in enumerate(names):
        voxels = np.zeros(geometry.spatial_shape, dtype=bool)
        voxels[number + 1, 1:3, 1:3] = True
        masks.append(StructureMask.measured(name, voxels, geometry))
    made = Segmentation(geometry, tuple(masks), {})
    write_seg_nrrd(made, tmp_path / "a.seg.nrrd")
    found = read_seg_nrrd(tmp_path / "a.seg.nrrd")
    assert [mask.structure for mask in found] == names
    for name in names:
        assert np.array_equal(found.full_mask(name), made.full_mask(name))
    replace_segment(tmp_path / "a.seg.nrrd", tmp_path / "b.seg.nrrd", masks[0])
    assert [mask.structure for mask in read_seg_nrrd(tmp_path / "b.seg.nrrd")] == names
