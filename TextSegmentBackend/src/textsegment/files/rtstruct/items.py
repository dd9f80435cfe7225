"""Items of an RT structure set that describe one region of interest (PS3.3 C.8.8.5, C.8.8.6, C.8.8.8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydicom.charset import default_encoding
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from textsegment.caution import Caution
from textsegment.files.dicom.source import SourcePlane, SourceSeries
from textsegment.files.rtstruct.contours import Points, outlines_at
from textsegment.files.rtstruct.limits import area_mm2
from textsegment.segmentation import StructureMask
from textsegment.vocabulary.appearance import color_of
from textsegment.vocabulary.structures import Code, Codes, find_structure
from textsegment.vocabulary.template import USUAL_STYLE, RegionStyle

_CONTOUR_DATA = Tag("ContourData")
_EXTERNAL = {"body", "external"}


def contour_items(
    mask: StructureMask, source: SourceSeries, style: RegionStyle = USUAL_STYLE
) -> tuple[list[Dataset], tuple[Caution, ...]]:
    """Return the contours of a mask on the planes of the scan, each with a reference to its image.

    Args:
        mask: Mask of the structure.
        source: Scan.
        style: Smallest area and largest number of points of a contour.

    Returns:
        The contours, and cautions about those that were left out or simplified.
    """
    items: list[Dataset] = []
    tiny = 0
    for plane in source.planes:
        for outline in outlines_at(mask, plane.place, plane.plane.spacing, style.most_points):
            if area_mm2(outline, plane.plane.spacing) < style.smallest_contour_mm2:
                tiny += 1
                continue
            item = Dataset()
            item.ContourImageSequence = [_image_reference(plane)]
            item.ContourGeometricType = "CLOSED_PLANAR"
            item.NumberOfContourPoints = len(outline)
            item.ContourNumber = len(items) + 1
            item[_CONTOUR_DATA] = _contour_data(outline, plane)
            item.set_original_encoding(True, True, default_encoding)  # so the bytes stay unchanged
            items.append(item)
    said = [Caution("contours_tiny", smallest_mm2=style.smallest_contour_mm2, count=tiny)] if tiny else []
    if style.most_points:
        said.append(Caution("contours_limited", most=style.most_points))
    return items, tuple(said)


def roi_item(
    number: int, name: str, frame_of_reference_uid: str, description: str, generation: str, algorithm: str
) -> Dataset:
    """Return an item of the Structure Set ROI Sequence."""
    item = Dataset()
    item.ROINumber = number
    item.ReferencedFrameOfReferenceUID = frame_of_reference_uid
    item.ROIName = name
    item.ROIDescription = description
    item.ROIGenerationAlgorithm = generation
    if algorithm:
        item.ROIGenerationDescription = algorithm
    return item


def roi_contour_item(
    number: int, structure: str, contours: Sequence[Dataset], style: RegionStyle = USUAL_STYLE
) -> Dataset:
    """Return an item of the ROI Contour Sequence."""
    item = Dataset()
    item.ROIDisplayColor = list(color_of(structure, style))
    if contours:
        item.ContourSequence = list(contours)
    item.ReferencedROINumber = number
    return item


def observation_item(
    observation: int, number: int, mask: StructureMask, name: str, style: RegionStyle = USUAL_STYLE
) -> Dataset:
    """Return an item of the RT ROI Observations Sequence, with codes from the vocabulary.

    Args:
        observation: Observation number.
        number: ROI number.
        mask: Mask of the structure.
        name: Name of the region.
        style: Type of the region, if it is not the usual one.
    """
    item = Dataset()
    item.ObservationNumber = observation
    item.ReferencedROINumber = number
    item.RTROIInterpretedType = (style.roi_type or _interpreted_type(mask, name)).removeprefix("NONE")
    item.ROIInterpreter = ""
    known = find_structure(mask.structure)
    if known is not None:
        _add_codes(item, known.codes)
    return item


def _interpreted_type(mask: StructureMask, name: str) -> str:
    """Return ``EXTERNAL`` for the outline of the body, ``ORGAN`` for anatomy, and otherwise an empty string.

    A union of organs is an organ. Whether a lesion is a target is for a person to decide.
    """
    if {mask.structure.lower(), name.lower()} & _EXTERNAL:
        return "EXTERNAL"
    parts = mask.origin.union_of if mask.origin.is_derived else (mask.structure,)
    return "ORGAN" if parts and all(_is_organ(part) for part in parts) else ""


def _is_organ(name: str) -> bool:
    known = find_structure(name)
    return known is not None and known.kind != "lesion"


def _image_reference(plane: SourcePlane) -> Dataset:
    """Return a reference to the image of a plane, and to the frame in a multi-frame image."""
    item = Dataset()
    item.ReferencedSOPClassUID = plane.sop_class_uid
    item.ReferencedSOPInstanceUID = plane.sop_instance_uid
    if plane.frame_number is not None:
        item.ReferencedFrameNumber = plane.frame_number
    return item


def _add_codes(item: Dataset, codes: Codes) -> None:
    item.SegmentedPropertyCategoryCodeSequence = [_code(codes.category)]
    identification = _code(codes.type)
    if codes.type_modifier is not None:
        identification.SegmentedPropertyTypeModifierCodeSequence = [_code(codes.type_modifier)]
    item.RTROIIdentificationCodeSequence = [identification]
    if codes.region is not None:
        region = _code(codes.region)
        if codes.region_modifier is not None:
            region.AnatomicRegionModifierSequence = [_code(codes.region_modifier)]
        item.AnatomicRegionSequence = [region]


def _code(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme, code.meaning
    return item


def _contour_data(outline: Points, plane: SourcePlane) -> RawDataElement:
    """Return the points in LPS millimetres, rounded to a tenth of a micrometre.

    They are encoded as bytes: creating an object per number would take longer than everything else.
    """
    place = plane.plane
    along_i = outline[:, :1] * place.spacing[0] * place.i_lps
    along_j = outline[:, 1:] * place.spacing[1] * place.j_lps
    points_lps = place.position_lps + along_i + along_j
    text = "\\".join(_decimals(points_lps.ravel().tolist()))
    value = (text + " " * (len(text) % 2)).encode()
    return RawDataElement(_CONTOUR_DATA, "DS", len(value), value, 0, True, True)


def _decimals(numbers: Sequence[float]) -> Iterator[str]:
    for number in numbers:
        text = f"{number:.4f}".rstrip("0").rstrip(".")
        yield "0" if text == "-0" else text
