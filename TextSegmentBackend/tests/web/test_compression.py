"""Compressed DICOM images on the page: values as the package reads them, to the last bit."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from made_dicom import write_enhanced, write_series
from made_jpeg import HTJ2K, HTJ2K_VALUES, lossless_jpeg
from made_scans import OBLIQUE, SHEARED
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    JPEG2000,
    UID,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from read_series import STORED, read_by, require_equal
from watched_page import PATIENCE_MS, Watched, needs_assets

from textsegment.files.dicom.reader import read_dicom


@pytest.fixture
def page(series_page):
    return series_page


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


@pytest.mark.parametrize("change", [run_lengths, jpeg])
def test_without_loss(page, tmp_path, change):
    write_series(tmp_path, STORED, OBLIQUE, change=change)
    require_equal(page, tmp_path)


def compressed(syntax: UID, bits: int, signed: bool, folder: Path) -> Callable[[Dataset, int], None]:
    """Fill images with a smooth pattern and some noise over the whole range, and compress them."""
    top = (1 << bits) - 1
    low = -(1 << (bits - 1)) if signed else 0
    ramp = np.add.outer(np.arange(69) * 7, np.arange(83) * 5) * top / 886
    noise = np.random.default_rng(0).normal(0, top / 40, ramp.shape)
    values = np.clip(ramp + noise, 0, top).astype(int) + low
    allocated = 8 if bits == 8 else 16

    def change(dataset: Dataset, k: int) -> None:
        dataset.Rows, dataset.Columns = values.shape
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = allocated, bits, bits - 1
        dataset.PixelRepresentation = int(signed)
        turned = np.roll(values, 3 * k, axis=1)
        dataset.PixelData = turned.astype(f"<{'i' if signed else 'u'}{allocated // 8}").tobytes()
        if syntax == JPEG2000:
            dataset.compress(syntax, j2k_psnr=[60])
        elif syntax == JPEGLSNearLossless:
            dataset.compress(syntax, jls_error=3)
        elif syntax in (JPEGBaseline8Bit, JPEGExtended12Bit):
            _compress_by_dcmtk(dataset, syntax, folder)
        else:
            dataset.compress(syntax)

    return change


def _compress_by_dcmtk(dataset: Dataset, syntax: UID, folder: Path) -> None:
    """Lossy JPEG, as archives write it."""
    plain, packed = str(folder / "plain.dcm"), str(folder / "packed.dcm")
    dataset.save_as(plain, enforce_file_format=True)
    process = "+eb" if syntax == JPEGBaseline8Bit else "+ee"
    subprocess.run(["dcmcjpeg", process, "+q", "75", plain, packed], check=True, capture_output=True)
    written = pydicom.dcmread(packed)
    assert written.file_meta.TransferSyntaxUID == syntax
    dataset.PixelData = written.PixelData
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax


@needs_assets
@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEG2000, JPEGLSLossless, JPEGLSNearLossless])
@pytest.mark.parametrize(("bits", "signed"), [(8, False), (12, True), (16, False)])
def test_as_archives_compress(page, tmp_path, syntax, bits, signed):
    change = compressed(syntax, bits, signed, tmp_path)
    write_series(tmp_path / "series", STORED[:, :, :3], OBLIQUE, change=change)
    require_equal(page, tmp_path / "series")


@needs_assets
@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless])
def test_cut_off_pictures_of_archives_are_refused(page, tmp_path, syntax):
    def cut(dataset: Dataset, k: int) -> None:
        compressed(syntax, 12, False, tmp_path)(dataset, k)
        (frame,) = generate_frames(dataset.PixelData, number_of_frames=1)
        dataset.PixelData = encapsulate([frame[: len(frame) * 9 // 10]])

    write_series(tmp_path / "series", STORED[:, :, :3], OBLIQUE, change=cut)
    assert read_by(page, tmp_path / "series")["code"] == "input_unreadable"


@needs_assets
def test_high_throughput_jpeg_2000(page, tmp_path):
    def change(dataset: Dataset, k: int) -> None:
        dataset.Rows, dataset.Columns = HTJ2K_VALUES.shape
        dataset.PixelData = encapsulate([HTJ2K])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = HTJ2KLossless

    write_series(tmp_path, STORED[:, :, :3], OBLIQUE, change=change)
    assert np.array_equal(read_dicom(tmp_path).volume.voxels[:, :, 0], HTJ2K_VALUES.T - 1024.0)
    require_equal(page, tmp_path)


def test_without_the_files_of_others_it_is_said_what_is_missing(browser, doubtful_server, tmp_path):
    change = compressed(JPEG2000Lossless, 12, False, tmp_path)
    write_series(tmp_path / "series", STORED[:, :, :3], OBLIQUE, change=change)
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    context.route("**/app/assets/**", lambda route: route.fulfill(status=404))
    lacking = Watched(context.new_page(), doubtful_server).open()
    found = read_by(lacking, tmp_path / "series")
    assert found["code"] == "dependency_missing"
    assert found["message"] == "This server lacks what decodes these DICOM images: JPEG 2000."
    write_series(tmp_path / "plain", STORED, OBLIQUE, change=jpeg)
    require_equal(lacking, tmp_path / "plain")
    context.close()


@pytest.mark.skipif(shutil.which("dcmcjpeg") is None, reason="there is no dcmtk")
@pytest.mark.parametrize(
    ("syntax", "bits", "signed"),
    [(JPEGBaseline8Bit, 8, False), (JPEGExtended12Bit, 12, False), (JPEGExtended12Bit, 12, True)],
)
def test_lossy_jpeg(page, tmp_path, syntax, bits, signed):
    change = compressed(syntax, bits, signed, tmp_path)
    write_series(tmp_path / "series", STORED[:, :, :3], OBLIQUE, change=change)
    require_equal(page, tmp_path / "series")


@pytest.mark.parametrize("predictor", range(1, 8))
def test_lossless_jpeg_with_every_predictor(page, predictor):
    """Noise over the whole range, so that every size of a difference occurs; restarts, and lost bits."""
    samples = np.random.default_rng(predictor).integers(0, 2**16, (11, 13), dtype=np.uint16)
    samples[4:7] = 2**15
    shift = predictor % 3
    content = lossless_jpeg(samples, predictor, shift=shift, restart_rows=predictor % 4)
    found = page.evaluate(
        """async (content) => {
          const { decodeLossless } = await import("/app/compression/jpeg_lossless.js");
          return [...decodeLossless(Uint8Array.from(content))];
        }""",
        list(content),
    )
    assert found == (samples >> shift << shift).ravel().tolist()


@pytest.mark.parametrize("kind", [run_lengths, jpeg])
def test_cut_off_compression_is_refused(page, tmp_path, kind):
    """A picture is never made up to its end."""

    def cut(dataset: Dataset, k: int) -> None:
        kind(dataset, k)
        (frame,) = generate_frames(dataset.PixelData, number_of_frames=1)
        dataset.PixelData = encapsulate([frame[:-12]])

    write_series(tmp_path, STORED, OBLIQUE, change=cut)
    assert read_by(page, tmp_path)["code"] == "input_unreadable"


def test_enhanced_multiframe_with_run_lengths(page, tmp_path):
    write_enhanced(tmp_path / "a.dcm", STORED, SHEARED, order=[3, 0, 1, 2, 6, 5, 4], compression=RLELossless)
    require_equal(page, tmp_path)
