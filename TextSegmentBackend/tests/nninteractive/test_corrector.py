"""Corrections by an nnInteractive server: what every engine promises, and exact geometry."""

import socket
import subprocess
import sys
import threading

import numpy as np
import pytest
from nninteractive_server import LICENSE, stand_in

from textsegment.correction import Edit
from textsegment.errors import (
    BusyError,
    CancelledError,
    EditError,
    EngineLostError,
    LimitExceededError,
    PromptError,
    RequestError,
    ServerUnreachableError,
    SettingsError,
    StreamBrokenError,
    UnauthorizedError,
    VersionMismatchError,
)
from textsegment.geometry import Box
from textsegment.nninteractive.corrector import NNInteractiveCorrector
from textsegment.origin import Maker
from textsegment.segmentation import StructureMask
from textsegment.segmenter import CancelToken, MaskReady, Progress
from textsegment.testing import phantom
from textsegment.volume import Volume

SHAPE = (24, 18, 13)
GEOMETRY = phantom(SHAPE).geometry  # oblique, mirrored, 2 × 2 × 3 mm


def lump(start, stop):
    found = np.zeros(SHAPE, dtype=bool)
    found[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = True
    return found


# No two sides alike, and notched, so that no flip or exchange of axes goes unnoticed.
TRUTH = lump((4, 5, 2), (15, 12, 8)) & ~lump((4, 5, 2), (7, 7, 5))
OTHER = lump((18, 2, 9), (23, 6, 12))


def image(dtype=np.int16):
    shades = np.linspace(0, 40, TRUTH.size).reshape(SHAPE)
    voxels = shades + np.where(TRUTH, 300, 0) + np.where(OTHER, 700, 0)
    return Volume(voxels.astype(dtype), GEOMETRY, "PT")


VOLUME = image()
DISC = Edit.slice_of(TRUTH, 2, 4)


@pytest.fixture
def server():
    with stand_in() as one:
        yield one


@pytest.fixture
def corrector(server):
    with NNInteractiveCorrector(server.url) as one:
        yield one


def full(mask):
    return mask.full(SHAPE)


def measured(mask, name="lump"):
    return StructureMask.measured(name, mask, GEOMETRY)


def center_ras(mask):
    return GEOMETRY.to_ras(np.argwhere(mask).mean(axis=0).round())


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_slice_that_was_drawn_becomes_the_whole_structure_on_the_same_grid(corrector, server, axis):
    events = []
    edit = Edit.slice_of(TRUTH, axis, 7 if axis != 2 else 4)
    mask = corrector.correct(VOLUME, edits=[edit], name="lump", on_event=events.append)
    assert np.array_equal(full(mask), TRUTH)
    assert np.array_equal(server.images[0].T, VOLUME.voxels)
    ((kind, belongs, mark),) = server.marks
    drawn = np.zeros(SHAPE, dtype=bool)
    drawn[edit.box.slices] = edit.inside
    assert (kind, belongs) == ("lasso", True)
    assert np.array_equal(mark.T, drawn)
    assert mask.structure == "lump"
    assert mask.origin.maker is Maker.EDITED
    assert [w.code for w in mask.warnings] == ["by_nninteractive"]
    assert LICENSE in mask.warnings[0]
    assert isinstance(events[-1], MaskReady)
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


def test_points_strokes_and_boxes_mark_the_voxels_that_they_were_drawn_on(corrector, server):
    inside = Edit.stroke(center_ras(TRUTH), GEOMETRY, belongs=True)
    line = GEOMETRY.to_ras(np.array([[n, 9, 6] for n in range(5, 14)]))
    stroke = Edit.stroke(line, GEOMETRY, belongs=True, radius_mm=2)
    box = Edit.block(Box((18, 2, 9), (23, 6, 12)), belongs=False)
    grown = Edit.block(Box((8, 8, 3), (12, 11, 7)), belongs=True)
    mask = corrector.correct(VOLUME, edits=[inside, stroke, box, grown], name="lump")
    assert np.array_equal(full(mask), TRUTH)
    kinds = [(kind, belongs) for kind, belongs, _ in server.marks]
    assert kinds[0] == ("point", True)
    assert set(kinds[1:-2]) == {("scribble", True)}
    assert kinds[-2:] == [("bbox", False), ("lasso", True)]
    for (_, _, mark), edit in zip(
        [server.marks[0], *server.marks[1:-2], *server.marks[-2:]],
        [inside, *[stroke] * len(kinds[1:-2]), box, grown],
        strict=True,
    ):
        known = np.zeros(SHAPE, dtype=bool)
        known[edit.box.slices] = edit.known
        assert not (mark.T & ~known).any()
    assert server.runs == 1


def test_an_old_mask_is_mended_and_what_was_drawn_stays(corrector, server):
    old = measured(TRUTH & lump((0, 0, 0), (24, 18, 5)) | OTHER)
    after = full(old).copy()
    after[:, :, 6] = TRUTH[:, :, 6]
    after[:, :, 10] = False
    after[5, 5, 6] = True  # a voxel that no network would find
    edits = [Edit.slice_of(after, 2, 6), Edit.slice_of(after, 2, 10)]
    mask = corrector.correct(VOLUME, edits=edits, base=old)
    assert np.array_equal(server.initial.T, full(old))
    assert [(kind, belongs) for kind, belongs, _ in server.marks] == [("lasso", True), ("lasso", False)]
    expected = TRUTH.copy()
    expected[:, :, 6] = after[:, :, 6]
    assert np.array_equal(full(mask), expected)
    assert mask.structure == "lump"
    assert mask.statistics.voxel_count == expected.sum()


def test_nothing_beyond_the_box_to_correct_changes(corrector):
    within = Box((0, 0, 0), (24, 18, 6))
    mask = corrector.correct(VOLUME, edits=[DISC], name="lump", within=within)
    assert np.array_equal(full(mask), TRUTH & lump((0, 0, 0), (24, 18, 6)))


@pytest.mark.parametrize("dtype", [np.uint16, np.float64, np.uint8])
def test_voxels_of_other_types_arrive_with_their_values(corrector, server, dtype):
    volume = Volume((image(float).voxels / 3).astype(dtype), GEOMETRY, "PT")
    mask = corrector.correct(volume, edits=[DISC], name="lump")
    assert np.array_equal(server.images[0].T, volume.voxels.astype(np.float32))
    assert np.array_equal(full(mask), TRUTH)


def test_the_image_is_sent_once_and_each_request_stands_alone(corrector, server):
    first = corrector.correct(VOLUME, edits=[DISC], name="lump")
    other = corrector.correct(VOLUME, edits=[Edit.slice_of(OTHER, 2, 10)], name="other")
    again = corrector.correct(VOLUME, edits=[DISC], name="lump")
    assert np.array_equal(full(first), full(again))
    assert np.array_equal(full(other), OTHER)
    assert server.asked.count("/set_image") == 1
    corrector.correct(image(np.float32), edits=[DISC], name="lump")
    assert server.asked.count("/set_image") == 2
    corrector.close()
    assert server.lease is None


def test_a_session_that_the_server_gave_up_is_begun_anew(corrector, server):
    corrector.correct(VOLUME, edits=[DISC], name="lump")
    server.expire()
    mask = corrector.correct(VOLUME, edits=[DISC], name="lump")
    assert np.array_equal(full(mask), TRUTH)
    assert server.asked.count("/set_image") == 2


@pytest.mark.parametrize(
    ("edits", "more", "error"),
    [
        ([], {"name": "it"}, EditError),
        ([Edit.block(Box((20, 0, 0), (30, 4, 4)), belongs=True)], {"name": "it"}, EditError),
        ([Edit.block(Box((0, 0, 0), SHAPE), belongs=True)], {"name": "it"}, EditError),
        ([Edit.block(Box((0, 0, 0), (2, 2, 2)), belongs=False)], {"name": "it"}, EditError),
        ([DISC], {}, PromptError),
        ([DISC], {"name": "it", "within": Box((40, 40, 40), (50, 50, 50))}, EditError),
    ],
)
def test_bad_edits_are_refused_before_anything_is_sent(corrector, server, edits, more, error):
    with pytest.raises(error):
        corrector.correct(VOLUME, edits=edits, **more)
    assert server.asked == []


def test_edits_that_contradict_each_other_are_said_and_the_last_one_counts(corrector):
    erased = Edit.block(Box((8, 8, 4), (10, 10, 5)), belongs=False)
    mask = corrector.correct(VOLUME, edits=[DISC, erased], name="lump")
    assert [w.code for w in mask.warnings] == ["edits_disagree", "by_nninteractive"]
    assert not full(mask)[8:10, 8:10, 4].any()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, RequestError),
        (404, VersionMismatchError),
        (413, LimitExceededError),
        (500, EngineLostError),
        (503, BusyError),
        (401, UnauthorizedError),
    ],
)
def test_failures_of_the_server_are_typed_and_the_next_request_works(corrector, server, status, error):
    server.failing = status
    with pytest.raises(error):
        corrector.correct(VOLUME, edits=[DISC], name="lump")
    assert np.array_equal(full(corrector.correct(VOLUME, edits=[DISC], name="lump")), TRUTH)


def test_a_key_is_asked_for():
    with stand_in(key="right") as server:
        with pytest.raises(UnauthorizedError), NNInteractiveCorrector(server.url, "wrong") as corrector:
            corrector.correct(VOLUME, edits=[DISC], name="lump")
        with NNInteractiveCorrector(server.url, "right") as corrector:
            assert corrector.info().model == "nnInteractive 2.6.0"


def test_a_server_in_use_is_busy(server):
    with NNInteractiveCorrector(server.url) as first, NNInteractiveCorrector(server.url) as second:
        first.correct(VOLUME, edits=[DISC], name="lump")
        with pytest.raises(BusyError):
            second.correct(VOLUME, edits=[DISC], name="lump")


@pytest.mark.parametrize(
    ("capabilities", "more"),
    [
        ({"supported_interactions": {"points": True}}, {}),
        ({"supports_initial_label": False}, {"base": measured(OTHER)}),
        ({"inference_session_version": None}, {}),
        ({"supported_interactions": None}, {}),
    ],
)
def test_another_model_or_version_is_said(capabilities, more):
    with (
        stand_in(**capabilities) as server,
        NNInteractiveCorrector(server.url) as corrector,
        pytest.raises(VersionMismatchError),
    ):
        corrector.correct(VOLUME, edits=[DISC], name="lump", **more)
    assert "/set_image" not in server.asked
    assert server.lease is None


def test_no_server_and_a_server_of_another_kind():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ServerUnreachableError), NNInteractiveCorrector(url) as corrector:
            corrector.info()
    with socket.create_server(("127.0.0.1", 0)) as odd:
        url = f"http://127.0.0.1:{odd.getsockname()[1]}"
        hanging_up = threading.Thread(target=lambda: odd.accept()[0].close(), daemon=True)
        hanging_up.start()
        with pytest.raises(StreamBrokenError), NNInteractiveCorrector(url) as corrector:
            corrector.info()
        hanging_up.join(60)


def test_addresses_that_would_show_the_image_are_refused(monkeypatch):
    with pytest.raises(SettingsError):
        NNInteractiveCorrector("http://gpu.example.org:1527")
    NNInteractiveCorrector("http://gpu.example.org:1527", allow_plain_http=True)
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example.org:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(SettingsError, match="proxy"):
        NNInteractiveCorrector("http://127.0.0.1:1527")
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    NNInteractiveCorrector("http://127.0.0.1:1527")


def test_cancelling_leaves_at_once_and_gives_the_session_back(corrector, server):
    server.hanging.clear()
    cancel = CancelToken()

    def stop():
        server.reached.wait(60)
        cancel.cancel()

    threading.Thread(target=stop, daemon=True).start()
    with pytest.raises(CancelledError):
        corrector.correct(VOLUME, edits=[DISC], name="lump", cancel=cancel)
    server.hanging.set()
    released = threading.Event()
    while not released.wait(0.01):
        if server.lease is None:
            released.set()
    assert np.array_equal(full(corrector.correct(VOLUME, edits=[DISC], name="lump")), TRUTH)


def test_without_the_client_the_error_says_what_to_install():
    code = (
        "import sys; sys.modules['nnInteractive'] = None\n"
        "from textsegment.nninteractive.corrector import NNInteractiveCorrector\n"
        "try: NNInteractiveCorrector('http://127.0.0.1:9').info()\n"
        "except Exception as error: print(error.code, error.hint)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("dependency_missing")
    assert "textsegment[nninteractive]" in run.stdout
