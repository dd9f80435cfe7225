"""DICOM series on the page: voxels and place as the package reads them, asked about, or refused."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from made_dicom import write_enhanced, write_series
from made_jpeg import lossless_jpeg
from made_scans import ANISOTROPIC, MIRRORED, OBLIQUE, SHEARED, all_orientations, phantom
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    RLELossless,
)
from watched_page import PATIENCE_MS, Watched

from textsegment.files.dicom.reader import read_dicom
from textsegment.geometry import Geometry
from textsegment.volume import Volume
from textsegment.wire.volumes.codec import wire_volume

READ = """async (contents) => {
  const { readScan } = await import("/app/files/scan.js");
  const { Volume } = await import("/app/protocol/volume_codec.js");
  const files = contents.map((content, n) => new File(
    [Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))], `${n}.dcm`));
  try {
    const { grid, voxels, modality, warnings } = await readScan(files);
    return { shape: grid.shape, affine: grid.affine, modality, warnings,
      digest: await new Volume(grid, voxels, modality).digest() };
  } catch (problem) {
    return { code: problem.code, choices: problem.choices ?? [], message: String(problem.message) };
  }
}"""

STORED = phantom() + 300


@pytest.fixture(scope="module")
def page(browser, doubtful_server):
    """One page for all tests of this file, which change nothing on it."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    opened = Watched(context.new_page(), doubtful_server)
    opened.watch()
    yield opened.open()
    context.close()
    assert opened.faults == []


def read_by(page, folder: Path) -> dict:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return page.evaluate(READ, [base64.b64encode(file.read_bytes()).decode() for file in files])


def require_equal(page, folder: Path) -> None:
    found, expected = read_by(page, folder), read_dicom(folder)
    volume = expected.volume
    assert "code" not in found, found
    assert tuple(found["shape"]) == volume.geometry.spatial_shape
    affine = np.reshape(found["affine"], (4, 4))
    np.testing.assert_allclose(affine, volume.geometry.affine, atol=1e-6)
    same_place = Volume(volume.voxels, Geometry(tuple(found["shape"]), affine), volume.modality)
    assert found["digest"] == wire_volume(same_place).digest
    assert len(found["warnings"]) == len(volume.warnings), (found["warnings"], volume.warnings)


@pytest.mark.parametrize("number", range(0, 48, 5))
def test_in_all_directions(page, tmp_path, number):
    write_series(tmp_path, STORED, all_orientations()[number])
    require_equal(page, tmp_path)


@pytest.mark.parametrize("affine", [OBLIQUE, MIRRORED, SHEARED, ANISOTROPIC], ids=str)
def test_oblique_mirrored_and_tilted(page, tmp_path, affine):
    write_series(tmp_path, STORED, affine)
    require_equal(page, tmp_path)


def implicit(dataset: Dataset, k: int) -> None:
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    nest(dataset, k)


def deflated(dataset: Dataset, k: int) -> None:
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    nest(dataset, k)


def nest(dataset: Dataset, k: int) -> None:
    """Sequences of known and unknown length in front of the pixels, and a long private element."""
    inner = Dataset()
    inner.CodeValue = "x"
    inner.RescaleSlope = "77"
    sequence = Sequence([inner, Dataset()])
    sequence.is_undefined_length = k % 2 == 0
    dataset.ProcedureCodeSequence = sequence
    dataset["ProcedureCodeSequence"].is_undefined_length = k % 2 == 0
    dataset.private_block(0x0029, "PRIVATE", create=True).add_new(0x10, "OB", bytes(20000))


def signed(dataset: Dataset, k: int) -> None:
    dataset.PixelRepresentation = 1
    dataset.PixelData = (STORED[:, :, k].T - 400).astype("<i2").tobytes()


def few_bits(dataset: Dataset, k: int) -> None:
    dataset.BitsStored, dataset.HighBit = 12, 11


def half_steps(dataset: Dataset, k: int) -> None:
    dataset.RescaleSlope, dataset.RescaleIntercept = "0.5", "-3.25"


def own_steps(dataset: Dataset, k: int) -> None:
    dataset.RescaleSlope = str(1 + k)


def moved(dataset: Dataset, k: int) -> None:
    """Uneven distances."""
    z = float(dataset.ImagePositionPatient[2]) + (0.8 if k in (2, 3) else 0)
    dataset.ImagePositionPatient = [*dataset.ImagePositionPatient[:2], z]


def run_lengths(dataset: Dataset, k: int) -> None:
    dataset.compress(RLELossless)


def jpeg(dataset: Dataset, k: int) -> None:
    """Lossless JPEG as GDCM writes it; in two fragments, which the standard allows."""
    values = STORED[:, :, k].T - (400 if k % 2 else 0)
    dataset.PixelRepresentation = k % 2
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "one.dcm")
        image = sitk.GetImageFromArray(values.astype(np.int16 if k % 2 else np.uint16)[None])
        writer = sitk.ImageFileWriter()
        writer.SetFileName(path)
        writer.UseCompressionOn()
        writer.SetCompressor("JPEG")
        writer.Execute(image)
        written = pydicom.dcmread(path)
    assert written.file_meta.TransferSyntaxUID == JPEGLosslessSV1
    (frame,) = generate_frames(written.PixelData, number_of_frames=1)
    dataset.PixelData = encapsulate([frame], fragments_per_frame=2)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1


def bare(dataset: Dataset, k: int) -> None:
    del dataset.RescaleSlope, dataset.RescaleIntercept


@pytest.mark.parametrize(
    "change",
    [implicit, deflated, nest, signed, few_bits, half_steps, own_steps, moved, run_lengths, jpeg, bare],
)
def test_however_it_is_written(page, tmp_path, change: Callable[[Dataset, int], None]):
    write_series(tmp_path, STORED, all_orientations()[0], change=change)
    require_equal(page, tmp_path)


@pytest.mark.parametrize("predictor", range(1, 8))
def test_lossless_jpeg_with_every_predictor(page, predictor):
    """Noise over the whole range, so that every size of a difference occurs; restarts, and lost bits."""
    samples = np.random.default_rng(predictor).integers(0, 2**16, (11, 13), dtype=np.uint16)
    samples[4:7] = 2**15
    shift = predictor % 3
    content = lossless_jpeg(samples, predictor, shift=shift, restart_rows=predictor % 4)
    found = page.evaluate(
        """async (content) => {
          const { decodeLossless } = await import("/app/dicom/jpeg_lossless.js");
          const { width, height, samples } = decodeLossless(Uint8Array.from(content));
          return [height, width, [...samples]];
        }""",
        list(content),
    )
    assert found == [11, 13, (samples >> shift << shift).ravel().tolist()]


@pytest.mark.parametrize("kind", [run_lengths, jpeg])
def test_cut_off_compression_is_refused(page, tmp_path, kind):
    """A picture is never made up to its end."""

    def cut(dataset: Dataset, k: int) -> None:
        kind(dataset, k)
        (frame,) = generate_frames(dataset.PixelData, number_of_frames=1)
        dataset.PixelData = encapsulate([frame[:-12]])

    write_series(tmp_path, STORED, OBLIQUE, change=cut)
    assert read_by(page, tmp_path)["code"] == "input_unreadable"


def test_missing_slices_are_filled_in_and_said(page, tmp_path):
    paths = write_series(tmp_path, STORED, OBLIQUE)
    paths[3].unlink()
    require_equal(page, tmp_path)


def test_enhanced_multiframe(page, tmp_path):
    write_enhanced(
        tmp_path / "a.dcm", STORED, SHEARED, order=[3, 0, 1, 2, 6, 5, 4], slopes=[1, 2, 3, 4, 5, 6, 7]
    )
    require_equal(page, tmp_path)


def test_enhanced_multiframe_with_run_lengths(page, tmp_path):
    write_enhanced(tmp_path / "a.dcm", STORED, SHEARED, order=[3, 0, 1, 2, 6, 5, 4], compression=RLELossless)
    require_equal(page, tmp_path)


@pytest.mark.parametrize("correction", ["START", "ADMIN", "NONE"])
def test_pet_becomes_suv(page, tmp_path, correction):
    def pet(dataset: Dataset, k: int) -> None:
        dataset.Units, dataset.DecayCorrection, dataset.PatientWeight = "BQML", correction, "71.5"
        dataset.SeriesDate, dataset.SeriesTime = "20240102", "001530"
        dataset.AcquisitionDate, dataset.AcquisitionTime = "20240102", f"0015{k:02}.25"
        info = Dataset()
        info.RadionuclideTotalDose, info.RadionuclideHalfLife = "251000000", "6586.2"
        info.RadiopharmaceuticalStartTime = "231201.5"
        dataset.RadiopharmaceuticalInformationSequence = [info]

    write_series(tmp_path, STORED, OBLIQUE, modality="PT", intercept=0, change=pet)
    require_equal(page, tmp_path)


def test_several_series_are_asked_about_and_scouts_are_not(page, tmp_path):
    write_series(tmp_path / "a", STORED, OBLIQUE)
    write_series(tmp_path / "scout", STORED[:, :, :2], SHEARED, series_number=1)
    (tmp_path / "notes.txt").write_text("no image")
    require_equal(page, tmp_path)
    write_series(tmp_path / "b", STORED, OBLIQUE, series_number=4, modality="MR")
    found = read_by(page, tmp_path)
    assert found["choices"] == ["series 3 (CT, 7 slices)", "series 4 (MR, 7 slices)"]


def twice(dataset: Dataset, k: int) -> None:
    dataset.ImagePositionPatient = [0, 0, k // 2]


def turned(dataset: Dataset, k: int) -> None:
    if k > 2:
        dataset.ImageOrientationPatient = [0, 1, 0, 0, 0, 1]


def sideways(dataset: Dataset, k: int) -> None:
    dataset.ImagePositionPatient = [(k * 7) % 5, 0, k]


def coloured(dataset: Dataset, k: int) -> None:
    dataset.PhotometricInterpretation = "RGB"


def placeless(dataset: Dataset, k: int) -> None:
    del dataset.ImagePositionPatient


def of_another_kind(dataset: Dataset, k: int) -> None:
    dataset.Modality = "US"


def packed(dataset: Dataset, k: int) -> None:
    dataset.PixelData = encapsulate([b"not decoded here"])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (twice, "volume_invalid"),
        (turned, "geometry_invalid"),
        (sideways, "geometry_invalid"),
        (coloured, "volume_invalid"),
        (placeless, "geometry_invalid"),
        (of_another_kind, "modality_unsupported"),
        (packed, "input_unreadable"),
    ],
)
def test_what_makes_no_grid_is_refused(page, tmp_path, change, code):
    write_series(tmp_path, STORED, all_orientations()[0], change=change)
    found = read_by(page, tmp_path)
    assert found.get("code") == code, found
    assert found["message"].endswith(".")


def test_half_a_file_is_refused(page, tmp_path):
    for path in write_series(tmp_path, STORED, OBLIQUE):
        path.write_bytes(path.read_bytes()[:-20])
    assert read_by(page, tmp_path)["code"] == "input_unreadable"
