"""Search for the scans that a path stands for: the file or DICOM folder itself, or image files in a folder.

Not everything with the suffix of an image is a scan: masks written by this package or others, label maps and
hidden files of operating systems are left out, and this is reported.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from textsegment.errors import InputError, TextSegmentError
from textsegment.files.dicom.header import FEWEST_PLANES, quiet_pydicom, read_headers
from textsegment.files.disk.walking import walk_files
from textsegment.files.images.itk_image import ITK_SUFFIXES, read_itk_image
from textsegment.files.images.labelmap import OWN_DESCRIPTION, table_of
from textsegment.files.images.mgh import read_mgh
from textsegment.files.images.nifti import NIFTI_SUFFIXES, PAIR_SUFFIXES, nifti_description, read_nifti
from textsegment.files.layouts import LABELS, layout_of
from textsegment.plausibility import looks_like_labels

IMAGE_SUFFIXES = (*NIFTI_SUFFIXES, ".hdr", ".hdr.gz", *ITK_SUFFIXES, ".mgz", ".mgh")
"""Suffixes of image files."""

HIDDEN = "hidden files"
RESULTS = "results of TextSegment or 3D Slicer"
BESIDE_DICOM = "beside a DICOM series"

LeftOut = tuple[Path, str]
"""A file that is named like an image, and the reason not to segment it."""

_SEGMENTATIONS = (".seg.nrrd", ".seg.nhdr")


@dataclass(frozen=True)
class ScanSearch:
    """Scans found for segmentation.

    Attributes:
        scans: Image files and DICOM folders.
        left_out: Files that look like images but are not segmented, with reasons.
        mixed: Scans that are folders with both image files and DICOM images, which is ambiguous.
        is_folder: Whether a folder was replaced by the images in it.
        root: Common parent folder of the scans, if they are in folders of their own.
    """

    scans: tuple[Path, ...]
    left_out: tuple[LeftOut, ...] = ()
    mixed: tuple[Path, ...] = ()
    is_folder: bool = False
    root: Path | None = None

    def names(self) -> tuple[str, ...]:
        """Return a unique name for each scan: that of the file, preceded by its folders where necessary.

        ``patients/1/ct.nii.gz`` and ``patients/2/ct.nii.gz`` become ``1_ct`` and ``2_ct``.
        """
        names = [scan_name(scan) for scan in self.scans]
        if self.root is None or len({name.casefold() for name in names}) == len(names):
            return tuple(names)
        folders = [scan.parent.relative_to(self.root).parts for scan in self.scans]
        return tuple("_".join((*parts, name)) for parts, name in zip(folders, names, strict=True))

    def require_clear(self, scan: Path) -> None:
        """Reject a scan that is a folder with both image files and DICOM images.

        Raises:
            InputError: The scan is such a folder.
        """
        if scan in self.mixed:
            raise InputError(
                "The folder holds image files and DICOM images.",
                "Give the files, or the folder of the DICOM series, not the folder of both.",
            )

    def notes(self) -> tuple[str, ...]:
        """Return notes about what was left out, by reason, including the names of the files."""
        reasons = dict.fromkeys(reason for _, reason in self.left_out)
        return tuple(
            f"Left out, {reason}: {', '.join(path.name for path, why in self.left_out if why == reason)}."
            for reason in reasons
        )


def find_scans(given: Sequence[Path]) -> ScanSearch:
    """Replace each folder of image files by the scans in it; keep files, DICOM folders and missing paths.

    In a folder of DICOM slices, the slices are the scan, whatever else the folder contains.

    Args:
        given: Files and folders; a file given by name is always kept.
    """
    found = []
    for path in given:
        try:
            found.append(_search_folder(path) if path.is_dir() else ScanSearch((path,)))
        except OSError:  # reading the image will report the reason
            found.append(ScanSearch((path,)))
    return ScanSearch(
        tuple(scan for one in found for scan in one.scans),
        tuple(entry for one in found for entry in one.left_out),
        tuple(scan for one in found for scan in one.mixed),
        any(one.is_folder for one in found),
        found[0].root if len(found) == 1 else None,
    )


def is_named_like_an_image(path: Path) -> bool:
    """Return whether a file is named like an image; of a header and data pair, only the header counts."""
    name = path.name.lower()
    if name.endswith((".hdr", ".hdr.gz")):
        return any(path.with_name(f"{scan_name(path)}{end}").is_file() for end in (".img", ".img.gz"))
    return name.endswith(IMAGE_SUFFIXES)


def scan_name(path: Path) -> str:
    """Return the name of a file or folder as given, without the suffix of an image.

    A link keeps its own name, since its target (for example in a content store) does not name a scan.
    """
    name = os.path.basename(os.path.abspath(path))  # noqa: PTH100, PTH119
    suffix = next((s for s in (*IMAGE_SUFFIXES, ".zip") if name.lower().endswith(s)), "")
    return name[: -len(suffix)] if suffix else name


def is_own_result(path: Path) -> bool:
    """Return whether an image file has masks written by this package, or a segmentation of 3D Slicer."""
    if path.name.lower().endswith(_SEGMENTATIONS):
        return True
    if path.name.lower().endswith(NIFTI_SUFFIXES) and nifti_description(path).startswith(OWN_DESCRIPTION):
        return True
    try:
        return table_of(path).is_file()
    except TextSegmentError:  # not a format of label maps
        return False


def _search_folder(folder: Path) -> ScanSearch:
    candidates, left_out = _sorted_out(folder.iterdir())
    if not candidates:
        return _search_below(folder, left_out)
    slices = _count_slices(folder)
    if slices >= FEWEST_PLANES:
        beside = [(path, BESIDE_DICOM) for path in candidates]
        return ScanSearch((folder,), (*left_out, *beside))
    if slices or _holds_dicom_below(folder):
        return ScanSearch((folder,), tuple(left_out), mixed=(folder,))
    return ScanSearch(tuple(candidates), tuple(left_out), is_folder=True)


def _search_below(folder: Path, left_out: Sequence[LeftOut]) -> ScanSearch:
    """Search subfolders, as in data sets, for image files; a folder of DICOM slices is a scan as before."""
    layout = layout_of(folder)
    candidates: list[Path] = []
    left_out = list(left_out)
    for inside, files in walk_files(folder):
        if inside == folder:
            continue
        parts = inside.relative_to(folder).parts
        images = [path for path in files if is_named_like_an_image(path)]
        reason = layout.reason_against(parts)
        if reason is not None:
            left_out += [(path, reason) for path in images]
            continue
        found, others = _sorted_out(images)
        candidates += found
        left_out += others
    if not candidates:
        return ScanSearch((folder,), tuple(left_out))
    if not layout.is_of_image_files and (_count_slices(folder) or _holds_dicom_below(folder)):
        beside = [(path, BESIDE_DICOM) for path in candidates]
        return ScanSearch((folder,), (*left_out, *beside))
    return ScanSearch(tuple(candidates), tuple(left_out), is_folder=True, root=folder)


def _sorted_out(paths: Iterable[Path]) -> tuple[list[Path], list[LeftOut]]:
    candidates: list[Path] = []
    left_out: list[LeftOut] = []
    for path in sorted(paths):
        if not is_named_like_an_image(path) or not path.is_file():
            continue
        reason = _reason_against(path)
        if reason is None:
            candidates.append(path)
        else:
            left_out.append((path, reason))
    return candidates, left_out


def _reason_against(path: Path) -> str | None:
    if path.name.startswith("."):
        return HIDDEN
    if is_own_result(path):
        return RESULTS
    return LABELS if _is_label_map(path) else None


def _is_label_map(path: Path) -> bool:
    """Return whether an image is a label map, judged by its voxels; errors in reading it are not reported."""
    try:
        if path.name.lower().endswith((*NIFTI_SUFFIXES, *PAIR_SUFFIXES)):
            # Noise in the first slice identifies most scans without reading all of a large file.
            first = read_nifti(path, first_slice=True).voxels
            return looks_like_labels(first, partly=True) and looks_like_labels(read_nifti(path).voxels)
        if path.name.lower().endswith(ITK_SUFFIXES):
            return looks_like_labels(read_itk_image(path).voxels)
        return looks_like_labels(read_mgh(path).voxels)
    except TextSegmentError:
        return False


def _count_slices(folder: Path) -> int:
    with quiet_pydicom():
        found = read_headers(path for path in sorted(folder.iterdir()) if _may_be_dicom(path))
    return sum(header.frame_count for header in found.images)


def _holds_dicom_below(folder: Path) -> bool:
    with quiet_pydicom():
        return any(read_headers([path]).images for path in _files_below(folder))


def _files_below(folder: Path) -> Iterator[Path]:
    levels = walk_files(folder)
    next(levels, None)
    return (path for _, files in levels for path in files if _may_be_dicom(path))


def _may_be_dicom(path: Path) -> bool:
    return not path.name.startswith(".") and not is_named_like_an_image(path) and path.is_file()
