"""Choice of the series that is the scan; raises an error if the choice is not clear."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase

from textsegment.caution import Caution
from textsegment.errors import InputError, InputNotFoundError, InputUnreadableError, VolumeInvalidError
from textsegment.files.dicom.header import (
    FEWEST_PLANES,
    ImageFiles,
    ImageHeader,
    find_images,
    quiet_pydicom,
    read_headers,
)

Where = Path | str | Sequence[Path | str]
"""A folder, searched with its subfolders if needed, one file that stands for its series, or all files."""


@dataclass(frozen=True, eq=False)
class Series:
    """Images of one series.

    Attributes:
        key: Identifier for users: the series number, with a letter if several series share it.
        headers: Headers of the images, without scouts if there are other images.
    """

    key: str
    headers: tuple[ImageHeader, ...]

    @property
    def modality(self) -> str:
        """Modality code, or ``"?"``."""
        return self.headers[0].modality

    @property
    def plane_count(self) -> int:
        """Number of image planes."""
        return sum(header.frame_count for header in self.headers)

    def __str__(self) -> str:
        """Describe the series for display, without patient data."""
        return f"series {self.key} ({self.modality}, {self.plane_count} slices)"


def list_series(where: Where) -> tuple[Series, ...]:
    """Return the series found, sorted by number.

    Raises:
        InputNotFoundError: A file or folder does not exist.
        InputUnreadableError: There are no DICOM files, or they are damaged.
        VolumeInvalidError: There is no scan among the files (structure sets, segmentations, …).
    """
    with quiet_pydicom():
        return _grouped(_find(where).images)


def choose_series(
    where: Where, *, modality: str | None = None, series: str | None = None
) -> tuple[Series, tuple[str, ...]]:
    """Choose the series to read, and return it with messages about the choice.

    A single file stands for its series. Among several series, the only one of the wanted modality is chosen,
    or the only one long enough to be a scan; the choice is never a guess.

    Args:
        where: Folder, file or files.
        modality: DICOM code of the wanted modality, or None.
        series: Key of the series as in ``list_series``, or its instance UID.

    Raises:
        InputError: Several series could be meant, or none matches ``series``.
        InputNotFoundError, InputUnreadableError, VolumeInvalidError: As ``list_series``.
    """
    found = _find(where)
    there, warnings = _placed(_grouped(found.images))
    if found.damaged:
        warnings += (f"{found.damaged} DICOM files are damaged and were left out.",)
    if series is not None:
        return _named(_grouped(found.images), series), warnings
    matching = [s for s in there if s.modality == modality] or list(there)
    if len(matching) == 1:
        return matching[0], warnings
    long = [s for s in matching if s.plane_count >= FEWEST_PLANES]
    if len(long) == 1:
        others = "; ".join(str(s) for s in there if s is not long[0])
        taken = (
            f"There are several series: {long[0]} was taken, the only one of {FEWEST_PLANES} slices or more."
        )
        return long[0], (*warnings, f"{taken} Beside it: {others}.")
    several = len({_patient(s) for s in there}) > 1
    patients = "They are of several patients: give a folder for each. Or s" if several else "S"
    raise InputError(
        f"There are several series: {'; '.join(map(str, there))}.",
        f"{patients}ay which with --series and its number, or give one file of it.",
    )


def _placed(there: Sequence[Series]) -> tuple[Sequence[Series], tuple[str, ...]]:
    """Drop series without positions (screenshots, dose pages), unless there are no others."""
    kept = [series for series in there if any(header.is_placed for header in series.headers)]
    if not kept or len(kept) == len(there):
        return there, ()
    count = sum(s.plane_count for s in there) - sum(s.plane_count for s in kept)
    return kept, (Caution("unplaced_images_left_out", count=count),)


def _patient(series: Series) -> tuple[str, str]:
    dataset = series.headers[0].dataset
    return str(dataset.get("PatientID") or ""), str(dataset.get("PatientName") or "")


def _named(there: Sequence[Series], wanted: str) -> Series:
    for series in there:
        if wanted.strip().lower() == series.key or wanted.strip() == series.headers[0].series != "":
            return series
    raise InputError(
        "There is no series of this number, or several.", f"There are: {'; '.join(map(str, there))}."
    )


def _find(where: Where) -> ImageFiles:
    """Read the headers of the given files, and check that there is at least one image."""
    if isinstance(where, (str, Path)):
        path = Path(where)
        _require_readable(path)
        if path.is_dir():
            found = find_images(path)
        else:
            found = read_headers([path])
            _require_images(found)
            found = _series_around(path, found)
    else:
        paths = [Path(path) for path in where]
        for path in paths:
            _require_readable(path)
        found = read_headers(paths)
    _require_images(found)
    return found


def _series_around(path: Path, found: ImageFiles) -> ImageFiles:
    if found.images[0].frame_count > 1:
        return found
    beside = read_headers(p for p in sorted(path.parent.iterdir()) if p.is_file())
    series = found.images[0].series
    return ImageFiles(tuple(header for header in beside.images if header.series == series), frozenset(), 0)


def _require_readable(path: Path) -> None:
    if not path.exists():
        raise InputNotFoundError("There is no such file or folder.", "Check the path.")
    if not os.access(path, os.R_OK):
        raise InputUnreadableError("The image may not be read.", "Check its permissions.")


def _require_images(found: ImageFiles) -> None:
    if found.images:
        return
    if found.others:
        kinds = ", ".join(sorted(found.others - {"?"})) or "other objects"
        raise VolumeInvalidError(f"There is no scan among the DICOM files, only {kinds}.", "Give the scan.")
    if found.damaged:
        raise InputUnreadableError("The DICOM files are damaged.", "They were cut off: copy them again.")
    raise InputUnreadableError("There are no DICOM images.", "Give a folder that holds the slices of a scan.")


def _grouped(images: Iterable[ImageHeader]) -> tuple[Series, ...]:
    groups: dict[str, list[ImageHeader]] = defaultdict(list)
    for header in images:
        groups[header.series].append(header)
    # Sorted by UID within equal numbers, so that the letters are reproducible.
    ordered = sorted(groups.values(), key=lambda g: (g[0].series_number.zfill(12), g[0].series))
    scans = [kept for group in ordered if (kept := [h for h in group if not h.is_scout])]
    numbers = Counter(group[0].series_number for group in scans or ordered)
    seen: Counter[str] = Counter()
    found = []
    for group in scans or ordered:
        number = group[0].series_number
        letter = ascii_lowercase[seen[number] % 26] if numbers[number] > 1 else ""
        seen[number] += 1
        found.append(Series(number + letter, tuple(group)))
    return tuple(found)
