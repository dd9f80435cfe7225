"""What the values of an image say about it."""

from functools import lru_cache

import numpy as np
import pytest
from command_line import CHEST

from textsegment.errors import GeometryError
from textsegment.files.reading import read_volume
from textsegment.geometry import Geometry
from textsegment.plausibility import examine, looks_like_labels
from textsegment.volume import Volume


@lru_cache
def chest():
    """A real CT, without the padding around the field of view."""
    return read_volume(CHEST, modality="CT").voxels.astype(np.float32).clip(-1024, None)


def codes(voxels, modality="CT"):
    return [caution.code for caution in examine(voxels, modality).cautions]


def padded(voxels, value, share=0.2):
    """With a value all around, as outside the field of view."""
    copy = voxels.copy()
    i, j = np.indices(copy.shape[:2])
    radius = np.hypot(i / copy.shape[0] - 0.5, j / copy.shape[1] - 0.5)
    copy[radius > np.quantile(radius, 1 - share)] = value
    return copy


def to_8_bits(voxels):
    return np.rint((voxels.clip(-1000, 3000) + 1000) / 4000 * 255).astype(np.uint8)


WRONG_UNITS = {
    "as stored, without rescale": (lambda hu: (hu + 1024).astype(np.uint16), "not_hounsfield_shifted"),
    "shifted by 1000": (lambda hu: hu + 1000, "not_hounsfield_shifted"),
    "stored, with padding": (lambda hu: padded(hu + 1024, -2000), "not_hounsfield_shifted"),
    "0 to 1": (lambda hu: (hu.clip(-1000, 3000) + 1000) / 4000, "not_hounsfield_scaled"),
    "-1 to 1": (lambda hu: hu.clip(-1000, 1000) / 1000, "not_hounsfield_scaled"),
    "0 to 255": (to_8_bits, "not_hounsfield_scaled"),
    "a window in 8 bits": (
        lambda hu: ((hu + 160) / 400 * 255).clip(0, 255).astype(np.uint8),
        "not_hounsfield_scaled",
    ),
    "standardised": (lambda hu: (hu - hu.mean()) / hu.std(), "not_hounsfield_scaled"),
    "attenuation per mm": (lambda hu: 0.02 * (1 + hu / 1000), "not_hounsfield_scaled"),
    "16 bits without sign": (lambda hu: hu.astype(np.int16).view(np.uint16), "not_hounsfield_wrapped"),
    "0 to 65535": (lambda hu: (hu.clip(-1000, 3000) + 1000) / 4000 * 65535, "not_hounsfield"),
    "times 10": (lambda hu: hu * 10, "not_hounsfield"),
    "rescaled twice": (lambda hu: hu - 1024, "not_hounsfield"),
    "inverted": (lambda hu: -hu, "not_hounsfield_shifted"),
    "cut off below fat": (lambda hu: hu.clip(-100, 300), "not_hounsfield_clipped"),
    "a window in its own unit": (lambda hu: hu.clip(-160, 240), "not_hounsfield_clipped"),
    "air taken away": (lambda hu: hu.clip(-400, None).astype(np.int16), "not_hounsfield_clipped"),
}


@pytest.mark.parametrize("name", WRONG_UNITS)
def test_ct_in_another_unit(name):
    """io4: silent wrong masks, Dice .84 to .04."""
    make, code = WRONG_UNITS[name]
    assert code in codes(make(chest()))


def test_an_inverted_image():
    """io4: as MONOCHROME1 images were read (io3)."""
    assert any(code.startswith("not_hounsfield") for code in codes(2047 - chest()))


@pytest.mark.parametrize("part", [
    np.s_[:, :, :], np.s_[30:100, 30:100, :], np.s_[:, :, 10:14], np.s_[:64, :, :], np.s_[40:90, 60:110, 5:],
])  # fmt: skip
@pytest.mark.parametrize("change", [
    lambda hu: hu, lambda hu: hu.astype(np.int16), lambda hu: hu.clip(-1000, None),
    lambda hu: hu.clip(-1024, 3071), lambda hu: np.where(hu < -300, 0, hu), lambda hu: hu.clip(-600, None),
    lambda hu: hu + np.random.default_rng(0).normal(0, 30, hu.shape).astype(np.float32),
])  # fmt: skip
def test_a_ct_and_parts_of_it_are_plausible(part, change):
    assert codes(change(chest()[part])) == []


def test_metal_is_no_other_unit():
    voxels = chest().copy()
    voxels[60:64, 60:64, 10:14] = 30710
    assert codes(voxels) == []


@pytest.mark.parametrize("value", [-2000, -2048, -3024, -32768])
def test_padding_of_a_ct_is_clipped_and_said(value):
    """io4: values around the field of view that are no Hounsfield units."""
    voxels = padded(chest(), value).astype(np.int16)
    found = examine(voxels, "CT")
    assert [caution.code for caution in found.cautions] == ["padding_clipped"]
    assert found.cautions[0].values["percent"] == pytest.approx(20, abs=1)
    assert found.bounds == (-1024, voxels.max())


def test_smeared_padding_of_a_real_ct():
    """io4: resampling has left values between -3024 and air."""
    voxels = read_volume(CHEST, modality="CT").voxels
    found = examine(voxels, "CT")
    assert [caution.code for caution in found.cautions] == ["padding_clipped"]
    assert found.bounds == (-1024, voxels.max())


@pytest.mark.parametrize("value", [-32768, -10000, 65535])
def test_padding_of_an_mr_is_clipped_and_said(value):
    """io4: it would take the place of the lowest or highest percentile, and with it the contrast."""
    signal = np.random.default_rng(0).gamma(4, 100, (40, 40, 20))
    found = examine(padded(signal, value), "MR")
    assert [caution.code for caution in found.cautions] == ["padding_clipped"]
    assert signal.min() <= found.bounds[0] < found.bounds[1] <= signal.max()
    assert examine(padded(signal, 0), "MR").cautions == ()


def test_a_ct_that_is_said_to_be_another_modality():
    """io4: the other way round."""
    assert codes(chest(), "MR") == ["looks_like_ct"]
    assert codes(chest(), "PT") == ["looks_like_ct"]
    rng = np.random.default_rng(0)
    phase = rng.uniform(-4096, 4095, (30, 30, 20))
    assert codes(phase, "MR") == codes(rng.gamma(4, 100, (30, 30, 20)), "MR") == []


def test_a_volume_brings_it_to_every_engine():
    """io4: whoever segments asks the volume first, here and at the client of a server."""
    voxels = chest() + 1024
    volume = Volume(voxels, Geometry(voxels.shape, np.diag([3.0, 3, 10, 1])), "CT")
    assert [getattr(warning, "code", "") for warning in volume.require_segmentable()] == [
        "not_hounsfield_shifted"
    ]
    assert "Hounsfield" in volume.require_segmentable()[0]
    labels = Volume(balls(), Geometry(balls().shape, np.diag([3.0, 3, 3, 1])), "MR")
    assert "label map" in labels.require_segmentable()[0]


def balls(dtype=np.uint8):
    i, j, k = np.indices((30, 28, 20))
    voxels = np.zeros((30, 28, 20), dtype=dtype)
    voxels[(i - 12) ** 2 + (j - 12) ** 2 + (k - 9) ** 2 < 49] = 1
    voxels[(i - 20) ** 2 + (j - 14) ** 2 + (k - 10) ** 2 < 25] = 7
    return voxels


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_label_maps_of_any_type(dtype):
    """io1"""
    assert looks_like_labels(balls(dtype))


def test_many_labels_and_thin_ones():
    """io1: a parcellation in stripes."""
    voxels = np.zeros((60, 60, 40), dtype=np.uint16)
    voxels[5:55, 5:55, 5:35] = (np.arange(50) // 4)[:, None, None] + 1
    assert looks_like_labels(voxels)


@pytest.mark.parametrize("peak", [255, 1000])
def test_scans_are_none(peak):
    """io1: 8 bits, a background of zero, few values."""
    rng = np.random.default_rng(0)
    voxels = np.where(balls() > 0, rng.integers(1, peak, (30, 28, 20)), 0)
    assert not looks_like_labels(voxels.astype(np.uint16))
    assert not looks_like_labels(voxels - 1000.0)
    assert not looks_like_labels(voxels / 7)


@pytest.mark.parametrize("voxels", [
    np.zeros((4, 4, 4)), np.ones((4, 4, 4)), np.full((4, 4, 4), np.nan), np.empty((0, 4, 4)),
])  # fmt: skip
def test_nothing_in_it(voxels):
    assert not looks_like_labels(voxels)


@pytest.mark.parametrize("sizes", [(0.009, 0.009, 0.009), (0.01, 0.01, 400), (1, 1, 150), (7e-4, 7e-4, 1e-3)])
def test_voxels_of_no_scan_are_refused_with_a_hint_of_the_unit(sizes):
    """io7: an image of 0.01 × 0.01 × 400 mm took six minutes."""
    volume = Volume(chest(), Geometry(chest().shape, np.diag([*sizes, 1.0])), "CT")
    with pytest.raises(GeometryError, match="unit"):
        volume.require_segmentable()


@pytest.mark.parametrize("sizes", [(0.05, 0.05, 0.05), (0.3, 0.3, 1), (2, 2, 20), (5, 5, 80)])
def test_voxels_of_odd_scans_are_not_refused(sizes):
    Volume(chest(), Geometry(chest().shape, np.diag([*sizes, 1.0])), "CT").require_segmentable()


def test_centimetres_are_doubted():
    """io7: a whole chest of a few centimetres."""
    volume = Volume(chest(), Geometry(chest().shape, np.diag([0.07, 0.07, 0.1, 1.0])), "CT")
    assert "unit_doubtful" in [getattr(warning, "code", "") for warning in volume.require_segmentable()]
