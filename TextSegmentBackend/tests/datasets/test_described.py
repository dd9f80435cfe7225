"""Described scans: partly drawn structures, unknown voxels, unions, absent structures, splits by patient."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from labelled_phantom import phantom

from textsegment.datasets.case import Truth
from textsegment.datasets.data_set import DataSet
from textsegment.datasets.preparation import PreparationSettings, prepare
from textsegment.datasets.sources.opening import open_source
from textsegment.datasets.split import split_patients
from textsegment.errors import InputError, InputNotFoundError

ENTRY = {
    "image": "scan_1.nii.gz",
    "labels": "labels_1.nii.gz",
    "modality": "CT",
    "names": {"1": "left kidney", "2": "right kidney"},
    "other": [3, 4],
    "annotated": "all",
}
CONTENT = {
    "structures": {"CT": ["left kidney", "right kidney", "kidney", "liver"]},
    "groups": {"kidney": ["left kidney", "right kidney"]},
}


def made(folder: Path, *entries: dict[str, object], **content: object) -> DataSet:
    path = folder / "data.json"
    path.write_text(json.dumps(CONTENT | {"cases": list(entries)} | content))
    settings = PreparationSettings((3.0, 3.0, 3.0), validation=0.0)
    prepare([open_source(path)], folder / "set", settings, lambda line: None)
    return DataSet(folder / "set")


def test_drawn_absent_and_unknown_are_three_things(described: Path) -> None:
    (case,) = made(described, ENTRY)
    assert case.structures == ("left kidney", "right kidney", "kidney")
    assert case.truth("liver") is Truth.ABSENT
    assert not case.mask("liver").any()
    assert case.truth("spleen") is Truth.UNKNOWN
    with pytest.raises(InputError, match="nothing is known about 'spleen'"):
        case.mask("spleen")


def test_partly_drawn_structures_and_their_unions_are_unknown_beyond_their_ends(described: Path) -> None:
    """15.7: cord and oesophagus of clinical contours end where the annotator stopped."""
    (case,) = made(described, ENTRY | {"partly": ["left kidney"]})
    volume = case.volume()
    drawn = np.flatnonzero((phantom(1).labels == 1).any((0, 1)))
    for name in ("left kidney", "kidney"):
        known = case.known(name, volume.geometry)
        assert np.array_equal(np.flatnonzero(known.all((0, 1))), drawn)
        assert np.array_equal(np.flatnonzero(known.any((0, 1))), drawn)
    assert case.known("right kidney", volume.geometry).all()


def test_voxels_of_unknown_numbers_are_known_to_be_nothing(described: Path) -> None:
    (case,) = made(described, ENTRY | {"other": [3], "unknown": [4]})
    known = case.known("left kidney", case.volume().geometry)
    assert np.array_equal(~known, phantom(1).labels == 4)
    canonical = case.canonical_unknown()
    assert canonical is not None
    assert canonical.shape == case.canonical_image().shape
    assert canonical.any()


def test_a_case_that_changed_since_is_refused(described: Path) -> None:
    (case,) = made(described, ENTRY)
    (described / "scan_1.nii.gz").unlink()
    with pytest.raises(InputNotFoundError):
        case.volume()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"names": {"1": "Left Kidney", "2": "right kidney"}},
            "labels_1.nii.gz: 'Left Kidney'.*Did you mean left kidney",
        ),
        ({"names": {"1": "left kidney", "2": "flux capacitor"}}, "'flux capacitor' is not among.*other"),
        ({"names": {"1": "left kidney"}}, "labels_1.nii.gz holds numbers without a name: 2"),
        ({"names": {"5": "left kidney"}, "other": [1, 2, 3, 4]}, "holds none of the numbers that are named"),
        ({"annotated": ["spleeen"]}, "'spleeen' is not among"),
        ({"modality": "XX"}, "not valid"),
        ({"image": "none.nii.gz"}, "none.nii.gz: There is no such file"),
    ],
)
def test_labels_that_contradict_their_description_are_refused(described, change, said):
    """tr1: what contradicted itself was dropped silently, or learnt as absent."""
    with pytest.raises(InputError) as caught:
        made(described, ENTRY | change)
    assert re.search(said, f"{caught.value.message} {caught.value.hint}")


def test_broken_descriptions_are_refused(described: Path) -> None:
    """tr1"""
    with pytest.raises(InputNotFoundError):
        open_source(described / "none.json")
    (described / "broken.json").write_text("{")
    with pytest.raises(InputError, match=r"broken\.json"):
        open_source(described / "broken.json")
    with pytest.raises(InputError):
        made(described, {"image": "x"})


def test_cases_of_one_patient_stay_in_one_split(described: Path) -> None:
    second = ENTRY | {"image": "scan_2.nii.gz", "labels": "labels_2.nii.gz"}
    data = made(described, ENTRY | {"patient": "p", "split": "validation"}, second | {"patient": "p"})
    assert [case.split for case in data] == ["validation", "validation"]
    assert [case.sample_id for case in data.of_patient("p")] == ["scan_1", "scan_2"]
    with pytest.raises(InputError, match="one patient"):
        made(
            described, ENTRY | {"patient": "p", "split": "train"}, second | {"patient": "p", "split": "test"}
        )


def test_splits_do_not_depend_on_order() -> None:
    patients = [(f"p{n}", None) for n in range(20)]
    forward = split_patients(patients, validation=0.2)
    assert forward == split_patients(patients[::-1], validation=0.2)
    assert sum(split == "validation" for split in forward.values()) == 4
    assert set(split_patients(patients[:2], validation=0.2).values()) == {"train"}


def test_an_odd_volume_is_named_in_the_report(described: Path) -> None:
    """A contour that was filled by mistake: 14 times as large as in every other patient."""
    from labelled_phantom import write_labels, write_scan

    entries = []
    for number in range(5):
        labels = np.zeros_like(phantom().labels)
        labels[10:12, 10:12, 5:10] = 1
        labels[4:8, 4:8, 5:8] = 2
        if number == 3:
            labels[10:17, 10:18, 5:10] = 1
        write_scan(described / f"s{number}.nii.gz")
        write_labels(described / f"l{number}.nii.gz", labels)
        entries.append(ENTRY | {"image": f"s{number}.nii.gz", "labels": f"l{number}.nii.gz"})
    made(described, *entries)
    page = (described / "set" / "report.html").read_text()
    assert re.search(r"s3: left kidney \(ct\) has 16\.8 ml; usual is 1\.2 ml", page)
    assert set(re.findall(r"(s\d): (?:left kidney|kidney|right kidney) \(ct\) has", page)) == {"s3"}
