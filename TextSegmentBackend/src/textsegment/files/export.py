"""Export of masks from another program to an object of the DICOM series to which they belong."""

from __future__ import annotations

from textsegment.files.dicom.grid_match import find_scan
from textsegment.files.results import write_result
from textsegment.segmentation import Segmentation
from textsegment.wire.export_order import ExportOrder


def export(order: ExportOrder) -> tuple[str, ...]:
    """Write the masks of an export order to one DICOM object.

    Returns:
        Warnings, as sentences for the user.

    Raises:
        ImageMismatchError: The masks do not belong to the DICOM images.
        TextSegmentError: The images cannot be read, or the object cannot be written.
    """
    given = order.segmentation
    scan, move = find_scan(order.images, given.geometry, order.sample)
    masks = tuple(move.apply(mask, scan.volume.geometry) for mask in given)
    said: list[str] = []
    write_result(
        Segmentation(scan.volume.geometry, masks, given.provenance, given.warnings),
        order.path,
        names=order.names,
        source=scan.source,
        short_names=order.short_names,
        append_to=order.append_to,
        on_warning=said.append,
    )
    return tuple(said)
