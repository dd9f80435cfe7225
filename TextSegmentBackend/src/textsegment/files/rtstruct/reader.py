"""Reading of structure sets, as masks on the grid of a scan or as data sets to be extended."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import RTStructureSetStorage

from textsegment.caution import Caution, about
from textsegment.errors import InputNotFoundError, InputUnreadableError
from textsegment.files.description import warnings_in
from textsegment.files.dicom.header import quiet_pydicom, read_dataset
from textsegment.files.dicom.match import (
    ScanNames,
    references_of_structure_set,
    require_same_scan,
)
from textsegment.files.dicom.source import SourceSeries
from textsegment.files.dicom.values import DAMAGE, convert_values, require_complete
from textsegment.files.rtstruct.planes import lay_on_slices
from textsegment.files.rtstruct.regions import RegionItem, list_regions
from textsegment.geometry import Geometry
from textsegment.segmentation import Segmentation, StructureMask

_SEQUENCES = ("StructureSetROISequence", "ROIContourSequence", "RTROIObservationsSequence")
_LPS = np.array([-1.0, -1.0, 1.0])


def read_rtstruct(path: Path | str, source: SourceSeries) -> Segmentation:
    """Read the regions of a structure set as masks on the grid of a scan.

    A voxel belongs to a region if its centre lies inside an odd number of contours of its slice, so both
    keyholes and separate contours for holes are supported. A slice takes the nearest contours, up to half a
    slice away; slices between contours that are farther apart are interpolated. Unreadable contours are left
    out with a warning.

    Args:
        path: Structure set file.
        source: Scan that it was drawn on, from ``read_dicom``.

    Returns:
        One mask per region that has areas, under the name of the region; intensities and confidences are NaN.
        The warnings of a mask report contours that were moved, interpolated, cut off or left out. A region
        with nothing on the scan becomes an empty mask with a warning.

    Raises:
        InputNotFoundError: The file does not exist.
        InputUnreadableError: The file is not a structure set, or is damaged.
        InputError: It belongs to another patient, other images or another frame of reference.
    """
    with quiet_pydicom():
        dataset, said = read_structure_set(path, source)
        try:
            regions, lost = list_regions(dataset)
            names = ScanNames.of(dataset, source)
            reasons = [names.why_elsewhere(region.roi, region.item) for region in regions]
            here = [region for region, reason in zip(regions, reasons, strict=True) if not reason]
            masks = [_mask(region, source.geometry) for region in here]
        except DAMAGE as error:
            raise InputUnreadableError("The structure set is damaged.", "Copy it again.") from error
    counts = Counter(reasons) + Counter({"items_unassigned": lost})
    left_out = tuple(Caution(code, count=count) for code, count in counts.items() if code)
    # A region that lost all of its contours is kept, so that its warnings have a place.
    return Segmentation(source.geometry, tuple(masks), warnings=said + left_out)


def read_structure_set(path: Path | str, source: SourceSeries) -> tuple[Dataset, tuple[Caution, ...]]:
    """Read the data set of a structure set; the sequences of regions always exist but may be empty.

    Returns:
        The data set, and cautions about it.

    Raises:
        InputNotFoundError: The file does not exist.
        InputUnreadableError: The file is not a structure set, or is damaged.
        InputError: It belongs to another patient, other images or another frame of reference.
    """
    if not Path(path).is_file():
        raise InputNotFoundError("There is no such structure set.", "Check the path.")
    try:
        dataset = read_dataset(Path(path))
        if dataset.get("SOPClassUID") != RTStructureSetStorage:
            raise InputUnreadableError("The file is no structure set (RTSTRUCT).", "Choose another file.")
        require_complete(dataset)
        convert_values(dataset)
        if "ROIContourSequence" not in dataset and dataset.get("StructureSetROISequence"):
            raise InputUnreadableError(
                "The structure set names regions but holds no contours: it was cut short.", "Copy it again."
            )
        for keyword in _SEQUENCES:
            if keyword not in dataset:
                setattr(dataset, keyword, [])
            if dataset[keyword].VR != "SQ":
                raise InputUnreadableError(
                    "The regions of the structure set cannot be read.", "Copy it again."
                )
        references = references_of_structure_set(dataset)
    except (InvalidDicomError, *DAMAGE) as error:
        raise InputUnreadableError(
            "The structure set is damaged, or no DICOM file.", "Copy it again."
        ) from error
    return dataset, require_same_scan(references, source)


def _mask(region: RegionItem, geometry: Geometry) -> StructureMask:
    areas = [geometry.to_index(points_lps * _LPS) for points_lps in region.areas]
    whole, cautions = lay_on_slices(areas, geometry.spatial_shape, geometry.spacing)
    said = [about(region.name, caution) for caution in (*region.cautions, *cautions)]
    said += warnings_in(region.name, str(region.roi.get("ROIDescription") or ""))
    return StructureMask.measured(region.name, whole, geometry, warnings=tuple(said))
