"""Modalities: their codes, and how they are guessed."""

import numpy as np
import pytest

from textsegment.modality import ModalitySource, guess_modality

CT_VALUES = np.linspace(-1000, 1000, 1000).reshape(10, 10, 10)
MR_VALUES = np.linspace(0, 1000, 1000).reshape(10, 10, 10)


@pytest.mark.parametrize(
    ("values", "modality"),
    [
        ([-1000, -100, 40, 60, 1200], "CT"),
        ([-3024, -900, 0, 100, 3071], "CT"),
        ([-120, -90, -60, 20, 40], "CT"),
        ([0, 100, 300, 800, 1500], "MR"),
        ([-40, 0, 100, 300, 1300], "MR"),
        ([-2.5, -1.0, 0.0, 1.5, 4.0], "MR"),
        ([-900, 0, 100, 9000, 30000], "MR"),
        ([np.nan, np.nan, np.nan, np.nan, np.nan], "MR"),
        ([np.nan, -1000, np.inf, 40, 300], "CT"),
    ],
)
def test_guess(values, modality):
    voxels = np.random.default_rng(0).permutation(np.repeat(values, 200)).reshape(10, 10, 10)
    assert guess_modality(voxels).code == modality


def test_metal_does_not_make_a_ct_something_else():
    voxels = CT_VALUES.copy()
    voxels.flat[:2] = 30_000
    assert guess_modality(voxels).code == "CT"


@pytest.mark.parametrize("padding", [-1000, -1024, -2048, -3024])
def test_a_few_voxels_of_padding_show_a_ct(padding):
    voxels = np.clip(CT_VALUES, 0, None)
    voxels[0, 0, 0] = padding
    assert guess_modality(voxels).code == "CT"


@pytest.mark.parametrize(
    ("name", "code"),
    [("sub-01_T1w.nii.gz", "MR"), ("FDG_SUV.nrrd", "PT"), ("CTChest", "CT"), ("doctor", "MR")],
)
def test_a_name_decides_where_values_do_not(name, code):
    guess = guess_modality(MR_VALUES, name)
    assert guess.code == code
    assert guess.source is (ModalitySource.VALUES if name == "doctor" else ModalitySource.NAME)
    assert not guess.is_certain


def test_values_outweigh_a_name_that_says_otherwise():
    assert guess_modality(CT_VALUES, "t1_registered_to").code == "CT"
    assert guess_modality(CT_VALUES, "t1_registered_to").source is ModalitySource.VALUES
