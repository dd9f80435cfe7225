"""What every segmenter promises: corrections."""

import numpy as np
import pytest
from contestants import SMALL

from textsegment.correction import Edit
from textsegment.errors import (
    CancelledError,
    EditError,
    ModalityError,
    PromptError,
    UnknownStructureError,
)
from textsegment.geometry import Box
from textsegment.origin import Maker
from textsegment.segmentation import StructureMask
from textsegment.segmenter import CancelToken, MaskReady, Progress
from textsegment.testing import ball, phantom


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
