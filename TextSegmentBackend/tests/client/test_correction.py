"""Corrections that a server cannot take are refused before anything is sent."""

import pytest

from textsegment.client.request import PreparedCorrection, VolumeIdentities
from textsegment.correction import Correction, Edit
from textsegment.errors import LimitExceededError, ModalityError, UnknownStructureError, VersionMismatchError
from textsegment.testing import FakeSegmenter, ball, phantom
from textsegment.wire.limits import Limits
from textsegment.wire.messages import ServerInfo
from textsegment.wire.volumes.header import Encoding

VOLUME = phantom((20, 18, 12))


def prepared(volume=VOLUME, **options) -> PreparedCorrection:
    drawn = Edit.slice_of(ball("liver", volume.geometry), 2, 6)
    correction = Correction.of(volume, [drawn], **{"name": "it", **options})
    return PreparedCorrection(correction, VolumeIdentities().of(volume), Encoding.RAW)


def info(features=("correct",), **limits) -> ServerInfo:
    return ServerInfo("1", FakeSegmenter().info(), "", Limits(**limits), features=features)


def test_an_older_server_is_named_as_the_reason():
    with pytest.raises(VersionMismatchError, match="too old to correct"):
        prepared().require_accepted(info(features=("effort", "details")))
    prepared().require_accepted(info())


def test_what_the_server_would_refuse():
    with pytest.raises(UnknownStructureError):
        prepared(prompt="livr").require_accepted(info())
    with pytest.raises(ModalityError):
        prepared(phantom((20, 18, 12), modality="US")).require_accepted(info())
    with pytest.raises(LimitExceededError):
        prepared().require_accepted(info(max_voxels=4319))
    with pytest.raises(LimitExceededError):
        prepared().require_accepted(info(max_voxels=4320, max_request_bytes=10))
