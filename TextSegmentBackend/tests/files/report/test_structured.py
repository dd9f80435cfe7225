"""The report as a Basic Text SR: what it says, and what it has against the standard."""

import numpy as np
import pydicom
import pytest
from iod_check import standard_errors
from made_dicom import write_series

from textsegment.files.dicom.reader import read_dicom
from textsegment.files.report.structured import write_structured_report
from textsegment.files.report.summary import make_report
from textsegment.testing import FakeSegmenter

AFFINE = np.array([[-3.0, 0, 0, 60], [0, -3, 0, 40], [0, 0, 4, -20], [0, 0, 0, 1]])


@pytest.fixture
def scan(tmp_path):
    stored = np.random.default_rng(0).integers(900, 1200, (32, 30, 12)).astype(np.uint16)
    write_series(tmp_path / "scan", stored, AFFINE)
    return read_dicom(tmp_path / "scan")


def written(scan, path, **more):
    result = FakeSegmenter().segment(scan.volume, ["liver", "spleen"])
    report = make_report(scan.volume, result, names={"liver": "Liver"}, **more)
    write_structured_report(report, scan.source, path)
    return pydicom.dcmread(path)


def texts(dataset):
    return [str(item.TextValue) for item in dataset.ContentSequence if item.ValueType == "TEXT"]


def test_it_says_what_the_page_says(scan, tmp_path):
    dataset = written(
        scan, tmp_path / "r.dcm", missing={"Not in the model": ["PenileBulb"]}, notes=["A note."]
    )
    said = texts(dataset)
    assert said[0].startswith("Unapproved. Made by a machine")
    assert any(text.startswith("Liver: ") and text.endswith("confidence 0.75.") for text in said)
    assert "spleen: not found." in said
    assert "Not in the model: PenileBulb." in said
    assert "Not found in this image: spleen." in said
    assert "A note." in said
    assert (dataset.CompletionFlag, dataset.VerificationFlag) == ("PARTIAL", "UNVERIFIED")
    assert dataset.SeriesNumber == 3003
    assert dataset.PatientID == "SECRET-ID"
    (study,) = dataset.CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    assert len(series.ReferencedSOPSequence) == 12


def test_it_keeps_to_the_standard(scan, tmp_path):
    written(scan, tmp_path / "r.dcm")
    assert standard_errors(tmp_path / "r.dcm") == []


def test_any_script(scan, tmp_path):
    assert "左肺 Größe" in texts(written(scan, tmp_path / "r.dcm", notes=["左肺 Größe"]))
