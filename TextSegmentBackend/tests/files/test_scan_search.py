"""Which files of a folder are scans."""

import os

import nibabel as nib
import numpy as np
import pytest
from made_dicom import write_series
from made_scans import OBLIQUE, phantom, segmentation, separate_masks

from textsegment.errors import InputError
from textsegment.files.images.itk_image import write_itk_image
from textsegment.files.images.nifti import write_nifti
from textsegment.files.results import write_result
from textsegment.files.scan_search import BESIDE_DICOM, HIDDEN, LABELS, RESULTS, find_scans, scan_name

SHAPE = (12, 10, 6)
STORED = np.random.default_rng(0).integers(0, 2000, SHAPE).astype(np.uint16)
SUFFIXES = [".nii", ".nii.gz", ".nrrd", ".mha"]


def write(path, voxels, description="scanner"):
    if path.name.endswith((".nii", ".nii.gz")):
        write_nifti(path, voxels, OBLIQUE, description)
    else:
        write_itk_image(path, voxels, OBLIQUE)


def labels(dtype=np.uint8):
    voxels = np.zeros((20, 18, 16), dtype=dtype)
    voxels[2:9, 3:12, 4:11] = 1
    voxels[9:15, 3:12, 4:11] = 5
    return voxels


def reasons(found):
    return {path.name: reason for path, reason in found.left_out}


@pytest.mark.parametrize("output", ["", "out.nii.gz", "out.nrrd", "out.mha", "out.seg.nrrd"])
def test_a_dicom_series_stays_the_scan_with_our_own_results_beside_it(tmp_path, output):
    """io1: `-o dicomfolder/` made the second run segment the first one's masks as MR scans."""
    write_series(tmp_path, STORED, OBLIQUE)
    write_result(segmentation(OBLIQUE, separate_masks()), tmp_path / output)
    found = find_scans([tmp_path])
    assert found.scans == (tmp_path,)
    assert not found.is_folder
    assert set(reasons(found).values()) == {RESULTS}


def test_our_results_above_a_dicom_series(tmp_path):
    """io1: the study folder holds the results, a folder below it the slices."""
    write_series(tmp_path / "series", STORED, OBLIQUE)
    write_result(segmentation(OBLIQUE, separate_masks()), tmp_path)
    assert find_scans([tmp_path]).scans == (tmp_path,)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_label_maps_of_others_are_left_out(tmp_path, suffix, dtype):
    """io1: beside the DICOM series, or among scans."""
    write_series(tmp_path / "dicom", STORED, OBLIQUE)
    (tmp_path / "nifti").mkdir()
    write(tmp_path / "dicom" / f"liver{suffix}", labels(dtype))
    write(tmp_path / "nifti" / f"case1_seg{suffix}", labels(dtype))
    write(tmp_path / "nifti" / f"case1{suffix}", phantom())
    found = find_scans([tmp_path / "dicom", tmp_path / "nifti"])
    assert [path.name for path in found.scans] == ["dicom", f"case1{suffix}"]
    assert reasons(found) == {f"liver{suffix}": LABELS, f"case1_seg{suffix}": LABELS}
    assert found.notes() == (f"Left out, label maps: liver{suffix}, case1_seg{suffix}.",)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_dicom_slices_win_over_a_converted_copy(tmp_path, suffix):
    """io1: the series was lost, and a guess of the modality took its place."""
    write_series(tmp_path, STORED, OBLIQUE)
    write(tmp_path / f"converted{suffix}", phantom())
    found = find_scans([tmp_path])
    assert found.scans == (tmp_path,)
    assert reasons(found) == {f"converted{suffix}": BESIDE_DICOM}


def test_a_mixture_is_asked_back(tmp_path):
    """io1: which of them are meant cannot be known; other folders of the same command are not concerned."""
    for number, below in enumerate(("", "below")):
        folder = tmp_path / str(number)
        write_series(folder / below, STORED[:, :, : 6 if below else 1], OBLIQUE)
        write(folder / "scan.nii.gz", phantom())
    (tmp_path / "clear").mkdir()
    write(tmp_path / "clear" / "scan.nii.gz", phantom())
    found = find_scans(sorted(tmp_path.iterdir()))
    assert [path.name for path in found.scans] == ["0", "1", "scan.nii.gz"]
    for scan in found.scans[:2]:
        with pytest.raises(InputError, match="image files and DICOM"):
            found.require_clear(scan)
    found.require_clear(found.scans[2])


@pytest.mark.parametrize("hidden", ["._case1.nii.gz", ".case1.nrrd", "._case1.mha"])
def test_hidden_files_are_no_scans(tmp_path, hidden):
    """io1: macOS writes `._case1.nii.gz` beside `case1.nii.gz`, which lost its name to it."""
    (tmp_path / hidden).write_bytes(b"\x00\x05\x16\x07 Mac OS X")
    write(tmp_path / "case1.nii.gz", phantom())
    found = find_scans([tmp_path])
    assert [path.name for path in found.scans] == ["case1.nii.gz"]
    assert reasons(found) == {hidden: HIDDEN}
    (tmp_path / "case1.nii.gz").unlink()
    assert find_scans([tmp_path]).scans == (tmp_path,)


def test_names_are_those_that_were_given(tmp_path, monkeypatch):
    """io1: DataLad links each file to a store of contents."""
    store = tmp_path / "store"
    store.mkdir()
    write(store / "MD5E-s1234.nii.gz", phantom())
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "sub-01.nii.gz").symlink_to(store / "MD5E-s1234.nii.gz")
    (tmp_path / "linked").symlink_to(tmp_path / "scans")
    found = find_scans([tmp_path / "linked"])
    assert [scan_name(path) for path in found.scans] == ["sub-01"]
    monkeypatch.chdir(tmp_path / "linked")
    assert scan_name(tmp_path / "linked" / "x" / "..") == "linked"
    assert scan_name(type(tmp_path)(".")) == os.path.basename(os.getcwd())  # noqa: PTH109, PTH119


def test_a_file_that_is_given_by_name_is_taken(tmp_path):
    write(tmp_path / "mask.nii.gz", labels())
    assert find_scans([tmp_path / "mask.nii.gz"]).scans == (tmp_path / "mask.nii.gz",)


def test_damaged_files_and_four_dimensions_are_left_for_the_reader_to_report(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(b"garbage")
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4, 2), dtype=np.uint8), OBLIQUE), tmp_path / "b.nii")
    assert len(find_scans([tmp_path]).scans) == 2


def test_a_bids_data_set(tmp_path):
    """Scans in `anat`, `ct` and `pet`; time series, derivatives, sources and segmentations are left out."""
    scan, other = phantom(), phantom() + 7
    (tmp_path / "dataset_description.json").write_text("{}")
    for place, name in (
        ("sub-01/anat", "sub-01_T1w"), ("sub-01/ses-2/ct", "sub-01_ses-2_ct"), ("sub-02/pet", "sub-02_pet"),
        ("sub-01/func", "sub-01_bold"), ("sub-01/dwi", "sub-01_dwi"), ("sub-01/fmap", "sub-01_phasediff"),
        ("derivatives/x/sub-01/anat", "sub-01_T1w"),
    ):  # fmt: skip
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        write(tmp_path / place / f"{name}.nii.gz", scan if "01" in name else other)
    write(tmp_path / "sub-01" / "anat" / "sub-01_dseg.nii.gz", labels())
    write_series(tmp_path / "sourcedata" / "sub-01", STORED, OBLIQUE)
    found = find_scans([tmp_path])
    assert found.names() == ("sub-01_T1w", "sub-01_ses-2_ct", "sub-02_pet")
    assert found.is_folder
    assert len(found.left_out) == 5
    assert reasons(found)["sub-01_dseg.nii.gz"] == LABELS


def test_an_nnunet_data_set(tmp_path):
    (tmp_path / "dataset.json").write_text("{}")
    for place in ("imagesTr", "imagesTs", "labelsTr"):
        (tmp_path / place).mkdir()
        for case in ("a", "b"):
            name = f"{place[-2:]}_{case}" + ("" if place == "labelsTr" else "_0000")
            write(tmp_path / place / f"{name}.nii.gz", labels() if place == "labelsTr" else phantom())
    found = find_scans([tmp_path])
    assert found.names() == ("Tr_a_0000", "Tr_b_0000", "Ts_a_0000", "Ts_b_0000")
    assert {reason for _, reason in found.left_out} == {LABELS}


def test_a_folder_for_each_patient(tmp_path):
    """Files of one name in several folders: results are named after both."""
    for patient in ("p1", "p2"):
        (tmp_path / patient).mkdir()
        write(tmp_path / patient / "ct.nii.gz", phantom())
        write(tmp_path / patient / "liver.nii.gz", labels())
    found = find_scans([tmp_path])
    assert found.names() == ("p1_ct", "p2_ct")
    assert reasons(found) == {"liver.nii.gz": LABELS}
    (tmp_path / "p2" / "ct.nii.gz").rename(tmp_path / "p2" / "mr.nii.gz")
    assert find_scans([tmp_path]).names() == ("ct", "mr")


def test_dicom_below_wins_over_copies_below(tmp_path):
    write_series(tmp_path / "dicom", STORED, OBLIQUE)
    (tmp_path / "nifti").mkdir()
    write(tmp_path / "nifti" / "converted.nii.gz", phantom())
    found = find_scans([tmp_path])
    assert found.scans == (tmp_path,)
    assert reasons(found) == {"converted.nii.gz": BESIDE_DICOM}


def test_a_pair_of_files_is_one_scan(tmp_path):
    nib.save(nib.Nifti1Pair(phantom(), OBLIQUE), tmp_path / "scan.img")
    (tmp_path / "picture.hdr").write_bytes(b"#?RADIANCE")
    nib.save(nib.MGHImage(phantom().astype(np.int32), OBLIQUE), tmp_path / "free.mgz")
    assert find_scans([tmp_path]).names() == ("free", "scan")
