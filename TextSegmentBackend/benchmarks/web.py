"""Time and memory of the web workspace for a large scan, in Chromium, with a model that only pretends.

    python benchmarks/web.py [--shape 512 512 300]

It makes a CT of that size, opens it as NIfTI and as a DICOM folder, and asks for a structure. A line each:
- first picture: seconds from choosing the files until the three planes are drawn;
- masks: seconds from the click on *Segment* until the mask is drawn, with the upload;
- peak memory of the page's process, in MB (Linux).
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import psutil
from playwright.sync_api import Browser, sync_playwright
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description="See the top of this file.")
    parser.add_argument("--shape", type=int, nargs=3, default=(512, 512, 300))
    shape = tuple(parser.parse_args().shape)
    command = [sys.executable, "-m", "textsegment", "serve", "--port", "0", "--announce-json"]
    command += ["--stop-with-stdin", "--segmenter", "textsegment.testing:FakeSegmenter"]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as server,
        sync_playwright() as playwright,
    ):
        assert server.stdout is not None
        assert server.stdin is not None
        url = json.loads(server.stdout.readline())["url"]
        scan = _scan(shape)
        print(f"{'×'.join(map(str, shape))}      first picture s   masks s   peak MB")
        ways = {"NIfTI": _nifti(scan, Path(folder)), "DICOM": _series(scan, Path(folder))}
        for name, files in ways.items():
            program = shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            picture, masks, peak = _measure(browser, url, files)
            print(f"{name:12} {picture:17.1f} {masks:9.1f} {peak:9.0f}", flush=True)
            browser.close()
        server.stdin.close()


def _measure(browser: Browser, url: str, files: Sequence[Path]) -> tuple[float, float, float]:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(url)
    page.wait_for_selector("#work:visible")
    page.set_input_files("#file", [str(path) for path in files])
    began = time.perf_counter()
    page.wait_for_selector("#planes:visible", timeout=600_000)
    # Two frames later the first one is on the screen.
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    picture = time.perf_counter() - began
    page.fill("#text", "liver")
    page.wait_for_selector("#segment:not([disabled])")
    began = time.perf_counter()
    page.click("#segment")
    page.wait_for_selector("#rows tr", timeout=600_000)
    masks = time.perf_counter() - began
    return picture, masks, _peak_mb()


def _peak_mb() -> float:
    """Return the largest memory that a renderer among our children has had."""
    peaks = [0.0]
    for process in psutil.Process().children(recursive=True):
        if "--type=renderer" in process.cmdline():
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            peaks += [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
    return max(peaks)


def _scan(shape: tuple[int, ...]) -> np.ndarray:
    """Return a body of noise in air, as a CT has it."""
    i, j = np.ogrid[: shape[0], : shape[1]]
    body = ((i / shape[0] - 0.5) ** 2 + (j / shape[1] - 0.5) ** 2 < 0.16)[:, :, None]
    noise = np.random.default_rng(0).integers(-50, 150, shape, dtype=np.int16)
    return np.where(body, noise, np.int16(-1000))


def _nifti(scan: np.ndarray, folder: Path) -> list[Path]:
    path = folder / "scan.nii"
    nib.save(nib.Nifti1Image(scan, np.diag([-0.8, -0.8, 1.0, 1])), path)
    return [path]


def _series(scan: np.ndarray, folder: Path) -> list[Path]:
    same = Dataset()
    same.StudyInstanceUID, same.SeriesInstanceUID, same.FrameOfReferenceUID = (
        generate_uid() for _ in range(3)
    )
    same.Modality, same.SeriesNumber = "CT", 1
    same.Rows, same.Columns = scan.shape[1], scan.shape[0]
    same.SamplesPerPixel, same.PhotometricInterpretation = 1, "MONOCHROME2"
    same.BitsAllocated, same.BitsStored, same.HighBit, same.PixelRepresentation = 16, 16, 15, 1
    same.ImageOrientationPatient, same.PixelSpacing, same.SliceThickness = [1, 0, 0, 0, 1, 0], [0.8, 0.8], 1
    same.RescaleSlope, same.RescaleIntercept = 1, 0
    paths = []
    for k in range(scan.shape[2]):
        dataset = Dataset()
        dataset.update(same)
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.ImagePositionPatient = [0, 0, k]
        dataset.PixelData = scan[:, :, k].T.tobytes()
        paths.append(folder / f"{k:04d}.dcm")
        dataset.save_as(paths[-1], enforce_file_format=True)
    return paths


if __name__ == "__main__":
    main()
