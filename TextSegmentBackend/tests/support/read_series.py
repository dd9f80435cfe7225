"""DICOM series as the page reads them, and as the package does."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
from made_scans import phantom
from playwright.sync_api import Page

from textsegment.files.dicom.reader import read_dicom
from textsegment.geometry import Geometry
from textsegment.volume import Volume
from textsegment.wire.volumes.codec import wire_volume

_READ = """async (contents) => {
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
"""Values of a small, asymmetric scan, ``[i, j, k]``."""


def read_by(page: Page, folder: Path) -> dict:
    """Read a series on a page; what became of it."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return page.evaluate(_READ, [base64.b64encode(file.read_bytes()).decode() for file in files])


def require_equal(page: Page, folder: Path) -> None:
    """Require that a page reads a series as the package does."""
    found, expected = read_by(page, folder), read_dicom(folder)
    volume = expected.volume
    assert "code" not in found, found
    assert tuple(found["shape"]) == volume.geometry.spatial_shape
    affine = np.reshape(found["affine"], (4, 4))
    np.testing.assert_allclose(affine, volume.geometry.affine, atol=1e-6)
    same_place = Volume(volume.voxels, Geometry(tuple(found["shape"]), affine), volume.modality)
    assert found["digest"] == wire_volume(same_place).digest
    assert len(found["warnings"]) == len(volume.warnings), (found["warnings"], volume.warnings)
