"""Which series of a folder is the scan: chosen where it is clear, asked for where it is not."""

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
"""A folder (folders below it are searched if it holds no scan itself), one file (it stands for its series,
taken from the folder that it lies in), or the files themselves."""


@dataclass(frozen=True, eq=False)
class Series:
    """The images of one series.

    Attributes:
        key: How a user names it: its number, with a letter if several series have the same one.
        headers: The images, scouts left out if there is anything else.
    """

    key: str
    headers: tuple[ImageHeader, ...]

    @property
    def modality(self) -> str:
        """The modality code, or ``"?"``."""
        return self.headers[0].modality

    @property
    def plane_count(self) -> int:
        """Number of image planes."""
        return sum(header.frame_count for header in self.headers)

    def __str__(self) -> str:
        """Say what a user may see: nothing of the patient."""
        return f"series {self.key} ({self.modality}, {self.plane_count} slices)"


def list_series(where: Where) -> tuple[Series, ...]:
    """Return the series that there are, by number.

    Raises:
        InputNotFoundError: No such file or folder.
        InputUnreadableError: No DICOM files, or damaged ones.
        VolumeInvalidError: No scan among them (structure sets, segmentations, …).
    """
    with quiet_pydicom():
        return _grouped(_find(where).images)


def choose_series(
    where: Where, *, modality: str | None = None, series: str | None = None
) -> tuple[Series, tuple[str, ...]]:
    """Return the series to read, and what the user should know about the choice.

    A single file stands for its series. Of several series the one of the wanted modality is taken, or the
    only one that is long enough to be a scan; it is never a guess.

    Args:
        where: Folder, file, or files.
        modality: DICOM code of the modality that is wanted.
        series: Key of the series as in ``list_series``, or its instance UID.

    Raises:
        InputError: Several series could be meant, or none has this key.
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
    """Leave out series that never say where they lie (screenshots, dose pages), unless there is no other."""
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
    """Read the headers of what was given; there is at least one image."""
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
    # By identity among equal numbers, so that the letters are the same every time.
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
