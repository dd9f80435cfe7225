"""Time of the DICOM node beside that of its engine, in one run: a scanner sends, an archive takes.

    python benchmarks/node.py [--side 256] [--slices 120] [--series 3]

It makes CT series of a phantom, sends them by a program of pynetdicom to a node in this process with the
demonstration model, and lets another program take the structure set and report. Each line is one series:
- latency: seconds from the end of sending until the results were taken, without the quiet time (a setting);
- seconds of the processor, which other programs do not change: of the engine with tidying; of reading images
  and writing results, as a direct run does too; and of what the node adds (taking images, journal, rules,
  fingerprints, delivery), from the first image on;
- what the node adds, as a share of the engine.
"""

from __future__ import annotations

import argparse
import logging
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from textsegment.inference.engine import LocalSegmenter
from textsegment.node.node import Node, idle, quiet_libraries
from textsegment.node.settings import NodeSettings
from textsegment.node.tables import check_table

QUIET_S = 0.5
TEXT = "left lung, right lung, heart, liver, aorta"


def phantom_series(side: int, slices: int, seed: int) -> list[Dataset]:
    """Return the images of a body of water with two lungs of air."""
    i, j = np.meshgrid(np.linspace(-1, 1, side), np.linspace(-1, 1, side), indexing="ij")
    noise = np.random.default_rng(seed)
    series, study, frame = generate_uid(), generate_uid(), generate_uid()
    images = []
    for number in range(slices):
        values = np.where(i**2 + (j * 1.3) ** 2 < 0.8, 40.0, -1000.0)
        for centre in (-0.35, 0.35):
            values[(i**2 / 0.35 + (j - centre) ** 2 / 0.06) < 1] = -850
        stored = np.clip(values + noise.normal(0, 15, values.shape) + 1024, 0, 4095).astype("<u2")
        image = Dataset()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = CTImageStorage
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame
        image.Modality, image.PatientID, image.PatientName = "CT", "PHANTOM", "Phantom"
        image.SeriesNumber, image.InstanceNumber = 1, number + 1
        image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.ImagePositionPatient = [-200, -200, 3.0 * number]
        image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        image.PixelSpacing, image.SliceThickness = [400 / side] * 2, 3
        image.RescaleSlope, image.RescaleIntercept = 1, -1024
        image.Rows = image.Columns = side
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated = image.BitsStored = 16
        image.HighBit, image.PixelRepresentation = 15, 0
        image.PixelData = stored.tobytes()
        images.append(image)
    return images


class Meter:
    """Counts what calls use of the processor."""

    def __init__(self) -> None:
        self.used_s = 0.0

    def measure(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that counts what it uses."""

        def measured(*arguments: Any, **options: Any) -> Any:
            begin = time.process_time()
            try:
                return call(*arguments, **options)
            finally:
                self.used_s += time.process_time() - begin

        return measured


def free_port() -> int:
    """Return a TCP port that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def send(folder: Path, port: int) -> float:
    """Send a folder in one association; returns the seconds."""
    command = ["-m", "pynetdicom", "storescu", "127.0.0.1", str(port), str(folder), "-r"]
    begin = time.monotonic()
    subprocess.run([sys.executable, *command, "-aet", "SCANNER", "-aec", "TEXTSEGMENT", "-q"], check=True)
    return time.monotonic() - begin


def settings_for(folder: Path, port: int, archive_port: int) -> NodeSettings:
    """Return the configuration of a node that sends everything to one archive."""
    archive = {
        "name": "archive",
        "kind": "dicom",
        "host": "127.0.0.1",
        "port": archive_port,
        "ae_title": "ARCHIVE",
    }
    content: dict[str, Any] = {
        "folder": str(folder),
        "receive": {"port": port, "peers": [{"ae_title": "SCANNER", "address": "127.0.0.1"}]},
        "destinations": [archive],
        "rules": [{"name": "all", "match": {"modality": "CT"}, "text": TEXT, "destinations": ["archive"]}],
        "limits": {"quiet_s": QUIET_S},
        "monitor": {"port": free_port()},
    }
    return check_table(NodeSettings, content, "benchmark")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--slices", type=int, default=120)
    parser.add_argument("--series", type=int, default=3)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    quiet_libraries()
    port, archive_port = free_port(), free_port()
    command = ["-m", "pynetdicom", "storescp", str(archive_port), "-aet", "ARCHIVE", "--ignore", "-q"]
    archive = subprocess.Popen([sys.executable, *command])
    engine, files, shares = Meter(), Meter(), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        segmenter = LocalSegmenter("sat-demo")
        node = Node(settings_for(folder / "node", port, archive_port), segmenter)
        runner = node._runner
        runner._segment = engine.measure(runner._segment)
        runner._read = files.measure(runner._read)
        runner._writer._write = files.measure(runner._writer._write)
        node.start()
        print("series  images  sending s  latency s  | processor: engine s  files s  node s  share")
        for number in range(options.series):
            scan = folder / f"scan{number}"
            scan.mkdir()
            for count, image in enumerate(phantom_series(options.side, options.slices, number)):
                image.save_as(scan / f"{count}.dcm", enforce_file_format=True)
            used, before = time.process_time(), (engine.used_s, files.used_s)
            sending = send(scan, port)
            begin = time.monotonic()
            while not (len(node.journal.entries()) == number + 1 and idle(node)):
                time.sleep(0.25)
            latency = time.monotonic() - begin - QUIET_S
            by_engine, by_files = engine.used_s - before[0], files.used_s - before[1]
            own = time.process_time() - used - by_engine - by_files
            if number or options.series == 1:  # the first one loads what is loaded late
                shares.append(own / by_engine)
            print(
                f"{number + 1:6d}  {options.slices:6d}  {sending:9.2f}  {latency:9.2f}  | {by_engine:19.2f}  "
                f"{by_files:7.2f}  {own:6.2f}  {own / by_engine:5.1%}",
                flush=True,
            )
        node.stop()
    archive.terminate()
    archive.wait()
    print(f"median of all but the first: {statistics.median(shares):.1%} of the engine's time")


if __name__ == "__main__":
    main()
