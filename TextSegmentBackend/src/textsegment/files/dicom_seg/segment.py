"""Segment descriptions of a DICOM segmentation: name, codes, colour and algorithm of a structure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import highdicom as hd
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

import textsegment
from textsegment.files.description import description_of
from textsegment.files.dicom.generation import generation_of
from textsegment.segmentation import StructureMask
from textsegment.vocabulary.appearance import color_of
from textsegment.vocabulary.structures import Code, Codes, find_structure
from textsegment.vocabulary.template import USUAL_STYLE, RegionStyle

_TISSUE = Code("SCT", "85756007", "Tissue")
_UNKNOWN = Codes(_TISSUE, _TISSUE, exact=False)


def describe_segment(
    number: int,
    mask: StructureMask,
    label: str,
    provenance: Mapping[str, Any],
    style: RegionStyle = USUAL_STYLE,
) -> hd.seg.SegmentDescription:
    """Return the Segment Sequence item (PS3.3 C.8.20.2) for a structure.

    Args:
        number: Segment number, from 1.
        mask: Mask of the structure; a structure that the vocabulary does not know is coded as tissue.
        label: Label to display, at most 64 characters.
        provenance: Provenance of the segmentation.
        style: Color of the segment, if it is not the usual one.
    """
    structure = mask.structure
    known = find_structure(structure)
    coded = known.codes if known is not None else _UNKNOWN
    kind = _concept(coded.type)
    if coded.type_modifier is not None:
        kind.SegmentedPropertyTypeModifierCodeSequence = [_concept(coded.type_modifier)]
    regions = None
    if coded.region is not None:
        regions = [_concept(coded.region)]
        if coded.region_modifier is not None:
            regions[0].AnatomicRegionModifierSequence = [_concept(coded.region_modifier)]
    generation = generation_of(mask.origin)
    description = hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=_concept(coded.category),
        segmented_property_type=kind,
        # An empty value is not allowed here; a person was involved at least in part.
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues(generation or "SEMIAUTOMATIC"),
        algorithm_identification=_algorithm(provenance) if generation else _unknown_algorithm(),
        tracking_uid=generate_uid(prefix=None),
        tracking_id=label,
        anatomic_regions=regions,
        display_color=hd.color.CIELabColor.from_rgb(*color_of(structure, style)),
    )
    description.SegmentDescription = description_of(mask, provenance).replace("\\", "/").removesuffix(".")
    return description


def _concept(code: Code) -> hd.sr.CodedConcept:
    return hd.sr.CodedConcept(code.value, code.scheme, code.meaning)


def _algorithm(provenance: Mapping[str, Any]) -> hd.AlgorithmIdentificationSequence:
    digest = str(provenance.get("weights_sha256", ""))
    return hd.AlgorithmIdentificationSequence(
        name=str(provenance.get("model", "unknown"))[:64],
        family=codes.DCM.ArtificialIntelligence,
        version=str(provenance.get("version", textsegment.__version__))[:64],
        source="TextSegment",
        parameters={"weights_sha256": digest} if digest else None,
    )


def _unknown_algorithm() -> hd.AlgorithmIdentificationSequence:
    return hd.AlgorithmIdentificationSequence(
        name="unknown", family=codes.DCM.ManualProcessing, version="unknown"
    )
