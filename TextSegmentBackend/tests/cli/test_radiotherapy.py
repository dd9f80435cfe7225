"""``textsegment segment`` on DICOM: templates, derived structures, several outputs, names, reports."""

import json

import numpy as np
import pydicom
import pytest
from command_line import CHEST, textsegment
from made_dicom import write_series
from planning_scan import AFFINE, rois, stored, whole

from textsegment.files.dicom.reader import read_dicom
from textsegment.files.dicom_seg.reader import read_dicom_seg
from textsegment.files.images.seg_nrrd import read_seg_nrrd

pytestmark = pytest.mark.usefixtures("fake_engine")


def test_a_template_into_every_format_at_once(tmp_path, folder):
    outputs = [tmp_path / name for name in ("plan.rtstruct.dcm", "plan.seg.dcm", "masks", "all.seg.nrrd")]
    ended = textsegment(
        "segment", folder, "--template", "prostate",
        *(part for path in outputs for part in ("-o", path)),
        "--json", tmp_path / "report.json", "--report", tmp_path / "report.html",
        "--preview", tmp_path / "picture.png",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert "Not in the model: PenileBulb." in ended.out
    for path in outputs:
        assert str(path) in ended.out.replace("\n", "")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["template"] == "oar_pelvis_prostate"
    assert report["missing"] == {"Not in the model": ["PenileBulb"]}
    names = {entry["output"]: entry["name"] for entry in report["structures"]}
    assert names["Femur_Head_L"] == "head of left femur"
    assert sorted(rois(outputs[0])) == sorted(names)
    assert sorted(path.name for path in outputs[2].iterdir()) == sorted(f"{n}.nii.gz" for n in names)
    scan = read_dicom(folder)
    segmented, nrrd = read_dicom_seg(outputs[1], geometry=scan.volume.geometry), read_seg_nrrd(outputs[3])
    assert [mask.structure for mask in nrrd] == list(names)
    for output, structure in names.items():
        assert np.array_equal(segmented.full_mask(output), whole(structure))
        assert np.array_equal(nrrd.full_mask(output), whole(structure))
    assert (tmp_path / "report.html").stat().st_size > 10_000
    assert (tmp_path / "picture.png").exists()


def test_text_template_and_derived_structures_together(tmp_path, folder):
    ended = textsegment(
        "segment", folder, "left lung, right lung", "--template", "prostate",
        "--derive", "Lungs = left lung + Lung_R", "--derive", "Bladder_PRV05 = bladder margin 5",
        "-o", tmp_path / "out.seg.dcm", "--json", tmp_path / "report.json", "--naming", "tg263",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    entries = {e["output"]: e for e in json.loads((tmp_path / "report.json").read_text())["structures"]}
    assert {"Lung_L", "Lung_R", "Bladder", "Lungs", "Bladder_PRV05"} <= set(entries)
    assert entries["Lungs"]["recipe"] == 'Lungs = "left lung" + "Lung_R"'
    assert entries["Lung_L"]["recipe"] is None
    assert entries["Bladder_PRV05"]["volume_ml"] > entries["Bladder"]["volume_ml"]
    back = read_dicom_seg(tmp_path / "out.seg.dcm", geometry=read_dicom(folder).volume.geometry)
    assert np.array_equal(back.full_mask("Lungs"), whole("left lung") | whole("right lung"))
    described = {
        str(item.SegmentLabel): str(item.SegmentDescription)
        for item in pydicom.dcmread(tmp_path / "out.seg.dcm").SegmentSequence
    }
    recipe, note = described["Bladder_PRV05"].split(". Note: ")
    assert recipe == 'Bladder_PRV05 = "bladder" margin 5 mm'
    assert note.startswith("Bladder_PRV05: on this grid the margin is")


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ((), ["Kidney_L", "Liver"]),
        (("--naming", "sat"), ["left kidney", "liver"]),
        (("--naming", "snomed"), ["Left Kidney", "Liver"]),
    ],
)
def test_names_in_a_structure_set(tmp_path, folder, options, names):
    ended = textsegment("segment", folder, "left kidney, liver", "-o", tmp_path / "rtstruct.dcm", *options)
    assert ended.code == 0, ended.err
    assert rois(tmp_path / "rtstruct.dcm") == names


def test_names_elsewhere_are_those_of_the_model(tmp_path, folder):
    assert textsegment("segment", folder, "left kidney", "-o", tmp_path / "masks").code == 0
    assert (tmp_path / "masks" / "left_kidney.nii.gz").exists()


def test_labels_descriptions_and_scripts_of_names_can_be_chosen(tmp_path, folder):
    """rt5."""
    plan, masks = tmp_path / "plan.rtstruct.dcm", tmp_path / "plan.seg.dcm"
    command = (
        "segment",
        folder,
        "left lung",
        "--derive",
        "左肺 = left lung margin 3",
        "-o",
        plan,
        "-o",
        masks,
    )
    ended = textsegment(*command)
    assert ended.code == 0, ended.err
    assert rois(plan) == ["Lung_L", "ROI"]
    assert "左肺 as ROI" in ended.out
    options = ("--label", "Boost", "--series-description", "Week 3", "--unicode-names", "--overwrite")
    ended = textsegment(*command, *options)
    assert ended.code == 0, ended.err
    assert rois(plan) == ["Lung_L", "左肺"]
    for path in (plan, masks):
        dataset = pydicom.dcmread(path)
        assert dataset.SeriesDescription == "Week 3"
        assert "Boost" in (dataset.get("StructureSetLabel"), dataset.get("ContentDescription"))
    for bad in (("--label", "x" * 17), ("--series-description", "a\\b"), ("--label", "肝")):
        ended = textsegment(*command, "--overwrite", *bad)
        assert ended.code == 2, bad
    ended = textsegment("segment", folder, "liver", "-o", tmp_path / "out.seg.nrrd", "--label", "Boost")
    assert ended.code == 4
    assert "concern DICOM objects" in ended.err


def test_the_kind_of_a_segmentation_can_be_chosen(tmp_path, folder):
    """rt5."""
    out = tmp_path / "out.seg.dcm"
    command = ("segment", folder, "-o", out, "--overwrite", "--naming", "sat")
    for kind in ("labelmap", "binary"):
        ended = textsegment(*command[:2], "left kidney, left lung", *command[2:], "--segmentation-type", kind)
        assert ended.code == 0, ended.err
        assert pydicom.dcmread(out).SegmentationType == kind.upper()
        read = read_dicom_seg(out, geometry=read_dicom(folder).volume.geometry)
        assert [mask.structure for mask in read] == ["left kidney", "left lung"]
    overlapping = (*command[:2], "liver", "--derive", "Near = liver margin 6", *command[2:])
    assert textsegment(*overlapping, "--segmentation-type", "labelmap").code == 4
    assert textsegment(*command[:2], "liver", *command[2:], "--segmentation-type", "map").code == 2


def test_short_names_and_an_older_structure_set(tmp_path, folder):
    old, new = tmp_path / "old.rtstruct.dcm", tmp_path / "new.rtstruct.dcm"
    text = "left gluteus maximus, liver"
    assert textsegment("segment", folder, "spinal cord", "-o", old).code == 0
    ended = textsegment("segment", folder, text, "-o", new, "--short-names", "--append-to", old)
    assert ended.code == 0, ended.err
    assert rois(new)[0] == "SpinalCord"
    assert len(rois(new)) == 3
    assert all(len(name) <= 16 for name in rois(new))
    assert rois(old) == ["SpinalCord"]


def test_one_of_several_series(tmp_path):
    for number in (3, 7):
        write_series(tmp_path / "scan" / str(number), stored(number), AFFINE, series_number=number)
    output = ("-o", tmp_path / "out.seg.dcm")
    ended = textsegment("segment", tmp_path / "scan", "liver", *output)
    assert ended.code == 3
    assert "series" in ended.err
    assert textsegment("segment", tmp_path / "scan", "liver", *output, "--series", "7").code == 0
    dataset = pydicom.dcmread(tmp_path / "out.seg.dcm")
    seventh = pydicom.dcmread(next((tmp_path / "scan" / "7").iterdir()))
    assert dataset.ReferencedSeriesSequence[0].SeriesInstanceUID == seventh.SeriesInstanceUID


def test_what_was_not_found_is_left_out_and_said(tmp_path, folder):
    ended = textsegment("segment", folder, "liver, spleen", "-o", tmp_path / "out.seg.dcm")
    assert ended.code == 0
    assert "not in the DICOM segmentation: spleen" in " ".join(ended.out.split())
    ended = textsegment("segment", folder, "spleen", "-o", tmp_path / "none.seg.dcm")
    assert ended.code == 4
    assert "nothing to write" in ended.err
    assert not (tmp_path / "none.seg.dcm").exists()


def test_no_patient_data_outside_of_dicom(tmp_path, folder):
    """Fault 43."""
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    ended = textsegment(
        "segment", folder, "liver", "-o", outputs / "out.seg.nrrd", "-o", f"{outputs}/masks/",
        "--json", outputs / "report.json", "--report", outputs / "report.html",
        "--preview", outputs / "picture.png", "-o", tmp_path / "out.seg.dcm",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    first = pydicom.dcmread(next(folder.iterdir()))
    secrets = ["Secret", "SECRET", str(first.StudyInstanceUID), str(first.SeriesInstanceUID)]
    texts = [ended.out, ended.err, *(path.name for path in outputs.rglob("*"))]
    texts += [path.read_bytes().decode("latin-1") for path in outputs.rglob("*") if path.is_file()]
    assert not [secret for secret in secrets for text in texts if secret in text]
    assert pydicom.dcmread(tmp_path / "out.seg.dcm").PatientID == "SECRET-ID"


def test_many_images_by_a_template(tmp_path):
    scans = tmp_path / "scans"
    scans.mkdir()
    for name in ("a.nrrd", "b.nrrd"):
        (scans / name).write_bytes(CHEST.read_bytes())
    command = (
        "segment", scans, "--template", "thorax", "-o", f"{tmp_path}/results/", "--modality", "CT",
        "--report", "page.html", "--derive", "Rest = Lungs - Heart",
    )  # fmt: skip
    ended = textsegment(*command)
    assert ended.code == 0, ended.err
    names = {path.name for path in (tmp_path / "results" / "a").iterdir()}
    assert {"page.html", "report.json", "Lungs.nii.gz", "Rest.nii.gz"} <= names
    assert "kept" in textsegment(*command).out
    assert "kept" not in textsegment(*command[:-1], "Rest = Lungs & Heart", "--overwrite").out
    refused = textsegment(
        "segment", scans, "liver", "-o", tmp_path / "a", "-o", tmp_path / "b", "--modality", "CT"
    )
    assert refused.code == 4
