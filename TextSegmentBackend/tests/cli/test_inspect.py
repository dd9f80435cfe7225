"""``textsegment inspect``: what an image is, without computing."""

import json

import nibabel as nib
import numpy as np
import pytest
from command_line import CHEST, demo_engine, textsegment
from made_dicom import write_series
from made_scans import OBLIQUE
from tiny_engine import phantom

from textsegment.files.images.itk_image import write_itk_image
from textsegment.files.reading import read_volume
from textsegment.inference.estimate import estimate

STORED = np.random.default_rng(0).integers(0, 2000, (12, 10, 6)).astype(np.uint16)


@pytest.fixture(autouse=True)
def no_engine(monkeypatch):
    """Nothing is computed."""
    monkeypatch.setattr("textsegment.cli.session.Session.run", lambda *_, **__: pytest.fail("it ran"))


def inspected(*arguments, report):
    ended = textsegment("inspect", *arguments, "--json", report)
    return ended, json.loads(report.read_text())["images"]


def test_a_scan(tmp_path):
    ended, (entry,) = inspected(CHEST, report=tmp_path / "r.json")
    assert ended.code == 0, ended.err
    assert entry["kind"] == "NRRD"
    assert entry["image"]["shape"] == [128, 128, 34]
    assert entry["image"]["axes"] == "RAS"
    assert (entry["image"]["modality"], entry["image"]["modality_from"]) == ("CT", "name")
    assert entry["image"]["unit"] == "Hounsfield units"
    assert {"padding_clipped", "modality_guessed"} <= {doubt["code"] for doubt in entry["doubts"]}
    assert entry["estimate"]["patches"] > 0
    assert entry["estimate"]["memory_bytes"] > 0
    for words in (
        "NRRD",
        "128 × 128 × 34 voxels",
        "CT: guessed from the name",
        "about",
        "patches",
        "! Padding",
    ):
        assert words in ended.out


def test_patches_are_those_that_run():
    engine, volume = demo_engine(), read_volume(CHEST, modality="CT")
    engine.cache.clear()
    seen = []
    encode = engine.model.network.encode_image
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.model.network, "encode_image", lambda patch: (seen.append(1), encode(patch))[1])
        engine.segment(volume, ["liver"])
        cost = estimate(volume, engine.model.config)
        assert cost.patches == len(seen)
        engine.cache.clear()
        seen.clear()
        cost = estimate(volume, engine.model.config, engine)
        assert seen == [], "the network does not run"
    assert cost.patches > 0
    assert cost.memory_bytes > 1 << 20
    assert cost.seconds > 0


def test_series_to_choose_from(tmp_path):
    write_series(tmp_path / "d", STORED, OBLIQUE)
    write_series(tmp_path / "d", STORED, OBLIQUE, modality="MR", series_number=9)
    ended, (entry,) = inspected(tmp_path / "d", report=tmp_path / "r.json")
    assert ended.code == 3
    assert entry["series"] == ["series 3 (CT, 6 slices)", "series 9 (MR, 6 slices)"]
    assert entry["image"] is None
    assert entry["error"]["code"] == "input_invalid"
    assert "choose    series 9 (MR, 6 slices)" in ended.out
    ended, (entry,) = inspected(tmp_path / "d", "--series", "9", report=tmp_path / "r.json")
    assert ended.code == 0
    assert (entry["image"]["modality"], entry["image"]["modality_from"]) == ("MR", "header")
    assert "ecret" not in ended.out + ended.err


def test_volumes_to_choose_from(tmp_path):
    volume = phantom((40, 36, 20))
    nib.save(
        nib.Nifti1Image(np.stack([volume.voxels] * 3, -1), volume.geometry.affine), tmp_path / "a.nii.gz"
    )
    ended, (entry,) = inspected(tmp_path / "a.nii.gz", "--modality", "CT", report=tmp_path / "r.json")
    assert ended.code == 3
    assert entry["volumes"] == 3
    assert entry["image"]["shape"] == [40, 36, 20]
    assert "--volume 1 … 3" in ended.out
    ended, (entry,) = inspected(tmp_path / "a.nii.gz", "--volume", "2", report=tmp_path / "r.json")
    assert ended.code == 0
    assert entry["error"] is None


def test_every_doubt_and_every_refusal(tmp_path):
    """Of a folder: one odd, one broken, one that cannot be, one that is no scan."""
    folder = tmp_path / "scans"
    folder.mkdir()
    volume = phantom((40, 36, 20))
    write_itk_image(folder / "shifted.nrrd", volume.voxels + 1024, volume.geometry.affine)
    (folder / "broken.nii.gz").write_bytes(b"garbage")
    write_itk_image(folder / "metres.nrrd", volume.voxels, volume.geometry.affine / ([1000] * 3 + [1.0]))
    mask = np.zeros((40, 36, 20), dtype=np.uint8)
    mask[9:20, 9:20, 5:12] = 1
    write_itk_image(folder / "mask.nrrd", mask, np.eye(4))
    ended, entries = inspected(folder, "--modality", "CT", report=tmp_path / "r.json")
    assert ended.code == 8
    by_name = {entry["name"]: entry for entry in entries}
    assert set(by_name) == {"shifted", "broken", "metres"}
    assert "not_hounsfield_shifted" in [doubt["code"] for doubt in by_name["shifted"]["doubts"]]
    assert by_name["shifted"]["image"]["modality_from"] == "given"
    assert by_name["broken"]["error"]["code"] == "input_unreadable"
    assert by_name["metres"]["error"]["code"] == "geometry_invalid"
    assert "unit" in by_name["metres"]["error"]["hint"]
    assert "Left out, label maps: mask.nrrd." in ended.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.json", "scans"]


def test_missing_and_an_unknown_model(tmp_path):
    ended = textsegment("inspect", tmp_path / "nothing.nii")
    assert ended.code == 3
    assert "[input_not_found]" in ended.err
    assert textsegment("inspect", CHEST, "--model", "other").code == 2


def test_weights_that_are_missing_leave_the_patches(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXTSEGMENT_HOME", str(tmp_path / "home"))
    ended, (entry,) = inspected(CHEST, "--model", "sat-pro", report=tmp_path / "r.json")
    assert ended.code == 0, ended.err
    assert entry["estimate"]["patches"] > 0
    assert entry["estimate"]["memory_bytes"] is None
