"""Speed and compressed size of the codecs on a real chest CT, in processor time of one thread.

    python benchmarks/codec.py

The CT is ``CTChest4`` from the package slicerio, repeated along its slowest axis up to 71 MB: the copies are
1.1 MB apart, far beyond the 32 KiB window in which deflate finds repetitions.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nrrd
import numpy as np
import slicerio

from textsegment.geometry import Box, Geometry
from textsegment.segmentation import MaskStatistics, StructureMask
from textsegment.volume import Volume
from textsegment.wire.limits import Limits
from textsegment.wire.mask_codec import decode_mask, encode_mask
from textsegment.wire.volumes.codec import assemble_volume, encode_volume, wire_volume
from textsegment.wire.volumes.decoder import VolumeDecoder
from textsegment.wire.volumes.header import Encoding

REPEATS = 64


def timed(action: Callable[[], Any]) -> tuple[Any, float]:
    """Call a function; return its result and the processor time in seconds."""
    start = time.process_time()
    result = action()
    return result, time.process_time() - start


def chest_ct() -> Volume:
    """Return the CT as int16, repeated along i."""
    voxels, _ = nrrd.read(str(Path(slicerio.__file__).parent / "data" / "CTChest4.nrrd"))
    tiled = np.tile(voxels.astype(np.int16), (REPEATS, 1, 1))
    return Volume(tiled, Geometry(tiled.shape, np.diag([3.0, 3.0, 10.0, 1.0])), "CT")


def received(pieces: list[bytes], digest: str) -> Volume:
    """Decode an upload into memory, as a server does."""
    decoder = VolumeDecoder(Limits())
    raw = bytearray()
    for piece in pieces:
        for _, chunk in decoder.push(piece):
            raw += chunk
    decoder.finish()
    assert decoder.header is not None
    return assemble_volume(decoder.header, raw, digest)


def report_volume(volume: Volume) -> None:
    """Print the speed and size of an upload."""
    megabytes = volume.voxels.nbytes / 1e6
    digest, seconds = timed(lambda: volume.digest)
    print(f"CT of {megabytes:.0f} MB, digest {megabytes / seconds:.0f} MB/s")
    for encoding in Encoding:
        pieces, encode_s = timed(lambda e=encoding: list(encode_volume(volume, e)))
        _, decode_s = timed(lambda p=pieces: received(p, digest))
        ratio = volume.voxels.nbytes / sum(map(len, pieces))
        print(
            f"{encoding.name:9} encode {megabytes / encode_s:5.0f} MB/s, decode and prove "
            f"{megabytes / decode_s:5.0f} MB/s, {ratio:.2f} times smaller"
        )
    raw = volume.voxels[: volume.voxels.shape[0] // 8].tobytes()
    packed, seconds = timed(lambda: gzip.compress(raw, 6))
    print(
        f"gzip -6   encode {len(raw) / 1e6 / seconds:5.0f} MB/s, {len(raw) / len(packed):.2f} times smaller"
    )


def report_mask(volume: Volume) -> None:
    """Print the speed and size of a mask that holds everything between fat and bone."""
    voxels = (volume.voxels > -20) & (volume.voxels < 150)
    box = Box((0, 0, 0), voxels.shape)
    mask = StructureMask("soft tissue", box, voxels, MaskStatistics(int(voxels.sum()), 1.0, 40.0, 0.9, True))
    payload, encode_s = timed(lambda: encode_mask(mask))
    _, decode_s = timed(lambda: decode_mask(payload, voxels.shape))
    print(
        f"mask of {voxels.size / 1e6:.1f} million voxels: {len(payload) / 1e3:.0f} kB, "
        f"encode {encode_s * 1e3:.0f} ms, decode {decode_s * 1e3:.0f} ms"
    )


if __name__ == "__main__":
    ct = wire_volume(chest_ct())
    report_volume(ct)
    report_mask(ct)
