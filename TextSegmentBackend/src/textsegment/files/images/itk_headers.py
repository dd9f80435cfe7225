"""Detection of NRRD and MetaImage header entries that ITK would silently assume.

ITK defaults to voxel sizes of 1 mm, axes to the left, posterior and superior, and millimetres. A header that
lacks these or says otherwise is detected here before its voxels are read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nrrd
import numpy as np
from numpy.typing import NDArray

from textsegment.caution import Caution
from textsegment.errors import GeometryError, InputNotFoundError, InputUnreadableError
from textsegment.files.images.units import millimetres

_ORIENTED_SPACES = {"ras", "las", "lps"} | {
    f"{x}-{y}-{z}"
    for x in ("left", "right")
    for y in ("posterior", "anterior")
    for z in ("superior", "inferior")
}
_META_HEADER_BYTES = 1 << 16
# Numbered file names: "slice%03d.raw 1 40 1".
_PATTERN = re.compile(r"(\S*%0?\d*d\S*)\s+(-?\d+)\s+(-?\d+)(?:\s+(\d+))?")
_MOST_FILES = 100_000
_LISTED = re.compile(rb"data ?file:\s*LIST\b")
_LIST_BYTES = 1 << 24
_MOST_LINES = 10_000


@dataclass(frozen=True)
class HeaderFacts:
    """Facts in a header beyond those that ITK uses.

    Attributes:
        scale: Millimetres per unit of each spatial axis, by which the rows of the affine are multiplied.
        data_files: Names of the files with the voxels; empty if the voxels follow the header.
        has_voxel_sizes: Whether the header gives three voxel sizes.
        warnings: Sentences that the user should see.
    """

    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    data_files: tuple[str, ...] = ()
    has_voxel_sizes: bool = True
    warnings: tuple[str, ...] = ()

    def require_data(self, header_path: Path) -> None:
        """Check that the files with the voxels exist.

        Raises:
            InputNotFoundError: A file is missing.
        """
        if not all((header_path.parent / name).is_file() for name in self.data_files):
            raise InputNotFoundError(
                "The file that holds the voxels is missing: the header names one of its own.",
                "It lies beside the header: copy both.",
            )

    def require_voxel_sizes(self) -> None:
        """Check that the header gives all voxel sizes, so that none is assumed.

        Raises:
            GeometryError: A voxel size is missing or not a number.
        """
        if not self.has_voxel_sizes:
            raise GeometryError("The file does not give three voxel sizes.", "Repair the image header.")


def nrrd_facts(path: Path) -> HeaderFacts:
    """Return the facts in the header of an NRRD file.

    Raises:
        NRRDError: The header is damaged.
    """
    lines, listed = _nrrd_lines(path)
    header = nrrd.read_header(iter(lines))
    oriented = (
        str(header.get("space", "")).lower().removesuffix("-time").removesuffix("t") in _ORIENTED_SPACES
    )
    directions = np.atleast_2d(header.get("space directions", np.empty((0, 3))))
    spacings = np.asarray(header.get("spacings", ()), dtype=np.float64)
    has_directions = np.isfinite(directions).all(axis=1).sum() >= 3
    has_sizes = bool(has_directions or np.isfinite(spacings).sum() >= 3)
    units = header.get("space units") if has_directions else _of_space(header.get("units"), spacings)
    scale, about_units = _scale_of(units or ())
    names = header.get("data file", header.get("datafile", ()))
    files = listed or (_files_of(str(names)) if names else ())
    return HeaderFacts(scale, files, has_sizes, (*(() if oriented else (_unoriented(),)), *about_units))


def meta_facts(path: Path) -> HeaderFacts:
    """Return the facts in the header of a MetaImage file.

    Raises:
        InputUnreadableError: The file does not have a MetaImage header.
    """
    header, rest = _meta_header(path)
    dimensions = int(header.get("ndims", "0"))
    sizes = header.get("elementspacing", header.get("elementsize", "")).split()
    matrix = any(key in header for key in ("transformmatrix", "rotation", "orientation"))
    unit = header.get("distanceunits", "mm")
    scale, about_units = _scale_of([unit] * 3)
    name = header["elementdatafile"]
    if name.upper() == "LOCAL":
        files: tuple[str, ...] = ()
    elif name.upper().startswith("LIST"):
        files = tuple(line.strip() for line in rest.splitlines() if line.strip())
    else:
        files = _files_of(name)
    about = (*(() if matrix else (_unoriented(),)), *about_units)
    return HeaderFacts(scale, files, len(sizes) >= min(dimensions, 3), about)


def _nrrd_lines(path: Path) -> tuple[list[bytes], tuple[str, ...]]:
    """Return the lines of a header, and the names of the data files listed at its end."""
    lines: list[bytes] = []
    with path.open("rb") as stream:
        for line in stream:
            if not line.strip():
                break
            if _LISTED.match(line):
                names = stream.read(_LIST_BYTES).decode("utf-8", "surrogateescape").splitlines()
                return lines, tuple(name.strip() for name in names if name.strip())
            lines.append(line)
            if len(lines) > _MOST_LINES:
                break
    return lines, ()


def _meta_header(path: Path) -> tuple[Mapping[str, str], str]:
    """Return the entries keyed by name in lower case, and the text after the last entry."""
    with path.open("rb") as stream:
        lines = stream.read(_META_HEADER_BYTES).decode("latin-1").splitlines(keepends=True)
    header: dict[str, str] = {}
    for number, line in enumerate(lines):
        key, sign, value = line.partition("=")
        if not sign:
            break
        header[key.strip().lower()] = value.strip()
        if key.strip().lower() == "elementdatafile":
            return header, "".join(lines[number + 1 :]) if value.strip().upper().startswith("LIST") else ""
    raise InputUnreadableError(
        "The file is no image that can be read, or it is damaged.", "Open it in a viewer, or copy it again."
    )


def _files_of(name: str) -> tuple[str, ...]:
    pattern = _PATTERN.fullmatch(name.strip())
    if pattern is None:
        return (name,)
    first, last, step = int(pattern[2]), int(pattern[3]), int(pattern[4] or 1)
    numbers = range(first, last + 1, max(step, 1))
    return tuple(pattern[1] % number for number in numbers[:_MOST_FILES])


def _of_space(units: Any, spacings: NDArray[np.float64]) -> list[str]:
    """Return the units of the axes that have a voxel size."""
    return [str(unit) for unit, size in zip(units or (), spacings, strict=False) if np.isfinite(size)]


def _scale_of(units: Any) -> tuple[tuple[float, float, float], tuple[str, ...]]:
    names = [str(unit).strip().strip('"') for unit in units][:3]
    given = [name for name in names if name and name != "?"]
    if len(given) < 3:
        return (1.0, 1.0, 1.0), ()
    found = [millimetres(name) for name in names]
    if None in found:
        return (1.0, 1.0, 1.0), (Caution("unit_unknown"),)
    x, y, z = (float(value or 1.0) for value in found)
    return (x, y, z), ()


def _unoriented() -> Caution:
    return Caution("orientation_unsaid")
