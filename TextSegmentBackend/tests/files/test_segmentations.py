"""Segmentations are read in every format that is written."""

import json

import numpy as np
import pytest
from made_dicom import write_series
from made_scans import OBLIQUE, SHAPE, segmentation, separate_masks

from textsegment.errors import InputError, InputNotFoundError, InputUnreadableError
from textsegment.files.images.itk_image import write_itk_image
from textsegment.files.images.nifti import write_nifti
from textsegment.files.reading import read_scan
from textsegment.files.results import write_result
from textsegment.files.segmentations import read_segmentation

STORED = np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE)


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    write_series(folder, STORED, OBLIQUE)
    return read_scan(folder)


@pytest.mark.parametrize(
    "name", ["a.seg.nrrd", "a.nii.gz", "a.nrrd", "a.mha", "masks/", "a.rtstruct.dcm", "a.seg.dcm"]
)
def test_what_was_written_comes_back(tmp_path, scan, name):
    made = segmentation(scan.volume.geometry.affine, separate_masks())
    path = f"{tmp_path}/{name}"
    write_result(made, path, source=scan.source)
    read = read_segmentation(path, scan=scan)
    assert np.allclose(read.geometry.affine, made.geometry.affine, atol=1e-3)
    assert {mask.structure for mask in made if not mask.statistics.is_empty} <= {m.structure for m in read}
    for mask in read:
        assert np.array_equal(read.full_mask(mask.structure), made.full_mask(mask.structure))


def test_a_segmentation_is_known_by_its_content(tmp_path):
    made = segmentation(OBLIQUE, separate_masks())
    write_result(made, tmp_path / "a.seg.nrrd")
    (tmp_path / "a.seg.nrrd").rename(tmp_path / "a.nrrd")
    assert [mask.structure for mask in read_segmentation(tmp_path / "a.nrrd")] == [m.structure for m in made]


@pytest.mark.parametrize(
    "table",
    [
        {"labels": [{"value": 1, "name": "liver"}, {"value": 2, "name": "spleen"}]},
        {"labels": {"background": 0, "liver": 1, "spleen": 2}},
        {"0": "background", "1": "liver", "2": "spleen"},
    ],
)
def test_tables_of_names(tmp_path, table):
    voxels = np.zeros(SHAPE, dtype=np.uint8)
    voxels[1, 1, 1], voxels[5, 5, 5] = 1, 7
    write_nifti(tmp_path / "a.nii.gz", voxels, OBLIQUE, "")
    (tmp_path / "names.json").write_text(json.dumps(table))
    read = read_segmentation(tmp_path / "a.nii.gz", names=tmp_path / "names.json")
    assert [(m.structure, m.statistics.voxel_count) for m in read] == [
        ("liver", 1),
        ("spleen", 0),
        ("label 7", 1),
    ]


def test_an_image_of_one_structure_is_named_after_its_file(tmp_path):
    mask = np.zeros(SHAPE, dtype=np.float32)
    write_itk_image(tmp_path / "left_kidney.nrrd", mask + 0, OBLIQUE)
    assert [m.statistics.voxel_count for m in read_segmentation(tmp_path / "left_kidney.nrrd")] == [0]
    mask[2, 3, 4] = 255
    write_itk_image(tmp_path / "left_kidney.nrrd", mask, OBLIQUE)
    (found,) = read_segmentation(tmp_path / "left_kidney.nrrd")
    assert (found.structure, found.statistics.voxel_count) == ("left kidney", 1)


def test_what_cannot_be_read_is_refused(tmp_path, scan):
    def refused(path, kind, **options):
        with pytest.raises(kind) as caught:
            read_segmentation(path, **options)
        return caught.value

    refused(tmp_path / "none.nrrd", InputNotFoundError)
    refused(tmp_path, InputUnreadableError)  # an empty folder
    several = np.zeros(SHAPE, dtype=np.uint8)
    several[0, 0, 0], several[0, 0, 1] = 1, 2
    write_nifti(tmp_path / "a.nii.gz", several, OBLIQUE, "")
    assert "--names" in refused(tmp_path / "a.nii.gz", InputUnreadableError).hint
    refused(tmp_path / "a.nii.gz", InputNotFoundError, names=tmp_path / "none.json")
    for text in ("[", '{"labels": 3}', '{"liver": "one"}', "[1]"):
        (tmp_path / "names.json").write_text(text)
        refused(tmp_path / "a.nii.gz", InputUnreadableError, names=tmp_path / "names.json")
    write_itk_image(tmp_path / "b.nrrd", np.linspace(0, 1, several.size).reshape(SHAPE), OBLIQUE)
    refused(tmp_path / "b.nrrd", InputUnreadableError)
    made = segmentation(scan.volume.geometry.affine, separate_masks())
    write_result(made, tmp_path / "a.rtstruct.dcm", source=scan.source)
    refused(tmp_path / "a.rtstruct.dcm", InputUnreadableError)  # without the scan
    (tmp_path / "text.txt").write_text("liver")
    refused(tmp_path / "text.txt", InputUnreadableError)
    folder = tmp_path / "masks"
    folder.mkdir()
    for name, cut in (("a.nii.gz", several), ("b.nii.gz", several[:5])):
        write_nifti(folder / name, cut, OBLIQUE, "")
    refused(folder, InputError)
