"""Export of masks from another program to an object of the DICOM series to which they belong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from textsegment.caution import about
from textsegment.derive.plan import make_plan
from textsegment.errors import OutputError
from textsegment.files.dicom.grid_match import find_scan
from textsegment.files.results import write_result
from textsegment.segmentation import Segmentation
from textsegment.templates.reading import template_from_toml
from textsegment.vocabulary.template import RegionStyle
from textsegment.volume import Volume
from textsegment.wire.export_order import ExportOrder


@dataclass(frozen=True, eq=False)
class _Written:
    """What is written: masks, their names, and how they look."""

    masks: Segmentation
    names: Mapping[str, str]
    styles: Mapping[str, RegionStyle] = field(default_factory=dict)


def export(order: ExportOrder) -> tuple[str, ...]:
    """Write the masks of an export order to one DICOM object.

    Returns:
        Warnings, as sentences for the user.

    Raises:
        ImageMismatchError: The masks do not belong to the DICOM images.
        TextSegmentError: The images cannot be read, the template cannot be carried out, or the object cannot
            be written.
    """
    given = order.segmentation
    scan, move = find_scan(order.images, given.geometry, order.sample)
    masks = tuple(move.apply(mask, scan.volume.geometry) for mask in given)
    there = Segmentation(scan.volume.geometry, masks, given.provenance, given.warnings)
    written = _by_template(order, there, scan.volume) if order.template else _Written(there, order.names)
    said = _new_warnings(written.masks, there)
    write_result(
        written.masks,
        order.path,
        names=written.names,
        source=scan.source,
        short_names=order.short_names,
        append_to=order.append_to,
        styles=written.styles,
        on_warning=said.append,
    )
    return tuple(said)


def _new_warnings(now: Segmentation, before: Segmentation) -> list[str]:
    """Return what a template has to say about the masks that it changed or made."""
    known = {*before.warnings, *(warning for mask in before for warning in mask.warnings)}
    said = [warning for warning in now.warnings if warning not in known]
    said += [about(each.structure, text) for each in now for text in each.warnings if text not in known]
    return said


def _by_template(order: ExportOrder, there: Segmentation, volume: Volume) -> _Written:
    """Finish masks, derive others, name and colour them as a template says.

    Masks that the template does not know follow as they are.
    """
    template = template_from_toml("site", order.template).with_optional()
    structures = [mask.structure for mask in there]
    known = set(template.structures(volume.modality, structures))
    if not known:
        raise OutputError(
            f"None of the structures is in the set {template.label}.",
            "Choose other structures, or another way of naming.",
        )
    others = [structure for structure in structures if structure not in known]
    plan = make_plan(others, modality=volume.modality, available=structures, template=template)
    finished = plan.finish(there, volume.voxels)
    masks = tuple(sorted(finished, key=lambda mask: mask.structure in others))
    names = {**plan.names, **{name: order.names.get(name, name) for name in others}}
    return _Written(replace(finished, masks=masks), names, plan.styles)
