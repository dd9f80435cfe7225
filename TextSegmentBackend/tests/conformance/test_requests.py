"""What every segmenter promises: requests, prompts and volumes of all kinds, events, cancelling."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from consistency import masks_of, require_consistent
from contestants import SMALL

from textsegment.errors import (
    CancelledError,
    ModalityError,
    PromptError,
    UnknownStructureError,
    VolumeInvalidError,
)
from textsegment.geometry import Geometry
from textsegment.segmenter import CancelToken, MaskReady, Progress, Queued
from textsegment.testing import phantom
from textsegment.volume import Volume

DIAGONAL = np.diag([2.0, 1.5, 3.0, 1.0])


GEOMETRIES = {
    "oblique": phantom(SMALL).geometry.affine,
    "plain": DIAGONAL,
    "mirrored": DIAGONAL @ np.diag([1.0, -1, -1, 1]),
    "axes changed": DIAGONAL[[2, 0, 1, 3]],
    "far away": DIAGONAL + np.array([[0, 0, 0, -900.5], [0, 0, 0, 700.25], [0, 0, 0, 1e4], [0, 0, 0, 0]]),
}


@pytest.mark.parametrize("affine", GEOMETRIES.values(), ids=GEOMETRIES)
def test_masks_lie_on_the_grid_of_the_volume(contestant, affine):
    geometry = Geometry(SMALL, affine)
    volume = Volume(phantom(SMALL).voxels, geometry, "CT")
    result = contestant.segmenter.segment(volume, contestant.found)
    require_consistent(volume, result)
    assert any(not mask.statistics.is_empty for mask in result)


@pytest.mark.parametrize("dtype", ["int16", "float32", "float64", ">i2", "int64"])
def test_voxels_of_any_type_and_layout(contestant, dtype):
    made = phantom(SMALL)
    plain = Volume(np.round(made.voxels), made.geometry, "CT")  # which every type can hold
    same = Volume(np.asfortranarray(plain.voxels.astype(dtype)), plain.geometry, "CT")
    ours = contestant.segmenter.segment(same, contestant.found)
    theirs = contestant.segmenter.segment(plain, contestant.found)
    assert masks_of(ours).keys() == masks_of(theirs).keys()
    for structure, mask in masks_of(ours).items():
        assert np.array_equal(mask, masks_of(theirs)[structure])


def test_one_mask_a_prompt_in_the_order_asked(contestant):
    asked = (contestant.empty, *reversed(contestant.found))
    result = contestant.segmenter.segment(phantom(SMALL), asked)
    assert tuple(mask.structure for mask in result) == asked
    assert result.provenance["model"] == contestant.segmenter.info().model


def test_duplicates_are_merged_with_a_warning(contestant):
    """Fault 25."""
    one, other, _ = contestant.found
    result = contestant.segmenter.segment(phantom(SMALL), [other, one, f"  {other.upper()} "])
    assert [mask.structure for mask in result] == [other, one]
    assert any("twice" in warning for warning in result.warnings)
    assert not any("twice" in w for w in contestant.segmenter.segment(phantom(SMALL), [one]).warnings)


def test_what_is_not_there_is_an_empty_mask_with_a_warning(contestant):
    """Fault 26."""
    mask = contestant.segmenter.segment(phantom(SMALL), [contestant.empty])[contestant.empty]
    assert mask.statistics.is_empty
    assert mask.box.shape == (0, 0, 0)
    assert np.isnan(mask.statistics.mean_intensity)
    assert np.isnan(mask.statistics.mean_confidence)
    (said,) = (warning for warning in mask.warnings if "Not found" in warning)
    assert (said.code, dict(said.values)) == ("not_found", {"structure": contestant.empty})


def test_warnings_of_the_volume_come_with_the_result(contestant):
    """Cautions keep their codes on all ways."""
    sheared = DIAGONAL.copy()
    sheared[1, 2] = 0.9
    own = "Two slices are missing."
    volume = Volume(phantom(SMALL).voxels, Geometry(SMALL, sheared), "CT", (own,))
    warnings = contestant.segmenter.segment(volume, contestant.found[:1]).warnings
    assert own in warnings
    assert sum("sheared" in warning for warning in warnings) == 1


@pytest.mark.parametrize(
    ("prompts", "kind"),
    [
        ([], PromptError),
        (["  "], PromptError),
        (["liver\x00"], PromptError),
        (["livr"], UnknownStructureError),
    ],
)
def test_prompts_that_cannot_be_asked(contestant, prompts, kind):
    with pytest.raises(kind):
        contestant.segmenter.segment(phantom(SMALL), prompts)


def test_suggestions_for_a_structure_that_is_not_known(contestant):
    """Fault 31."""
    with pytest.raises(UnknownStructureError) as caught:
        contestant.segmenter.segment(phantom(SMALL), ["liver", "left kidny"])
    assert "left kidney" in caught.value.suggestions


@pytest.mark.parametrize("voxels", ["constant", "not a number", "infinite"])
def test_voxels_that_cannot_be_segmented(contestant, voxels):
    """Faults 14 and 15."""
    array = phantom(SMALL).voxels.astype(np.float32)
    array[3, 4, 5] = {"constant": 0, "not a number": np.nan, "infinite": np.inf}[voxels]
    if voxels == "constant":
        array[:] = 7
    with pytest.raises(VolumeInvalidError):
        contestant.segmenter.segment(Volume(array, phantom(SMALL).geometry, "CT"), ["liver"])


def test_a_modality_that_the_model_does_not_know(contestant):
    """Fault 20."""
    with pytest.raises(ModalityError):
        contestant.segmenter.segment(phantom(SMALL, modality="US"), ["liver"])


def test_events(contestant):
    events, threads = [], set()

    def on_event(event):
        events.append(event)
        threads.add(threading.current_thread())

    asked = (*contestant.found, contestant.empty)
    # Content that was not seen before, so that a server gets it now.
    volume = Volume(phantom(SMALL).voxels[::-1] + 1, phantom(SMALL).geometry, "CT")
    result = contestant.segmenter.segment(volume, asked, on_event=on_event)
    assert threads == {threading.current_thread()}
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] <= fractions[-1] == 1
    assert all(event.position >= 0 for event in events if isinstance(event, Queued))
    ready = {event.mask.structure: event.mask for event in events if isinstance(event, MaskReady)}
    assert sum(isinstance(event, MaskReady) for event in events) == len(asked)
    for mask in result:
        early = ready[mask.structure]
        assert early.box == mask.box
        assert np.array_equal(early.mask, mask.mask)


def test_cancelled_before_it_began(contestant):
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(CancelledError):
        contestant.segmenter.segment(phantom(SMALL), contestant.found, cancel=cancel)


@pytest.mark.parametrize("kind", [Progress, MaskReady])
def test_cancelled_in_mid_job_and_usable_afterwards(contestant, kind):
    cancel, ready = CancelToken(), []

    def on_event(event):
        ready.extend([event] if isinstance(event, MaskReady) else [])
        if isinstance(event, kind):
            cancel.cancel()

    asked = (*contestant.found, contestant.empty)
    with pytest.raises(CancelledError):
        contestant.segmenter.segment(phantom(SMALL), asked, cancel=cancel, on_event=on_event)
    assert len(ready) < len(asked)
    assert len(contestant.segmenter.segment(phantom(SMALL), asked)) == len(asked)


def test_errors_of_the_callback_reach_the_caller(contestant):
    def on_event(event):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        contestant.segmenter.segment(phantom(SMALL), contestant.found, on_event=on_event)
    assert len(contestant.segmenter.segment(phantom(SMALL), contestant.found)) == 3


def test_two_jobs_at_once_do_not_mix(contestant):
    """Fault 48."""
    shapes = (SMALL, (24, 18, 14))
    volumes = [phantom(shape) for shape in shapes]
    alone = [contestant.segmenter.segment(volume, contestant.found) for volume in volumes]
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(contestant.segmenter.segment, v, contestant.found) for v in volumes * 2]
        together = [job.result(timeout=120) for job in jobs]
    for before, after in zip(alone * 2, together, strict=True):
        assert [mask.structure for mask in after] == list(contestant.found)
        for structure, mask in masks_of(after).items():
            assert np.array_equal(mask, masks_of(before)[structure])


def test_the_same_request_twice_gives_the_same(contestant):
    """Fault 49."""
    first, second = (contestant.segmenter.segment(phantom(SMALL), contestant.found) for _ in range(2))
    assert first.provenance == second.provenance
    for one, other in zip(first, second, strict=True):
        assert one.statistics == other.statistics
        assert np.array_equal(one.mask, other.mask)


def test_info_says_what_answers(contestant):
    info = contestant.segmenter.info()
    assert info == contestant.segmenter.info()
    assert info.model
    assert info.device
    assert {*contestant.found, contestant.empty} <= set(info.structures["CT"])
    provenance = contestant.segmenter.segment(phantom(SMALL), contestant.found).provenance
    assert provenance["model"] == info.model
    assert provenance.get("weights_sha256", info.weights_sha256) == info.weights_sha256
