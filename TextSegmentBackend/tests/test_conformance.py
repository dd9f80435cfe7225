"""What every segmenter promises, asked of each kind: here, in another process, behind a network.

``pytest tests/test_conformance.py -k remote`` runs the tests of one kind.
"""

import importlib.util
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import requests
from contestants import CONTESTANTS, SMALL

from textsegment.client.remote import RemoteSegmenter
from textsegment.correction import Edit
from textsegment.derive.tidy import tidy
from textsegment.derive.tidy_segment import segment_tidily
from textsegment.doubt import Calibration, of_all
from textsegment.effort import Effort
from textsegment.errors import (
    CancelledError,
    EditError,
    GeometryError,
    ModalityError,
    PromptError,
    UnknownStructureError,
    VolumeInvalidError,
)
from textsegment.files.report.summary import make_report
from textsegment.geometry import Box, Geometry
from textsegment.origin import Maker
from textsegment.prompt import Prompt
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.segmenter import CancelToken, MaskReady, Progress, Queued
from textsegment.testing import ball, phantom
from textsegment.volume import Volume
from textsegment.wire.frames import FrameDecoder
from textsegment.wire.messages import SegmentRequest
from textsegment.wire.volumes.codec import wire_volume

DIAGONAL = np.diag([2.0, 1.5, 3.0, 1.0])
GEOMETRIES = {
    "oblique": phantom(SMALL).geometry.affine,
    "plain": DIAGONAL,
    "mirrored": DIAGONAL @ np.diag([1.0, -1, -1, 1]),
    "axes changed": DIAGONAL[[2, 0, 1, 3]],
    "far away": DIAGONAL + np.array([[0, 0, 0, -900.5], [0, 0, 0, 700.25], [0, 0, 0, 1e4], [0, 0, 0, 0]]),
}


WITHOUT_RAY = importlib.util.find_spec("ray") is None
MARKS = {"ray": [pytest.mark.slow, pytest.mark.skipif(WITHOUT_RAY, reason="Ray is not installed")]}


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=MARKS.get(name, ())) for name in CONTESTANTS]
)
def contestant(request):
    with CONTESTANTS[request.param]() as one:
        yield one


def masks_of(result):
    return {mask.structure: result.full_mask(mask.structure) for mask in result}


def require_consistent(volume, result):
    """Check that each mask is on the grid of the volume: statistics tell whether its voxels are meant."""
    assert result.geometry.spatial_shape == volume.geometry.spatial_shape
    assert np.array_equal(result.geometry.affine, volume.geometry.affine)
    for mask in result:
        whole, told = mask.full(volume.geometry.spatial_shape), mask.statistics
        assert told.voxel_count == whole.sum()
        assert told.volume_ml == pytest.approx(told.voxel_count * volume.geometry.voxel_volume_ml)
        assert told.is_empty == (not whole.any())
        if not told.is_empty:
            assert told.mean_intensity == pytest.approx(volume.voxels[whole].mean(), rel=1e-5)
            assert 0.5 <= told.mean_confidence <= 1
        inner = whole[1:-1, 1:-1, 1:-1].sum()
        assert told.touches_border == (inner < told.voxel_count)


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


def test_a_server_gives_the_masks_of_its_engine():
    with CONTESTANTS["local"]() as here, CONTESTANTS["remote"]() as there:
        ours = here.segmenter.segment(phantom((40, 36, 24)), here.found)
        theirs = there.segmenter.segment(phantom((40, 36, 24)), there.found)
    assert ours.provenance == theirs.provenance
    for one, other in zip(ours, theirs, strict=True):
        assert repr(one.statistics) == repr(other.statistics)  # NaN equals NaN
        assert np.array_equal(one.full((40, 36, 24)), other.full((40, 36, 24)))


REGION = Box((6, 4, 3), (SMALL[0] - 5, SMALL[1], SMALL[2] - 2))


def test_masks_are_judged_by_the_same_calibration_everywhere(contestant):
    result = contestant.segmenter.segment(phantom(SMALL), contestant.found)
    calibration = contestant.segmenter.info().calibration
    assert Calibration.of(result.provenance) == calibration
    is_network = contestant.segmenter.info().model == "tiny"
    assert (calibration == Calibration(0.3, 0.4, 12, 200)) is is_network
    assert all(doubt.is_judged is is_network for doubt in of_all(result))
    assert any(doubt.reasons for doubt in of_all(result))


def test_a_check_measures_how_far_a_second_computation_agrees(contestant):
    volume = phantom(SMALL)
    plain = contestant.segmenter.segment(volume, contestant.found)
    checked = contestant.segmenter.segment(volume, contestant.found, effort=Effort(check=True))
    assert masks_of(checked).keys() == masks_of(plain).keys()
    for mask, before in zip(checked, plain, strict=True):
        assert np.array_equal(mask.mask, before.mask)
        assert 0 <= mask.statistics.shift_agreement <= 1
        assert np.isnan(before.statistics.shift_agreement)


def test_masks_are_tidied_alike_everywhere(contestant):
    """By the caller with any engine; by a server itself where a client asks for it."""
    volume = phantom((40, 36, 24))
    available = contestant.segmenter.info().structures["CT"]
    names = [*contestant.found, *(name for name in ("kidney",) if name in available)]
    both = segment_tidily(contestant.segmenter, volume, names)
    assert any(mask.origin.tidied for mask in both.tidy)
    assert masks_of(both.raw).keys() == masks_of(both.tidy).keys()
    assert both.tidy.provenance == {**both.raw.provenance, "tidy": True}
    if not isinstance(contestant.segmenter, RemoteSegmenter):
        return
    server = contestant.segmenter.server_info()
    assert "tidy" in server.features
    assert ("tidy_usual" in server.features) == (server.model.calibration is not None)
    digest = wire_volume(volume).digest
    request = SegmentRequest(digest, tuple(map(Prompt, names)), wants_details=True, tidy=True)
    headers = {"TextSegment-Protocol": "1", "Content-Type": "application/json"}
    if contestant.key:
        headers["Authorization"] = f"Bearer {contestant.key}"
    url = contestant.segmenter.address.url
    answer = requests.post(f"{url}/v1/segment", request.to_json(), headers=headers, timeout=120)
    frames = list(FrameDecoder(volume.geometry.spatial_shape).push(answer.content))
    found = {frame.mask.structure: frame.mask for frame in frames if isinstance(frame, MaskReady)}
    assert set(found) == set(names)
    for mask in both.tidy:
        sent = found[mask.structure]
        assert np.array_equal(sent.full((40, 36, 24)), mask.full((40, 36, 24)))
        assert sent.warnings == mask.warnings
        assert sent.origin == mask.origin
        assert [w.code for w in sent.warnings] == [w.code for w in mask.warnings]
    assert frames[-1].provenance["tidy"] is True
    there = Segmentation(volume.geometry, tuple(found[n] for n in names), frames[-1].provenance)
    assert make_report(volume, there) == make_report(volume, both.tidy)
    assert all(after is before for before, after in zip(there, tidy(there, modality="CT"), strict=True))


def test_a_region_gives_the_masks_of_the_whole_image_inside_it(contestant):
    volume = phantom(SMALL)
    whole = masks_of(contestant.segmenter.segment(volume, contestant.found))
    result = contestant.segmenter.segment(volume, contestant.found, effort=Effort(REGION))
    assert any("region" in warning for warning in result.warnings)
    for structure, mask in masks_of(result).items():
        inside = np.zeros_like(mask)
        inside[REGION.slices] = whole[structure][REGION.slices]
        assert np.array_equal(mask, inside)
        statistics = result[structure].statistics
        if not statistics.is_empty:
            assert statistics.voxel_count == inside.sum()
            assert statistics.touches_border == result[structure].box.reaches(REGION)


def test_a_region_beyond_the_image_is_cut_and_one_outside_refused(contestant):
    volume = phantom(SMALL)
    beyond = Box((6, 4, 3), (900, 900, 900))
    cut = Box(beyond.start, SMALL)
    ours = contestant.segmenter.segment(volume, contestant.found, effort=Effort(beyond))
    theirs = contestant.segmenter.segment(volume, contestant.found, effort=Effort(cut))
    assert all(np.array_equal(masks_of(ours)[name], mask) for name, mask in masks_of(theirs).items())
    outside = Effort(Box((900, 900, 900), (901, 901, 901)))
    with pytest.raises(GeometryError, match="outside the image"):
        contestant.segmenter.segment(volume, contestant.found, effort=outside)


def test_the_fast_mode_is_said(contestant):
    result = contestant.segmenter.segment(phantom(SMALL), contestant.found, effort=Effort(fast=True))
    assert any("fast mode" in warning for warning in result.warnings)
    require_consistent(phantom(SMALL), result)


def corrected(contestant, **options):
    """Correct a ball by three drawn slices: the mask, the edits, the truth and the old mask."""
    volume = phantom(SMALL)
    true, old = ball("liver", volume.geometry), ball("aorta", volume.geometry)
    edits = [Edit.slice_of(true, 2, n) for n in (4, 6, 8)]
    base = StructureMask.measured("Liver", old, volume.geometry)
    mask = contestant.segmenter.correct(volume, edits=edits, base=base, **options)
    return mask, edits, true, old


def test_a_correction_keeps_what_was_drawn(contestant):
    events = []
    mask, edits, true, old = corrected(contestant, on_event=events.append)
    new = mask.full(SMALL)
    assert all(np.array_equal(new[edit.box.slices], edit.inside) for edit in edits)
    assert mask.structure == "Liver"
    assert mask.origin.maker is Maker.EDITED
    assert (new ^ true).sum() < (old ^ true).sum()
    told = mask.statistics
    assert told.voxel_count == new.sum()
    assert told.mean_intensity == pytest.approx(phantom(SMALL).voxels[new].mean(), rel=1e-5)
    (ready,) = [event.mask for event in events if isinstance(event, MaskReady)]
    assert ready.origin.maker is Maker.EDITED
    assert np.array_equal(ready.full(SMALL), new)
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


def test_a_correction_repeated_is_the_same(contestant):
    first, second = (corrected(contestant, prompt="liver")[0] for _ in range(2))
    assert np.array_equal(first.full(SMALL), second.full(SMALL))
    assert first.statistics.voxel_count == second.statistics.voxel_count


def test_a_structure_drawn_once(contestant):
    volume = phantom(SMALL)
    true = ball("liver", volume.geometry)
    edits = [Edit.slice_of(true, 0, int(n)) for n in np.flatnonzero(true.any(axis=(1, 2)))[1::2]]
    mask = contestant.segmenter.correct(volume, edits=edits, name="My GTV")
    assert mask.structure == "My GTV"
    new = mask.full(SMALL)
    assert 2 * (new & true).sum() / (new.sum() + true.sum()) > 0.6


def test_a_correction_of_what_the_model_finds(contestant):
    structure, volume = contestant.found[0], phantom(SMALL)
    found = contestant.segmenter.segment(volume, [structure])[structure].full(SMALL)
    point = volume.geometry.to_ras(np.argwhere(found)[0])
    marked = Edit.stroke(point, volume.geometry, belongs=False)
    mask = contestant.segmenter.correct(volume, edits=[marked], prompt=structure)
    assert mask.structure == structure
    assert not mask.full(SMALL)[marked.box.slices][marked.known].any()


def test_a_correction_within_a_box(contestant):
    mask, _, _, old = corrected(contestant, within=Box((0, 0, 0), (20, 16, 6)))
    assert np.array_equal(mask.full(SMALL)[:, :, 9:], old[:, :, 9:])


def test_edits_that_contradict_each_other_are_said(contestant):
    volume = phantom(SMALL)
    true = ball("liver", volume.geometry)
    edits = [Edit.slice_of(true, 2, 6), Edit.slice_of(true, 2, 4), Edit.slice_of(true & False, 2, 6)]
    mask = contestant.segmenter.correct(volume, edits=edits, name="it")
    assert not mask.full(SMALL)[:, :, 6].any()
    (caution,) = [w for w in mask.warnings if getattr(w, "code", "") == "edits_disagree"]
    assert caution.values["count"] == true[:, :, 6].sum()


POINT = Edit.block(Box((3, 3, 3), (5, 5, 5)), belongs=True)
HALF = StructureMask.measured("liver", np.ones((10, 16, 12), dtype=bool), phantom(SMALL).geometry)


@pytest.mark.parametrize(
    ("edits", "options", "error"),
    [
        ([], {"name": "it"}, EditError),
        ([Edit.block(Box((18, 3, 3), (22, 5, 5)), belongs=True)], {"name": "it"}, EditError),
        ([Edit.block(Box((0, 0, 0), SMALL), belongs=True)], {"name": "it"}, EditError),
        ([Edit.block(Box((10, 0, 0), SMALL), belongs=True)], {"base": HALF}, EditError),
        ([POINT], {}, PromptError),
        ([POINT], {"prompt": "livr"}, UnknownStructureError),
        ([POINT], {"name": "it", "volume": phantom(SMALL, modality="US")}, ModalityError),
    ],
    ids=[
        "no edits",
        "elsewhere",
        "everything",
        "everything in all",
        "no name",
        "unknown",
        "modality",
    ],
)
def test_corrections_that_cannot_be_made(contestant, edits, options, error):
    given = {"volume": phantom(SMALL), **options}
    with pytest.raises(error):
        contestant.segmenter.correct(given.pop("volume"), edits=edits, **given)


def test_a_correction_can_be_cancelled(contestant):
    cancel = CancelToken()

    def on_event(event):
        cancel.cancel()

    with pytest.raises(CancelledError):
        corrected(contestant, cancel=cancel, on_event=on_event)
    assert corrected(contestant)[0].statistics.voxel_count
