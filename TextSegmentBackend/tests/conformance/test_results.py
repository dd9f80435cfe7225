"""What every segmenter promises: the same masks, verdicts and tidying everywhere, also with less effort."""

import numpy as np
import pytest
import requests
from consistency import masks_of, require_consistent
from contestants import CONTESTANTS, SMALL

from textsegment.client.remote import RemoteSegmenter
from textsegment.derive.tidy import tidy
from textsegment.derive.tidy_segment import segment_tidily
from textsegment.doubt import Calibration, of_all
from textsegment.effort import Effort
from textsegment.errors import (
    GeometryError,
)
from textsegment.files.report.summary import make_report
from textsegment.geometry import Box
from textsegment.prompt import Prompt
from textsegment.segmentation import Segmentation
from textsegment.segmenter import MaskReady
from textsegment.testing import phantom
from textsegment.wire.frames import FrameDecoder
from textsegment.wire.messages import SegmentRequest
from textsegment.wire.volumes.codec import wire_volume


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
