"""``textsegment segment`` on DICOM: templates, derived structures, several outputs, names, reports."""

import json

import numpy as np
import pydicom
import pytest
from command_line import CHEST, textsegment
from made_dicom import write_series

from textsegment.files.dicom.reader import read_dicom
from textsegment.files.dicom_seg.reader import read_dicom_seg
from textsegment.files.images.seg_nrrd import read_seg_nrrd
from textsegment.geometry import Geometry
from textsegment.testing import FakeSegmenter, ball

AFFINE = np.array([[-3.0, 0, 0, 60], [0, -3, 0, 40], [0, 0, 4, -20], [0, 0, 0, 1]])
SHAPE = (48, 44, 30)

pytestmark = pytest.mark.usefixtures("fake_engine")


@pytest.fixture
def folder(tmp_path):
    write_series(tmp_path / "scan", stored(0), AFFINE)
    return tmp_path / "scan"


def stored(seed):
    return np.random.default_rng(seed).integers(900, 1200, SHAPE).astype(np.uint16)


def whole(name):
    return ball(name, Geometry(SHAPE, AFFINE))


def rois(path):
    return [str(roi.ROIName) for roi in pydicom.dcmread(path).StructureSetROISequence]


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


@pytest.mark.parametrize("name", ["older.rtstruct.dcm", "older.seg.dcm", "older.seg.nrrd"])
def test_structures_made_before_can_be_used(tmp_path, folder, name):
    older, new = tmp_path / name, tmp_path / "new.seg.nrrd"
    assert textsegment("segment", folder, "aorta, liver", "-o", older, "--naming", "sat").code == 0
    command = ("segment", folder, "liver", "-o", new, "--use", older, "--overwrite", "--derive")
    ended = textsegment(*command, "Rest = liver - (Aorta margin 6)")
    assert ended.code == 2
    assert "both a new structure and a given one" in ended.err
    command = ("segment", folder, "left kidney", *command[3:])
    ended = textsegment(*command, "Rest = liver + Left_Kidney - aorta")
    assert ended.code == 0, ended.err
    assert "structures that were given: liver, aorta" in " ".join(ended.out.split())
    result = read_seg_nrrd(new)
    assert [mask.structure for mask in result] == ["left kidney", "Rest"]
    expected = (whole("liver") | whole("left kidney")) & ~whole("aorta")
    assert np.array_equal(result.full_mask("Rest"), expected)
    assert "'spleen'" in textsegment(*command, "Rest = liver - spleen").err


def move(older, millimetres, *, only=None):
    """Move contours of the first region towards the head."""
    dataset = pydicom.dcmread(older)
    for contour in dataset.ROIContourSequence[0].ContourSequence[:only]:
        contour.ContourData[2::3] = [f"{float(z) + millimetres:.4f}" for z in contour.ContourData[2::3]]
    dataset.save_as(older)


def test_what_should_be_known_of_given_structures_reaches_everything(tmp_path, folder):
    """rt1: contours beside the slices: nothing is lost, and terminal, reports and every file say it."""
    older = tmp_path / "older.rtstruct.dcm"
    assert textsegment("segment", folder, "aorta, liver", "-o", older).code == 0
    move(older, 1.6)
    outputs = [tmp_path / name for name in ("plan.rtstruct.dcm", "plan.seg.dcm", "plan.seg.nrrd")]
    ended = textsegment(
        "segment", folder, "spinal cord", "--use", older, "--derive", "Near = A_Aorta margin 3",
        "--derive", "Rest = spinal cord - Near", *(part for path in outputs for part in ("-o", path)),
        "--json", tmp_path / "report.json", "--report", tmp_path / "report.html",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    said = "A_Aorta: Contours that lie beside the slices of the scan, by up to 1.6 mm"
    assert said in " ".join(ended.out.split())
    assert said in (tmp_path / "report.html").read_text()
    entries = {e["output"]: e for e in json.loads((tmp_path / "report.json").read_text())["structures"]}
    for name in ("Near", "Rest"):
        assert any(text.startswith(said) for text in entries[name]["warnings"]), name
        assert "contours_moved" in entries[name]["codes"]
    aorta = whole("aorta")
    assert entries["Near"]["voxels"] > aorta.sum()
    regions = {str(roi.ROIName): roi for roi in pydicom.dcmread(outputs[0]).StructureSetROISequence}
    assert said in regions["Near"].ROIDescription
    segments = {str(s.SegmentLabel): s for s in pydicom.dcmread(outputs[1]).SegmentSequence}
    assert said in segments["Rest"].SegmentDescription
    scan = read_dicom(folder)
    for read in (read_seg_nrrd(outputs[2]), read_dicom_seg(outputs[1], geometry=scan.volume.geometry)):
        assert any(said in warning for warning in read["Near"].warnings)


@pytest.mark.parametrize("name", ["older.rtstruct.dcm", "older.seg.dcm", "older.seg.nrrd"])
def test_what_a_file_says_of_a_structure_goes_on_in_the_next_one(tmp_path, folder, name):
    """rt1: two commands are no way round a warning."""
    first, older = tmp_path / "first.rtstruct.dcm", tmp_path / name
    assert textsegment("segment", folder, "aorta", "-o", first).code == 0
    move(first, 1.6)
    command = ("segment", folder)
    ended = textsegment(
        *command, "spinal cord", "--use", first, "--derive", "Near = A_Aorta margin 3", "-o", older
    )
    assert ended.code == 0, ended.err
    new = tmp_path / "new.rtstruct.dcm"
    ended = textsegment(*command, "liver", "--use", older, "--derive", "Rest = liver - Near", "-o", new)
    assert ended.code == 0, ended.err
    assert "Near: A_Aorta: Contours that lie beside" in " ".join(ended.out.split())
    (rest,) = [r for r in pydicom.dcmread(new).StructureSetROISequence if r.ROIName == "Rest"]
    assert "Contours that lie beside" in rest.ROIDescription


def test_a_structure_that_lost_everything_is_refused(tmp_path, folder):
    """rt1: a target drawn on other slices is not nothing."""
    older = tmp_path / "older.rtstruct.dcm"
    assert textsegment("segment", folder, "aorta, liver", "-o", older).code == 0
    move(older, 500)
    command = ("segment", folder, "spinal cord", "--use", older, "-o", tmp_path / "out.seg.nrrd", "--derive")
    ended = textsegment(*command, "Rest = spinal cord - A_Aorta")
    assert ended.code == 3
    assert "Nothing of 'A_Aorta' lies on the slices of this scan" in ended.err
    assert not (tmp_path / "out.seg.nrrd").exists()
    assert textsegment(*command, "Rest = spinal cord - Liver").code == 0


def test_what_should_be_known_of_a_structure_that_is_empty_is_said(tmp_path, folder):
    """rt1: the terminal passed over the warnings of structures without voxels."""
    older = tmp_path / "older.rtstruct.dcm"
    assert textsegment("segment", folder, "aorta, liver", "-o", older).code == 0
    move(older, 1.6)
    ended = textsegment(
        "segment", folder, "spinal cord", "--use", older, "--derive", "None = A_Aorta - A_Aorta",
        "-o", tmp_path / "out.seg.nrrd",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert "A_Aorta: Contours that lie beside the slices" in " ".join(ended.out.split())


def test_an_approved_set_is_extended_with_a_warning_and_another_phase_is_refused_at_once(
    tmp_path, folder, monkeypatch
):
    """rt2."""
    older, new = tmp_path / "older.rtstruct.dcm", tmp_path / "new.rtstruct.dcm"
    assert textsegment("segment", folder, "aorta", "-o", older).code == 0
    dataset = pydicom.dcmread(older)
    dataset.ApprovalStatus = "APPROVED"
    dataset.save_as(older)
    command = ("liver", "-o", new, "--append-to", older, "--json", tmp_path / "report.json")
    ended = textsegment("segment", folder, *command)
    assert ended.code == 0, ended.err
    said = "The structure set that was extended was approved by a person; the new one is not."
    assert f"! {said}" in " ".join(ended.out.split())
    assert said in json.loads((tmp_path / "report.json").read_text())["warnings"]
    new.unlink()

    def same_frame(image, k):
        image.FrameOfReferenceUID, image.StudyInstanceUID = (
            dataset.FrameOfReferenceUID,
            dataset.StudyInstanceUID,
        )

    write_series(tmp_path / "phase", stored(1), AFFINE, change=same_frame)
    monkeypatch.setattr(FakeSegmenter, "segment", None)
    for options in (command, ("liver", "-o", new, "--use", older, "--derive", "A = liver - A_Aorta")):
        ended = textsegment("segment", tmp_path / "phase", *options)
        assert ended.code == 3
        assert "made on other images than those of this scan" in ended.err
        assert not new.exists()


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


def test_no_input_is_overwritten(tmp_path, folder):
    older = tmp_path / "older.rtstruct.dcm"
    assert textsegment("segment", folder, "aorta", "-o", older).code == 0
    before = older.read_bytes()
    for options in (("--append-to", older), ("--use", older, "--derive", "A = liver - A_Aorta")):
        ended = textsegment("segment", folder, "liver", "-o", older, "--overwrite", *options)
        assert ended.code == 4
        assert "input" in ended.err
        assert older.read_bytes() == before


def test_structures_of_another_scan_are_refused(tmp_path, folder):
    write_series(tmp_path / "other", stored(1), AFFINE + np.diag([0, 0, 0.5, 0]))
    assert textsegment("segment", tmp_path / "other", "liver", "-o", tmp_path / "o.rtstruct.dcm").code == 0
    assert textsegment("segment", tmp_path / "other", "liver", "-o", tmp_path / "o.seg.nrrd").code == 0
    (tmp_path / "text.dcm").write_text("hello")
    for given, words in (
        ("o.rtstruct.dcm", "frame"),
        ("o.seg.nrrd", "another grid"),
        ("none.dcm", "no such file of structures"),
    ):
        command = ("segment", folder, "aorta", "--derive", "A = aorta - liver", "--use", tmp_path / given)
        ended = textsegment(*command, "-o", tmp_path / "out.seg.nrrd")
        assert ended.code == 3
        assert words in ended.err


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


@pytest.mark.parametrize("name", ["out.rtstruct.dcm", "out.seg.dcm"])
def test_dicom_of_another_image_is_refused_before_the_work(tmp_path, monkeypatch, name):
    monkeypatch.setattr(FakeSegmenter, "segment", None)
    ended = textsegment("segment", CHEST, "liver", "--modality", "CT", "-o", tmp_path / name)
    assert ended.code == 4
    assert "needs a scan that was read from DICOM" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_badly_anonymised_images_are_refused_before_the_work(tmp_path, monkeypatch):
    def without_identity(dataset, _):
        del dataset.SOPInstanceUID

    write_series(tmp_path / "scan", stored(0), AFFINE, change=without_identity)
    monkeypatch.setattr(FakeSegmenter, "segment", None)
    ended = textsegment("segment", tmp_path / "scan", "liver", "-o", tmp_path / "out.seg.dcm")
    assert ended.code == 4
    assert "identifiers" in ended.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--template", "elbow"], 2, "no such template"),
        (["--template", "mine.json"], 3, "no such template file"),
        (["liver", "--naming", "latin"], 2, "sat, tg263, snomed"),
        (["liver", "--derive", "A = liver +"], 2, "character 12"),
        (["liver", "--derive", "A = liver - spleen"], 2, "'spleen'"),
        (["liver", "--derive", "Liver = liver margin 3"], 2, "already"),
        (["liver", "--short-names"], 4, "structure set"),
        (["liver", "--append-to", "old.rtstruct.dcm"], 4, "structure set"),
        (["liver", "--report", "report.pdf"], 4, ".html"),
        (["liver", "--use", "old.rtstruct.dcm"], 2, "--derive"),
        (["liver", "--series", "99"], 3, "no series of this number"),
        (["liver", "-o", "out.dcm"], 4, ".rtstruct.dcm"),
    ],
)
def test_wishes_that_cannot_be_met(tmp_path, folder, monkeypatch, arguments, code, words):
    monkeypatch.chdir(tmp_path)
    ended = textsegment("segment", folder, *arguments, "-o", "out.seg.nrrd")
    assert ended.code == code, ended.err
    assert words in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["scan"]


@pytest.mark.parametrize(
    "text",
    [
        "liver - GTV", "PTV + 5mm", "union of lungs", "liver minus GTV", "heart, 5 mm around the spinal cord",
        "Rest = liver + heart", "brain excluding brainstem", "spinal cord PRV", "PTV",
    ],
)  # fmt: skip
def test_expressions_typed_as_text_lead_to_derive(tmp_path, folder, text):
    ended = textsegment("segment", folder, text, "-o", tmp_path / "out.seg.nrrd")
    assert ended.code == 2
    assert "--derive" in ended.err
    assert "--use" in ended.err


@pytest.mark.parametrize("text", ["no liver", "livr", "femur-neck"])
def test_other_refusals_keep_their_own_words(tmp_path, folder, text):
    ended = textsegment("segment", folder, text, "-o", tmp_path / "out.seg.nrrd")
    assert ended.code == 2
    assert "--derive" not in ended.err


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


def test_results_that_are_there_stay(tmp_path, folder):
    for name in ("out.rtstruct.dcm", "out.seg.dcm", "report.html"):
        (tmp_path / name).write_text("precious")
        output = (
            ("--report", tmp_path / name, "-o", tmp_path / "masks")
            if "html" in name
            else ("-o", tmp_path / name)
        )
        ended = textsegment("segment", folder, "liver", *output)
        assert ended.code == 4
        assert "--overwrite" in ended.err
        assert (tmp_path / name).read_text() == "precious"
    assert not (tmp_path / "masks").exists()


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
