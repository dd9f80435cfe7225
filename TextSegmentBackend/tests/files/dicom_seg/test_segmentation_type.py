"""DICOM segmentations of both kinds, and what they take."""

import highdicom as hd
import numpy as np
import pydicom
import pytest
from iod_check import standard_errors
from made_dicom import write_enhanced, write_series
from made_scans import ANISOTROPIC, MIRRORED, OBLIQUE, SHEARED, segmentation
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, RLELossless

from textsegment.errors import OverlapError, SettingsError
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.dicom_seg import frames
from textsegment.files.dicom_seg.reader import read_dicom_seg
from textsegment.files.dicom_seg.writer import write_dicom_seg

SHAPE = (26, 22, 7)
MAPS = {"oblique": OBLIQUE, "mirrored": MIRRORED, "tilted": SHEARED, "anisotropic": ANISOTROPIC}
LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"


def made_scan(folder, matrix=OBLIQUE):
    write_series(folder, np.arange(np.prod(SHAPE)).reshape(SHAPE), matrix)
    return read_dicom(folder)


def parts(count, shape=SHAPE, seed=0):
    """Noise in which every voxel belongs to one structure, or to none."""
    numbers = np.random.default_rng(seed).integers(0, count + 1, shape)
    numbers[:, :, 0] = numbers[:2] = 0
    return {f"structure {n}": numbers == n for n in range(1, count + 1)}


def written(scan, path, masks, **options):
    said = write_dicom_seg(segmentation(scan.volume.geometry.affine, masks), scan.source, path, **options)
    return pydicom.dcmread(path), said


@pytest.mark.parametrize("matrix", MAPS)
@pytest.mark.parametrize("count", [1, 5])
def test_a_label_map_gives_every_voxel_back(tmp_path, matrix, count):
    """rt5: label map segmentations, compressed."""
    scan, path = made_scan(tmp_path / "scan", MAPS[matrix]), tmp_path / "out.seg.dcm"
    masks = parts(count)
    dataset, said = written(scan, path, masks, segmentation_type="labelmap")
    assert (dataset.SOPClassUID, dataset.SegmentationType, dataset.SegmentsOverlap) == (
        LABEL_MAP,
        "LABELMAP",
        "NO",
    )
    assert dataset.file_meta.TransferSyntaxUID == RLELossless
    assert said == ()
    back = read_dicom_seg(path, geometry=scan.volume.geometry, source=scan.source)
    assert [mask.structure for mask in back] == list(masks)
    for name, mask in masks.items():
        assert np.array_equal(back.full_mask(name), mask), name
    assert standard_errors(path) == []


def test_highdicom_reads_the_label_map(tmp_path):
    """rt5."""
    scan, path, masks = made_scan(tmp_path / "scan"), tmp_path / "out.seg.dcm", parts(4)
    written(scan, path, masks, segmentation_type="labelmap")
    read = hd.seg.segread(path)
    images = [plane.sop_instance_uid for plane in scan.source.planes[1:]]
    pixels = read.get_pixels_by_source_instance(images)
    for number, mask in enumerate(masks.values()):
        assert np.array_equal(pixels[..., number].transpose(2, 1, 0).astype(bool), mask[:, :, 1:])
    volume = read.get_volume(combine_segments=True)
    assert np.allclose(np.linalg.norm(volume.affine[:3, 0]), np.linalg.norm(OBLIQUE[:3, 2]), atol=1e-3)


def test_many_labels_take_sixteen_bits(tmp_path):
    """rt5."""
    scan, path = made_scan(tmp_path / "scan"), tmp_path / "out.seg.dcm"
    numbers = np.arange(np.prod(SHAPE)).reshape(SHAPE) % 301
    masks = {f"part {n}": numbers == n for n in range(1, 301)}
    dataset, _ = written(scan, path, masks, segmentation_type="labelmap")
    assert (dataset.BitsAllocated, len(dataset.SegmentSequence)) == (16, 301)  # and the background
    back = read_dicom_seg(path, geometry=scan.volume.geometry)
    assert all(np.array_equal(back.full_mask(name), mask) for name, mask in masks.items())


def test_a_label_map_of_a_multi_frame_scan(tmp_path):
    """rt5."""
    (tmp_path / "scan").mkdir()
    write_enhanced(tmp_path / "scan" / "scan.dcm", np.ones(SHAPE, dtype=np.uint16), OBLIQUE)
    scan, path, masks = read_dicom(tmp_path / "scan"), tmp_path / "out.seg.dcm", parts(3)
    written(scan, path, masks, segmentation_type="labelmap")
    back = read_dicom_seg(path, geometry=scan.volume.geometry, source=scan.source)
    assert all(np.array_equal(back.full_mask(name), mask) for name, mask in masks.items())
    assert standard_errors(path) == []


def test_what_overlaps_is_no_label_map(tmp_path):
    """rt5."""
    scan, masks = made_scan(tmp_path / "scan"), parts(2)
    masks["both"] = masks["structure 1"] | masks["structure 2"]
    with pytest.raises(OverlapError, match="label map"):
        written(scan, tmp_path / "out.seg.dcm", masks, segmentation_type="labelmap")
    with pytest.raises(SettingsError):
        written(scan, tmp_path / "out.seg.dcm", masks, segmentation_type="fractional")
    assert not (tmp_path / "out.seg.dcm").exists()


def test_small_ones_are_as_everybody_reads_them(tmp_path):
    dataset, said = written(made_scan(tmp_path / "scan"), tmp_path / "out.seg.dcm", parts(3))
    assert (dataset.SegmentationType, said) == ("BINARY", ())
    assert dataset.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


@pytest.mark.parametrize("overlaps", [False, True])
@pytest.mark.parametrize("wanted", ["auto", "binary"])
def test_large_ones_are_label_maps_where_nothing_overlaps_and_compressed(
    tmp_path, monkeypatch, overlaps, wanted
):
    """rt5: 60 structures on 200 planes took 398 MB."""
    monkeypatch.setattr(frames, "_PLAIN_BYTES", 500)
    scan, path, masks = made_scan(tmp_path / "scan"), tmp_path / "out.seg.dcm", parts(4)
    if overlaps:
        masks["all"] = sum(masks.values()).astype(bool)
    dataset, said = written(scan, path, masks, segmentation_type=wanted)
    is_map = wanted == "auto" and not overlaps
    assert dataset.SegmentationType == ("LABELMAP" if is_map else "BINARY")
    syntax = RLELossless if is_map else DeflatedExplicitVRLittleEndian
    assert dataset.file_meta.TransferSyntaxUID == syntax
    assert [sentence for sentence in said if "label map" in sentence] == list(said)
    assert bool(said) == is_map
    back = read_dicom_seg(path, geometry=scan.volume.geometry)
    for name, mask in masks.items():
        assert np.array_equal(back.full_mask(name), mask), name
    assert standard_errors(path) == []
