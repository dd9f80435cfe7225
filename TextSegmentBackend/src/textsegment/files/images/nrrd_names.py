"""Segment names in any script: 3D Slicer stores them as UTF-8, of which pynrrd keeps what is ASCII."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import IO, Any

import slicerio

_NAME = re.compile(rb"Segment(\d+)_Name:=(.*?)\r?\n?")
_LONGEST_HEADER = 2**24


def read_segmentation(path: Path | str) -> dict[str, Any]:
    """Read a segmentation as slicerio does, with the names of its segments as they are stored."""
    content: dict[str, Any] = slicerio.read_segmentation(str(path))
    segments = content["segments"]
    for number, name in _stored_names(Path(path)).items():
        if number < len(segments):
            segments[number]["name"] = name
    return content


def write_segmentation(stream: IO[bytes], content: dict[str, Any]) -> None:
    """Write a segmentation as slicerio does, with names in any script."""
    stand_ins: dict[bytes, bytes] = {}
    segments = []
    for number, segment in enumerate(content["segments"]):
        name = str(segment["name"])
        if not name.isascii():
            stand_in = f"@textsegment-name-{number}@"
            stand_ins[stand_in.encode()] = name.encode()
            segment = {**segment, "name": stand_in}
        segments.append(segment)
    header = _Header(stream, stand_ins) if stand_ins else stream
    slicerio.write_segmentation(header, {**content, "segments": segments}, compression_level=1)


class _Header(io.RawIOBase):
    """Stream that puts names in place of their stand-ins, up to the empty line that ends the header."""

    def __init__(self, stream: IO[bytes], stand_ins: dict[bytes, bytes]) -> None:
        super().__init__()
        self._stream, self._stand_ins, self._is_over = stream, stand_ins, False

    def writable(self) -> bool:
        """Return that it can be written."""
        return True

    def write(self, data: Any) -> int:
        """Write a part of the file."""
        if not self._is_over:
            self._is_over = data == b"\n"
            for stand_in, name in self._stand_ins.items():
                data = data.replace(stand_in, name)
        return self._stream.write(data)


def _stored_names(path: Path) -> dict[int, str]:
    """Return the names in the header by the number of the segment, where they are not ASCII."""
    found: dict[int, str] = {}
    with path.open("rb") as stream:
        for line in iter(lambda: stream.readline(_LONGEST_HEADER), b""):
            if line in (b"\n", b"\r\n"):
                break
            match = _NAME.fullmatch(line)
            if match is not None and not match[2].isascii():
                found[int(match[1])] = match[2].decode("utf-8", "replace")
    return found
