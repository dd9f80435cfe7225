"""Structure sets and segmentations of the page: what the package writes, and nothing leaves for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
import pytest
from iod_check import standard_errors
from made_dicom import write_enhanced, write_series
from made_scans import OBLIQUE, SHEARED, phantom
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian
from watched_page import Watched, ask, drop, saved, wait_for_masks

from textsegment.client.remote import RemoteSegmenter
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.dicom_seg.reader import read_dicom_seg
from textsegment.files.dicom_seg.writer import write_dicom_seg
from textsegment.files.rtstruct.revision import read_set, untouched
from textsegment.files.rtstruct.writer import write_rtstruct

RECORD = """
  window.sent = [];
  const send = window.fetch;
  window.fetch = async (path, options) => {
    window.sent.push(await new Response(options?.body ?? "").text());
    return send(path, options);
  };
"""
NAMES = ("liver", "left kidney", "kidney tumor", "spleen")
STORED = phantom((26, 22, 9)) % 1000
# What is new in every file, and what only one of the two writers says.
APART = {
    "SOPInstanceUID", "SeriesInstanceUID", "DimensionOrganizationUID", "TrackingUID",
    "InstanceCreationDate", "InstanceCreationTime", "SeriesDate", "SeriesTime", "ContentDate", "ContentTime",
    "StructureSetDate", "StructureSetTime", "ROIDisplayColor", "RecommendedDisplayCIELabValue",
    "ContributingEquipmentSequence", "SpecificCharacterSet",
}  # fmt: skip


def content(dataset: Dataset) -> dict[str, Any]:
    """Everything in a data set but what is new in every file; numbers to a tenth of a micrometre."""
    found: dict[str, Any] = {}
    for element in dataset:
        if element.keyword in APART and not (
            element.keyword == "SeriesInstanceUID" and "ContourImageSequence" in dataset
        ):
            continue
        value = element.value
        if element.VR == "SQ":
            value = [content(item) for item in value]
        elif element.VR in ("DS", "FD"):
            value = np.round(np.atleast_1d(np.array(value or [], dtype=float)), 4).tolist()
        elif element.VR == "PN":
            value = str(value)
        found[element.keyword] = value
    return found


def with_odd_patient(dataset: Dataset, k: int) -> None:
    """Names in another character set, a time zone, codes in a file that does not say what they are."""
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.PatientName = "Sécret^Jörg"
    dataset.TimezoneOffsetFromUTC = "-0330"
    dataset.StudyDescription = "Übersicht"
    dataset.PatientSize = "1.79"
    species = Dataset()
    species.CodeValue, species.CodingSchemeDesignator, species.CodeMeaning = "448771007", "SCT", "Dog"
    dataset.PatientSpeciesCodeSequence = [species]
    dataset.LossyImageCompression, dataset.LossyImageCompressionMethod = "01", "ISO_10918_1"
    dataset.LossyImageCompressionRatio = "12.5"
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian


def made(folder: Path, kind: str) -> None:
    if kind == "enhanced":
        write_enhanced(folder / "a.dcm", STORED, OBLIQUE, order=[3, 0, 1, 2, 6, 5, 4, 8, 7])
    elif kind == "gap":
        write_series(folder, STORED, SHEARED, change=with_odd_patient)[4].unlink()
    else:
        write_series(folder, STORED, OBLIQUE)


@pytest.mark.parametrize("kind", ["plain", "gap", "enhanced"])
def test_the_page_writes_what_the_package_writes(doubted: Watched, tmp_path, kind):
    folder = tmp_path / "scan"
    folder.mkdir()
    made(folder, kind)
    doubted.page.add_init_script(RECORD)
    page = doubted.open()
    drop(page, *sorted(folder.iterdir()))
    names = [name for name in NAMES if kind != "enhanced" or "tumor" not in name]  # not known in MR
    page.uncheck("#tidy")
    ask(page, ", ".join(names))
    wait_for_masks(page, len(names))
    files = {n: saved(page, f"#save_{n}", tmp_path / f"{n}.dcm") for n in ("rtstruct", "seg")}
    scan = read_dicom(folder)
    with RemoteSegmenter(doubted.server.url) as segmenter:
        expected = segmenter.segment(scan.volume, names)
    write_rtstruct(expected, scan.source, tmp_path / "expected_rtstruct.dcm")
    write_dicom_seg(expected, scan.source, tmp_path / "expected_seg.dcm", segmentation_type="binary")
    for name, path in files.items():
        ours, theirs = (pydicom.dcmread(file) for file in (path, tmp_path / f"expected_{name}.dcm"))
        assert content(ours) == content(theirs)
        assert ours.file_meta.TransferSyntaxUID == theirs.file_meta.TransferSyntaxUID
        assert standard_errors(path) == standard_errors(tmp_path / f"expected_{name}.dcm")
    regions = read_set(files["rtstruct"]).StructureSetROISequence
    assert untouched(read_set(files["rtstruct"])) == {int(region.ROINumber) for region in regions}
    colors = [
        np.array(item.RecommendedDisplayCIELabValue, float)
        for item in pydicom.dcmread(files["seg"]).SegmentSequence
    ]
    assert len({tuple(color) for color in colors}) == len(colors)
    found = read_dicom_seg(files["seg"], geometry=scan.volume.geometry, source=scan.source)
    for mask in found:
        np.testing.assert_array_equal(found.full_mask(mask.structure), expected.full_mask(mask.structure))
    by_others = {
        description.segment_label: int(pixels.sum())
        for pixels, _, description in hd.seg.segread(files["seg"]).iter_segments()
    }
    assert by_others == {mask.structure: int(mask.mask.sum()) for mask in expected if mask.mask.any()}
    sent = page.evaluate("window.sent")
    assert not any("cret" in body or "SECRET" in body for body in sent)
    assert any(body.startswith("TSO1") for body in sent)
