"""Modality of a volume: stated, or guessed with a reason and never presented as certain."""

import numpy as np
import pytest
import slicer
from cases import volume_node
from textsegment.errors import VolumeInvalidError
from textsegment.files.images.nifti import write_nifti
from textsegment.files.reading import read_volume
from textsegment.testing import phantom
from textsegment.volume import Volume
from TextSegmentLib.scene.modality import guess_modality, reason_of


def named(name, low=0, high=3000):
    volume = phantom()
    voxels = np.clip(volume.voxels, low, high)
    return volume_node(Volume(voxels, volume.geometry, "CT"), name=name)


def of_series(modality):
    node = named("scan")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(node)
    key = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
    hierarchy.SetItemAttribute(item, key, modality)
    return node


@pytest.mark.parametrize("modality", ["CT", "MR", "PT"])
def test_dicom_is_believed(modality):
    guess = guess_modality(of_series(modality))
    assert (guess.code, guess.is_certain) == (modality, True)
    assert reason_of(guess)


def test_a_modality_of_dicom_that_no_model_knows_is_not_taken():
    assert not guess_modality(of_series("XA")).is_certain


def test_the_unit_of_the_voxels_is_believed():
    node = named("scan")
    quantity = slicer.vtkCodedEntry()
    quantity.SetValueSchemeMeaning("112031", "DCM", "Attenuation Coefficient")
    node.SetVoxelValueQuantity(quantity)
    assert (guess_modality(node).code, guess_modality(node).is_certain) == ("CT", True)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("CTChest", "CT"),
        ("2: CT abdomen", "CT"),
        ("patient7_CECT", "CT"),
        ("MRHead", "MR"),
        ("BRATS_t1ce", "MR"),
        ("sub-01_T1w", "MR"),
        ("ax T2 FLAIR", "MR"),
        ("T1", "MR"),
        ("PET 3D", "PT"),
        ("FDG_SUV", "PT"),
    ],
)
def test_names_give_hints(name, code):
    guess = guess_modality(named(name))
    assert (guess.code, guess.is_certain) == (code, False)
    assert "name" in reason_of(guess)


@pytest.mark.parametrize("name", ["PET CT", "doctor", "petra", "Octopus", "segment", "T-shirt", ""])
def test_names_that_do_not_say_it_do_not_decide(name):
    assert "values" in reason_of(guess_modality(named(name)))


def test_values_like_air_are_a_ct_and_others_are_not():
    assert guess_modality(named("scan", low=-1000)).code == "CT"
    assert guess_modality(named("scan", low=0)).code == "MR"


@pytest.mark.parametrize("kind", ["fat without air", "padded", "metal", "magnetic resonance"])
def test_the_command_line_and_slicer_guess_the_same(kind, tmp_path):
    """One function decides for both; they used to differ on these images."""
    values = np.random.default_rng(1).normal(40, 30, (40, 36, 24))
    if kind == "fat without air":
        values[:8] = -100
    elif kind == "padded":
        values[:2, :3, :4] = -1000
    elif kind == "metal":
        values[:8] = -1000
        values.flat[-70:] = 20_000
    else:
        values += 200
    volume = Volume(values, phantom().geometry, "CT")
    node = volume_node(volume, name="scan")
    write_nifti(tmp_path / "scan.nii", values, volume.geometry.affine, "test")
    code = "MR" if kind == "magnetic resonance" else "CT"
    assert guess_modality(node).code == code
    assert read_volume(tmp_path / "scan.nii").modality == code


def test_no_scan_no_guess():
    with pytest.raises(VolumeInvalidError):
        guess_modality(None)
