"""Images that cannot be segmented, or only with a warning, through the whole command line."""

import gzip
import json

import nibabel as nib
import nrrd
import numpy as np
import pytest
from command_line import CHEST, textsegment

from textsegment.files.reading import read_volume

pytestmark = pytest.mark.usefixtures("engine")

SHAPE = (20, 18, 12)
VOXELS = np.random.default_rng(0).integers(-100, 200, SHAPE).astype(np.int16)


def nifti(path, voxels=VOXELS, sform=None, qform=None):
    image = nib.Nifti1Image(voxels, np.eye(4))
    image.set_sform(np.diag([3.0, 3.0, 3.0, 1.0]) if sform is None else sform, code=1)
    image.set_qform(np.eye(4) if qform is None else qform, code=0 if qform is None else 1)
    nib.save(image, path)


def truncated(path):
    nifti(path)
    path.write_bytes(path.read_bytes()[:-400])


def with_value(value):
    def make(path):
        voxels = VOXELS.astype(np.float32)
        voxels[3, 4, 5] = value
        nifti(path, voxels)

    return make


def with_header_bytes(offset, value):
    def make(path):
        nifti(path)
        data = bytearray(gzip.decompress(path.read_bytes()))
        data[offset : offset + len(value)] = value
        path.write_bytes(gzip.compress(bytes(data)))

    return make


def colour(path):
    pixels = np.zeros(SHAPE, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(pixels, np.eye(4)), path)


SINGULAR = np.diag([3.0, 3.0, 0.0, 1.0])
BAD = {
    "empty": (lambda path: path.write_bytes(b""), "input_unreadable"),
    "garbage": (lambda path: path.write_bytes(b"\x00garbage" * 99), "input_unreadable"),
    "truncated": (truncated, "input_unreadable"),
    "two dimensions": (lambda path: nifti(path, VOXELS[:, :, 0]), "volume_invalid"),
    "four dimensions": (lambda path: nifti(path, np.stack([VOXELS] * 2, -1)), "volume_invalid"),
    "negative dimension": (with_header_bytes(42, np.int16(-20).tobytes()), "geometry_invalid"),
    "zero dimension": (with_header_bytes(42, np.int16(0).tobytes()), "geometry_invalid"),
    "complex": (lambda path: nifti(path, VOXELS.astype(np.complex64)), "volume_invalid"),
    "colour": (colour, "volume_invalid"),
    "NaN": (with_value(np.nan), "volume_invalid"),
    "beyond float32": (with_value(1e35), "volume_invalid"),
    "infinite": (with_value(np.inf), "volume_invalid"),
    "constant": (lambda path: nifti(path, np.full(SHAPE, 7, np.int16)), "volume_invalid"),
    "singular affine": (lambda path: nifti(path, sform=SINGULAR), "geometry_invalid"),
    "NaN affine": (with_header_bytes(300, np.float32(np.nan).tobytes()), "geometry_invalid"),
}


@pytest.mark.parametrize("name", BAD)
def test_refused_with_a_typed_error_and_nothing_written(tmp_path, name):
    """Faults 9 to 17, as files."""
    make, code = BAD[name]
    path = tmp_path / "doe^john.nii.gz"
    make(path)
    ended = textsegment("segment", path, "liver", "-o", tmp_path / "out.seg.nrrd", "--modality", "CT")
    assert ended.code == 3, ended.err
    assert f"[{code}]" in ended.err
    assert "Traceback" not in ended.err
    assert "doe" not in ended.err
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_zero_spacing_in_nrrd(tmp_path):
    """Fault 17."""
    directions = np.diag([3.0, 0.0, 3.0])
    header = {"space": "LPS", "space directions": directions, "space origin": np.zeros(3)}
    nrrd.write(str(tmp_path / "scan.nrrd"), VOXELS, header)
    ended = textsegment("segment", tmp_path / "scan.nrrd", "liver", "-o", tmp_path / "out.seg.nrrd")
    assert ended.code == 3
    assert "[geometry_invalid]" in ended.err


@pytest.mark.parametrize("name", ["scan.txt", "scan.jpg", "scan.dcm", "scan", "folder"])
def test_no_image_at_all(tmp_path, name):
    path = tmp_path / name
    path.mkdir() if name == "folder" else path.write_text("patient John Doe")
    ended = textsegment("segment", path, "liver", "-o", tmp_path / "out.seg.nrrd")
    assert ended.code == 3
    assert "Doe" not in ended.err


def test_warnings_reach_the_user(tmp_path):
    """Faults 22 to 25: sheared, thin, two geometries that differ, asked twice: it runs, and says so."""
    sheared = np.array([[3.0, 0, 0, 0], [0, 3, 4, 0], [0, 0, 30, 0], [0, 0, 0, 1]])
    voxels = np.full((20, 18, 3), -1000, np.int16)
    voxels[3:17, 3:15] = VOXELS[3:17, 3:15, :3]
    nifti(tmp_path / "scan.nii.gz", voxels, sform=sheared, qform=np.diag([3.0, 3.0, 30.0, 1.0]))
    outputs = ("-o", tmp_path / "out.seg.nrrd", "--json", tmp_path / "report.json")
    ended = textsegment("segment", tmp_path / "scan.nii.gz", "urinary bladder, urinary bladder", *outputs)
    assert ended.code == 0, ended.err
    report = json.loads((tmp_path / "report.json").read_text())
    shown = " ".join(ended.out.split())
    for words in ("sheared", "anisotropic", "guessed", "twice", "qform"):
        assert any(words in warning for warning in report["warnings"]), words
        assert words in shown
    assert len(report["structures"]) == 1


def test_a_structure_outside_the_image_is_said_to_be_missing(tmp_path):
    """Fault 26."""
    out, report = tmp_path / "out.seg.nrrd", tmp_path / "report.json"
    command = ("urinary bladder, sacrum", "-o", out, "--json", report, "--modality", "CT")
    ended = textsegment("segment", CHEST, *command)
    assert ended.code == 0, ended.err
    entries = json.loads(report.read_text())["structures"]
    missing = [entry for entry in entries if entry["state"] == "not found"]
    assert missing, "a chest holds no bladder"
    assert all(entry["voxels"] == 0 and entry["mean_confidence"] is None for entry in missing)
    assert ended.out.count("not found") == len(missing)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda hu: hu + 1024, "not_hounsfield_shifted"),
        (lambda hu: (hu.clip(-1000, 3000) + 1000) / 16, "not_hounsfield_scaled"),
        (lambda hu: hu.astype(np.int16).view(np.uint16), "not_hounsfield_wrapped"),
    ],
)
def test_a_ct_in_another_unit_is_said_on_terminal_report_and_page(tmp_path, make, code):
    """io4: silent wrong masks."""
    hu = read_volume(CHEST, modality="CT").voxels.clip(-1024, None)
    nifti(
        tmp_path / "scan.nii.gz", make(hu.astype(np.float32)).astype(np.uint16), sform=np.diag([3.0, 3, 7, 1])
    )
    outputs = (
        "-o",
        tmp_path / "out.seg.nrrd",
        "--json",
        tmp_path / "r.json",
        "--report",
        tmp_path / "r.html",
    )
    ended = textsegment("segment", tmp_path / "scan.nii.gz", "liver", "--modality", "CT", *outputs)
    assert ended.code == 0, ended.err
    report = json.loads((tmp_path / "r.json").read_text())
    assert code in report["codes"]
    assert "no Hounsfield units" in " ".join(ended.out.split())
    assert "no Hounsfield units" in (tmp_path / "r.html").read_text()
