"""Every layout of labelled scans comes to the same masks; what a source does not say is asked or refused."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from labelled_phantom import AFFINE, SHAPE, phantom, write_labels, write_scan
from made_dicom import write_series
from pydicom import Dataset

from textsegment.datasets.case import Truth
from textsegment.datasets.data_set import DataSet
from textsegment.datasets.meanings import UnclearNamesError
from textsegment.datasets.preparation import PreparationSettings, prepare
from textsegment.datasets.sources.opening import open_source
from textsegment.errors import InputError, InputNotFoundError
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.results import write_result
from textsegment.geometry import Geometry
from textsegment.segmentation import Segmentation, StructureMask

NUMBERS = {"kidney_left": 1, "kidney_right": 2, "Cancer": 3, "bed": 4}
ANSWERS = {"Cancer": "left kidney cyst", "bed": "other"}


def made(source: Path, folder: Path, **changes: object) -> DataSet:
    settings = {"spacing": (3.0, 3.0, 3.0), "answers": ANSWERS} | changes
    prepare([open_source(source)], folder, PreparationSettings(**settings), lambda line: None)
    return DataSet(folder)


def msd(folder: Path) -> Path:
    labels = {"0": "background"} | {str(number): name for name, number in NUMBERS.items()}
    content = {"name": "Kidneys", "modality": {"0": "CT"}, "labels": labels, "licence": "CC-BY-SA 4.0"}
    folder.mkdir()
    (folder / "dataset.json").write_text(json.dumps(content))
    write_scan(folder / "imagesTr" / "k_1.nii.gz")
    write_labels(folder / "labelsTr" / "k_1.nii.gz", phantom().labels)
    write_labels(
        folder / "labelsTr" / "._k_1.nii.gz", phantom().labels
    )  # of macOS, in the published archives
    return folder


def nnunet(folder: Path) -> Path:
    labels = {"background": 0, **NUMBERS} | {"kidney_left": [1, 3]}
    content = {"channel_names": {"0": "CT"}, "labels": labels, "file_ending": ".nii.gz"}
    folder.mkdir()
    (folder / "dataset.json").write_text(json.dumps(content))
    write_scan(folder / "imagesTr" / "k_1_0000.nii.gz")
    write_labels(folder / "labelsTr" / "k_1.nii.gz", phantom().labels)
    return folder


def totalsegmentator(folder: Path) -> Path:
    write_scan(folder / "s0001" / "ct.nii.gz")
    for name, number in NUMBERS.items():
        write_labels(folder / "s0001" / "segmentations" / f"{name}.nii.gz", phantom().labels == number)
    (folder / "meta.csv").write_text("image_id;age;split\ns0001;60;val\n")
    return folder


def bids(folder: Path) -> Path:
    derivative = folder / "derivatives" / "kidneys"
    write_scan(folder / "sub-01" / "ct" / "sub-01_ct.nii.gz")
    write_labels(derivative / "sub-01" / "ct" / "sub-01_desc-kidneys_dseg.nii.gz", phantom().labels)
    (derivative / "dataset_description.json").write_text(json.dumps({"Name": "kidneys", "License": "CC0"}))
    rows = "".join(f"{number}\t{name}\n" for name, number in NUMBERS.items())
    (derivative / "desc-kidneys_dseg.tsv").write_text(f"index\tname\n0\tbackground\n{rows}")
    return derivative


def masks() -> Segmentation:
    geometry = Geometry(SHAPE, AFFINE)
    return Segmentation(
        geometry,
        tuple(
            StructureMask.measured(name, phantom().labels == number, geometry)
            for name, number in NUMBERS.items()
        ),
    )


def seg_nrrd(folder: Path) -> Path:
    write_scan(folder / "k_1" / "ct.nii.gz")
    write_result(masks(), folder / "k_1" / "result.seg.nrrd")
    return folder


def labelmap(folder: Path) -> Path:
    write_scan(folder / "k_1" / "ct.nii.gz")
    write_result(masks(), folder / "k_1" / "labels.nii.gz")
    return folder


def dicom_case(folder: Path, name: str, output: str, patient: str = "") -> Path:
    """Write a DICOM series and, beside it, a structure set or segmentation of it by our own writers."""

    def belong(dataset: Dataset, _slice: int) -> None:
        dataset.PatientID = patient

    stored = phantom().voxels.astype(np.uint16)
    write_series(folder / name / "ct", stored, AFFINE, intercept=0.0, change=belong)
    write_result(masks(), folder / name / output, source=read_dicom(folder / name / "ct").source)
    return folder


def structure_set(folder: Path) -> Path:
    return dicom_case(folder, "k_1", "plan.rtstruct.dcm")


def dicom_seg(folder: Path) -> Path:
    dicom_case(folder, "k_1", "result.seg.dcm")
    write_labels(folder / "k_1" / "labels.nii.gz", phantom().labels)  # neither the scan nor its labels
    return folder


LAYOUTS = [structure_set, dicom_seg, msd, nnunet, totalsegmentator, bids, seg_nrrd, labelmap]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_comes_to_the_same_masks(layout: Callable[[Path], Path], tmp_path: Path) -> None:
    """15.1: the lesion belongs to its organ, both sides to the whole, the bed to nothing."""
    data = made(layout(tmp_path / "source"), tmp_path / "set")
    (case,) = data
    labels = phantom().labels
    assert case.modality == "CT"
    assert np.array_equal(case.mask("left kidney"), np.isin(labels, (1, 3)))
    assert np.array_equal(case.mask("right kidney"), labels == 2)
    assert np.array_equal(case.mask("kidney"), np.isin(labels, (1, 2, 3)))
    assert "bed" not in case.structures
    assert case.truth("liver") is Truth.UNKNOWN
    volume = case.volume()
    assert np.array_equal(volume.voxels, phantom().voxels)
    assert case.known("kidney", volume.geometry).all()
    assert not case.known("liver", volume.geometry).any()


@pytest.mark.parametrize("layout", [msd, totalsegmentator])
def test_the_canonical_masks_lie_where_the_scan_lies(layout: Callable[[Path], Path], tmp_path: Path) -> None:
    (case,) = made(layout(tmp_path / "source"), tmp_path / "set")
    image = case.canonical_image()
    assert image.shape == tuple(case.record.chwd[1:])
    found = case.canonical_mask("left kidney")
    assert found is not None
    box, mask = found
    # On the canonical grid x grows to the patient's right-to-left axis R: the left kidney lies at small x.
    assert box[0].stop <= image.shape[0] / 2
    inside = image[box][mask].astype(float)
    assert inside.mean() > image.astype(float).mean()
    volume_ml = mask.sum() * 27 / 1000
    assert volume_ml == pytest.approx(case.mask("left kidney").sum() * 60 / 1000, rel=0.15)


def test_a_name_that_is_not_exactly_one_structure_is_asked_about(tmp_path: Path) -> None:
    source = msd(tmp_path / "source")
    with pytest.raises(UnclearNamesError) as caught:
        made(source, tmp_path / "set", answers={})
    assert [question.name for question in caught.value.questions] == ["Cancer", "bed"]
    assert not (tmp_path / "set").exists()
    with pytest.raises(InputError, match="'bed', 'bet', is no structure"):
        made(source, tmp_path / "set", answers={"Cancer": "other", "bed": "bet"})


def test_what_the_source_says_about_splits_is_kept(tmp_path: Path) -> None:
    (case,) = made(totalsegmentator(tmp_path / "source"), tmp_path / "set", validation=0.0)
    assert case.split == "validation"


def test_a_folder_in_no_known_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no layout that is known"):
        open_source(tmp_path)
    with pytest.raises(InputNotFoundError):
        open_source(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "dataset.json").write_text("{"), "dataset.json lacks labels"),
        (
            lambda folder: (folder / "imagesTr" / "k_1.nii.gz").unlink(),
            "k_1: k_1.nii.gz: There is no such file",
        ),
        (lambda folder: (folder / "imagesTr" / "k_1.nii.gz").write_bytes(b"no image"), "k_1: k_1.nii.gz: "),
        (
            lambda folder: write_labels(folder / "labelsTr" / "k_1.nii.gz", phantom().labels * 2),
            "numbers without a name: 6, 8",
        ),
        (
            lambda folder: write_labels(folder / "labelsTr" / "k_1.nii.gz", phantom().labels * 0),
            "none of the numbers that are named",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(tmp_path, damage, said):
    """tr1: each refusal names the file and what to do, and nothing is left that looks like a set."""
    source = msd(tmp_path / "source")
    damage(source)
    with pytest.raises(InputError, match=said):
        made(source, tmp_path / "set")
    with pytest.raises(InputNotFoundError):
        DataSet(tmp_path / "set")


def test_bad_cases_can_be_left_out_and_are_said(tmp_path: Path) -> None:
    source = msd(tmp_path / "source")
    write_scan(source / "imagesTr" / "k_2.nii.gz")
    write_labels(source / "labelsTr" / "k_2.nii.gz", phantom().labels * 0)
    settings = PreparationSettings((3.0, 3.0, 3.0), answers=ANSWERS, skip_bad=True)
    found = prepare([open_source(source)], tmp_path / "set", settings, lambda line: None)
    assert found.cases == 1
    assert found.left_out[0].startswith("k_2: k_2.nii.gz holds none")
    assert "k_2: k_2.nii.gz holds none" in found.page.read_text()


def test_a_folder_that_is_no_set_is_not_overwritten(tmp_path: Path) -> None:
    from textsegment.errors import OutputError

    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError):
        made(msd(tmp_path / "source"), tmp_path / "set")
    assert (tmp_path / "set" / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("output", ["plan.rtstruct.dcm", "result.seg.dcm"])
def test_names_in_dicom_are_asked_about_and_patients_are_kept_together(output: str, tmp_path: Path) -> None:
    """15.1: split by patient, by the number in the headers, which is not written into the set."""
    for number, patient in enumerate(["MRN-17", "MRN-17", "MRN-4"]):
        dicom_case(tmp_path / "source", f"case_{number}", output, patient)
    with pytest.raises(UnclearNamesError) as caught:
        made(tmp_path / "source", tmp_path / "set", answers={})
    assert [question.name for question in caught.value.questions] == ["Cancer", "bed"]
    data = made(tmp_path / "source", tmp_path / "set", validation=0.5)
    first, second, third = (case.patient_id for case in data)
    assert first == second != third
    assert {case.split for case in data} == {"train", "validation"}
    assert "MRN" not in (tmp_path / "set" / "cases.jsonl").read_text()


def test_a_structure_set_of_another_scan_is_refused(tmp_path: Path) -> None:
    """15.1: checked against itself; the message names the case."""
    dicom_case(tmp_path / "source", "case_1", "plan.rtstruct.dcm")
    dicom_case(tmp_path / "other", "case_1", "plan.rtstruct.dcm")
    plan = tmp_path / "source" / "case_1" / "plan.rtstruct.dcm"
    plan.write_bytes((tmp_path / "other" / "case_1" / "plan.rtstruct.dcm").read_bytes())
    with pytest.raises(InputError, match="case_1: "):
        made(tmp_path / "source", tmp_path / "set")
