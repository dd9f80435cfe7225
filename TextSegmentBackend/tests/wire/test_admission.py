import pytest
from wire_samples import made_volume

from textsegment.errors import LimitExceededError, RequestError, VersionMismatchError
from textsegment.wire.admission import require_length, require_media_type, require_version
from textsegment.wire.contract import JSON_TYPE, VOLUME_TYPE, checked_digest, volume_path
from textsegment.wire.limits import Limits
from textsegment.wire.volumes.codec import encode_volume
from textsegment.wire.volumes.header import CHUNK_BYTES


@pytest.mark.parametrize("header", [None, "", "2", "0", "-1", "1.0", "one", "9" * 5000, "²", "１"])
def test_version(header):
    """Fault 61."""
    require_version("1")
    with pytest.raises(VersionMismatchError):
        require_version(header)


@pytest.mark.parametrize("header", [None, "", "text/plain", "application/vnd.textsegment.answer", "x" * 9999])
def test_media_type(header):
    require_media_type(VOLUME_TYPE, VOLUME_TYPE)
    require_media_type("Application/JSON; charset=utf-8", JSON_TYPE)
    with pytest.raises(RequestError):
        require_media_type(header, VOLUME_TYPE)


@pytest.mark.parametrize("header", ["101", "9" * 18, "9" * 10_000])
def test_oversized_content_length(header):
    """Fault 1."""
    require_length("100", 100)
    require_length(None, 100)
    with pytest.raises(LimitExceededError):
        require_length(header, 100)


@pytest.mark.parametrize("header", ["0", "", "-1", "1e3", "0x10", " 5", "²", "１"])
def test_content_length_that_is_none(header):
    with pytest.raises(RequestError):
        require_length(header, 100)


@pytest.mark.parametrize(
    "name", ["", "..", "../" * 20, "A" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n", "é" * 64, None]
)
def test_volume_names(name):
    """Fault 39."""
    assert volume_path("a1" * 32) == "/v1/volumes/" + "a1" * 32
    with pytest.raises(RequestError):
        checked_digest(name)


def test_largest_upload_of_noise_passes():
    volume = made_volume((128, 128, CHUNK_BYTES // 128 // 128), "<f8")
    body = b"".join(encode_volume(volume))
    limits = Limits(max_volume_bytes=volume.voxels.nbytes)
    assert volume.voxels.nbytes < len(body) <= limits.max_upload_bytes
    require_length(str(len(body)), limits.max_upload_bytes)
