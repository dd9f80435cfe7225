"""The single entry point for images: reads a file or a DICOM folder as a volume."""

from __future__ import annotations

from pathlib import Path

from textsegment.caution import Caution
from textsegment.errors import InputError, InputNotFoundError, InputUnreadableError
from textsegment.files.archive import unpacked
from textsegment.files.dicom.reader import read_dicom
from textsegment.files.images.itk_image import read_itk_image
from textsegment.files.images.mgh import read_mgh
from textsegment.files.images.nifti import read_nifti
from textsegment.files.images.opening import ALL_SUFFIXES, FileKind, kind_of
from textsegment.files.images.raw_image import RawImage
from textsegment.files.scan import Scan
from textsegment.files.scan_search import find_scans
from textsegment.modality import guess_modality, modality_code
from textsegment.volume import Volume


def read_volume(path: Path | str, *, modality: str | None = None) -> Volume:
    """Read a scan and return only its volume; see ``read_scan``."""
    return read_scan(path, modality=modality).volume


def read_scan(
    path: Path | str,
    *,
    modality: str | None = None,
    series: str | None = None,
    volume_number: int | None = None,
) -> Scan:
    """Read a scan.

    Args:
        path: A NIfTI (``.nii``, ``.nii.gz``, ``.hdr`` with ``.img``), NRRD (``.nrrd``, ``.nhdr``), MetaImage
            (``.mha``, ``.mhd``) or FreeSurfer (``.mgz``) file, a folder with one DICOM series, one file of
            such a series, or a zip file of one of these. The first bytes of a file determine its format.
        modality: ``CT``, ``MR``, ``PT`` or ``US``. By default it is taken from the DICOM header, or for other
            files guessed from the voxel values, with a warning.
        series: Selects one of several DICOM series; see ``read_dicom``.
        volume_number: Number of the volume, counted from 1, if a file has several (time points, channels).

    Returns:
        The volume and its DICOM series, if any. Values that cannot be segmented (NaN, constant) are rejected
        by ``Volume.require_segmentable``, not here.

    Raises:
        InputNotFoundError: The file or folder does not exist.
        InputUnreadableError: The file is damaged or is not an image of a known format.
        VolumeInvalidError: The image is not a single three-dimensional greyscale volume.
        GeometryError: The header does not define a valid grid.
        ModalityError: The modality is unknown.
        InputError: A DICOM folder has several series, or a series was given for a file that has none.

    Example:
        >>> from textsegment.files.results import write_result
        >>> from textsegment.testing import FakeSegmenter, phantom
        >>> _ = write_result(FakeSegmenter().segment(phantom(), ["liver"]), "liver.nii.gz")
        >>> scan = read_scan("liver.nii.gz", modality="MR")
        >>> scan.volume.geometry.spatial_shape, scan.source
        ((40, 36, 24), None)
    """
    path = Path(path)
    wanted = modality_code(modality) if modality is not None else None
    try:
        if not path.exists():
            is_link = path.is_symlink()
            hint = "It is a link that leads nowhere: fetch the file." if is_link else "Check the path."
            raise InputNotFoundError("There is no such file or folder.", hint)
        kind = FileKind.DICOM if path.is_dir() else kind_of(path)
        if kind is FileKind.DICOM:
            return read_dicom(path, modality=wanted, series=series)
        if kind is FileKind.ZIP:
            with unpacked(path) as folder:
                return read_scan(
                    _only_scan(folder), modality=wanted, series=series, volume_number=volume_number
                )
        if series is not None:
            raise InputError("Only DICOM files belong to a series.", "Leave --series out.")
        raw = _read_file(path, kind, volume_number)
    except OSError as error:
        raise InputUnreadableError("The image may not be read.", "Check its permissions.") from error
    if wanted is not None:
        return Scan(Volume(raw.voxels, raw.geometry, wanted, raw.warnings), None)
    guess = guess_modality(raw.voxels, path.name)
    warning = Caution("modality_guessed", modality=guess.code, source=guess.source.value)
    return Scan(Volume(raw.voxels, raw.geometry, guess.code, (*raw.warnings, warning)), None)


def _only_scan(folder: Path) -> Path:
    """Return the only scan of an unpacked archive.

    Raises:
        InputError: The archive has several scans.
    """
    found = find_scans([folder])
    if len(found.scans) != 1:
        raise InputError(
            f"The zip file holds several images: {len(found.scans)}.", "Unpack it, and give the folder."
        )
    found.require_clear(found.scans[0])
    return found.scans[0]


def _read_file(path: Path, kind: FileKind | None, volume_number: int | None) -> RawImage:
    if kind is FileKind.NIFTI:
        return read_nifti(path, volume_number=volume_number)
    if kind in (FileKind.NRRD, FileKind.META):
        return read_itk_image(path, volume_number=volume_number)
    if kind is FileKind.MGH:
        return read_mgh(path, volume_number=volume_number)
    raise InputUnreadableError(
        "The file is no image of a known type.", f"Known are DICOM and {', '.join(ALL_SUFFIXES[1:])}."
    )
