import json
from functools import partial

import nibabel as nib
import numpy as np
import pytest
from made_scans import (
    MIRRORED,
    OBLIQUE,
    SHAPE,
    SHEARED,
    all_orientations,
    overlapping_masks,
    phantom,
    segmentation,
    separate_masks,
)

from textsegment.errors import OutputError, OverlapError
from textsegment.files.images.itk_image import read_itk_image
from textsegment.files.images.nifti import read_nifti
from textsegment.files.images.seg_nrrd import read_seg_nrrd
from textsegment.files.report.preview import write_preview
from textsegment.files.results import write_result
from textsegment.volume import Volume

EVERY_FORMAT = ["out.seg.nrrd", "out.nii.gz", "out.nii", "out.nrrd", "out.mha", "folder"]


def names_in(folder):
    return sorted(path.name for path in folder.rglob("*"))


@pytest.mark.parametrize("matrix", [*all_orientations()[::7], OBLIQUE, MIRRORED, SHEARED])
def test_folder_of_masks(tmp_path, matrix):
    masks = overlapping_masks()
    written = write_result(segmentation(matrix, masks), tmp_path / "out")
    assert [path.name for path in written] == [
        "kidney.nii.gz",
        "left_kidney.nii.gz",
        "liver.nii.gz",
        "spleen.nii.gz",
    ]
    for path, mask in zip(written, masks.values(), strict=True):
        image = nib.load(path)
        assert image.get_data_dtype() == np.uint8
        assert np.array_equal(np.asarray(image.dataobj), mask)
        assert np.array_equal(image.affine, matrix)


@pytest.mark.parametrize("suffix", ["nii.gz", "nii", "nrrd", "mha"])
@pytest.mark.parametrize("matrix", [OBLIQUE, MIRRORED, SHEARED])
def test_label_map_and_its_table(tmp_path, matrix, suffix):
    masks = separate_masks()
    image_path, table_path = write_result(segmentation(matrix, masks), tmp_path / f"out.{suffix}")
    raw = read_nifti(image_path) if suffix.startswith("nii") else read_itk_image(image_path)
    assert raw.voxels.dtype == np.uint8
    assert np.allclose(raw.geometry.affine, matrix, rtol=0, atol=1e-12)
    labels = json.loads(table_path.read_text("utf-8"))["labels"]
    assert [label["name"] for label in labels] == list(masks)
    for label in labels:
        assert np.array_equal(raw.voxels == label["value"], masks[label["name"]])
    assert table_path.name == "out.labels.json"


def test_many_structures_need_wide_labels(tmp_path):
    masks = {}
    for number in range(300):
        masks[f"structure {number}"] = mask = np.zeros(SHAPE, dtype=bool)
        mask.flat[number] = True
    write_result(segmentation(OBLIQUE, masks), tmp_path / "out.nii.gz")
    voxels = read_nifti(tmp_path / "out.nii.gz").voxels
    assert voxels.dtype == np.uint16
    assert np.array_equal(voxels.ravel()[:300], np.arange(1, 301))


@pytest.mark.parametrize("name", ["out.nii.gz", "out.nrrd"])
def test_overlap_is_refused_in_a_label_map(tmp_path, name):
    with pytest.raises(OverlapError, match="'left kidney' and 'kidney'") as caught:
        write_result(segmentation(OBLIQUE, overlapping_masks()), tmp_path / name)
    assert ".seg.nrrd" in caught.value.hint
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("name", ["out.nii.gz", "out.seg.nrrd", "folder"])
def test_given_names_are_written(tmp_path, name):
    written = write_result(
        segmentation(OBLIQUE, separate_masks()), tmp_path / name, names={"left kidney": "Kidney_L"}
    )
    if name == "folder":
        found = [path.name.removesuffix(".nii.gz") for path in written]
    elif name == "out.nii.gz":
        found = [label["name"] for label in json.loads(written[1].read_text("utf-8"))["labels"]]
    else:
        found = [mask.structure for mask in read_seg_nrrd(written[0])]
    assert found == ["Kidney_L", *list(separate_masks())[1:]]


@pytest.mark.parametrize("name", ["out.rtstruct.dcm", "seg.dcm"])
def test_dicom_needs_a_dicom_scan(tmp_path, name):
    with pytest.raises(OutputError, match="read from DICOM"):
        write_result(segmentation(OBLIQUE, separate_masks()), tmp_path / name)
    assert names_in(tmp_path) == []


def test_suffix_chooses_the_format(tmp_path):
    scan = segmentation(OBLIQUE, separate_masks())
    (tmp_path / "case.1").mkdir()
    assert write_result(scan, tmp_path / "case.1")[0].parent == tmp_path / "case.1"
    assert write_result(scan, f"{tmp_path}/case.2/")[0] == tmp_path / "case.2" / "left_kidney.nii.gz"
    assert write_result(scan, tmp_path / "a" / "b")[0].parent == tmp_path / "a" / "b"
    assert write_result(scan, tmp_path / "OUT.SEG.NRRD") == (tmp_path / "OUT.SEG.NRRD",)
    assert len(read_seg_nrrd(tmp_path / "OUT.SEG.NRRD")) == 3


@pytest.mark.parametrize("name", ["out.png", "out.stl", "out.nii.zip", "out.mgz"])
def test_unknown_suffix_lists_the_choices(tmp_path, name):
    with pytest.raises(OutputError, match=r"\.seg\.nrrd.*\.nii\.gz.*folder"):
        write_result(segmentation(OBLIQUE, separate_masks()), tmp_path / name)
    assert names_in(tmp_path) == []


def test_hostile_names_stay_in_the_folder(tmp_path):
    mask = separate_masks()["liver"]
    hostile = ["../../escape", "/etc/x", "CON", "liver", "Liver", "a\\b", "."]
    written = write_result(segmentation(OBLIQUE, dict.fromkeys(hostile, mask)), tmp_path / "out")
    assert len(set(written)) == len(hostile)
    assert all(path.parent == tmp_path / "out" for path in written)
    assert names_in(tmp_path) == sorted(["out", *(path.name for path in written)])


def test_other_files_of_the_folder_stay(tmp_path):
    (tmp_path / "mine.nii.gz").write_bytes(b"precious")
    write_result(segmentation(OBLIQUE, separate_masks()), tmp_path)
    assert (tmp_path / "mine.nii.gz").read_bytes() == b"precious"


@pytest.mark.parametrize("name", EVERY_FORMAT)
def test_old_result_is_replaced_whole(tmp_path, name):
    masks = separate_masks()
    write_result(segmentation(OBLIQUE, masks), tmp_path / name)
    before = names_in(tmp_path)
    masks["spleen"][0, 0, 6] = True
    write_result(segmentation(OBLIQUE, masks), tmp_path / name)
    assert names_in(tmp_path) == before


@pytest.mark.parametrize("name", [*EVERY_FORMAT, "picture.png"])
def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, name):
    """The kernel refuses files over a limit: each library has to notice, and nothing may stay behind."""
    resource = pytest.importorskip("resource", reason="POSIX only")
    generator = np.random.default_rng(0)
    noise = generator.random((60, 50, 40)) < 0.5
    scan = segmentation(OBLIQUE, {"liver": noise, "spleen": ~noise})
    target = tmp_path / name
    if name == "folder":
        target.mkdir()
    old = target / "liver.nii.gz" if name == "folder" else target
    old.write_bytes(b"precious")
    before = names_in(tmp_path)
    volume = Volume(generator.random(noise.shape), scan.geometry, "MR")
    write = partial(write_preview, volume) if name == "picture.png" else write_result
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(OutputError):
            write(scan, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert old.read_bytes() == b"precious"
    assert names_in(tmp_path) == before


@pytest.mark.parametrize("name", EVERY_FORMAT[:-1])
def test_missing_folder(tmp_path, name):
    with pytest.raises(OutputError, match="does not exist"):
        write_result(segmentation(OBLIQUE, separate_masks()), tmp_path / "no" / name)


def test_masks_have_the_grid_of_the_scan_that_was_read(tmp_path):
    """A scan read from a file and its masks written have the very same header geometry."""
    nib.save(nib.Nifti1Image(phantom(), OBLIQUE), tmp_path / "scan.nii.gz")
    scan = read_nifti(tmp_path / "scan.nii.gz")
    masks = separate_masks()
    (path, *_) = write_result(segmentation(scan.geometry.affine, masks), tmp_path / "out")
    before, after = nib.load(tmp_path / "scan.nii.gz"), nib.load(path)
    assert np.array_equal(before.affine, after.affine)
    assert before.shape == after.shape
    assert (int(after.header["sform_code"]), int(after.header["qform_code"])) == (1, 1)
    assert after.header.get_xyzt_units()[0] == "mm"
