"""An order of Slicer arrives as it was sent."""

from dataclasses import replace

import numpy as np

from textsegment.caution import Caution
from textsegment.geometry import Geometry
from textsegment.origin import Maker, Origin
from textsegment.segmentation import Segmentation, StructureMask
from textsegment.wire.export_order import ExportOrder, VoxelSample

GEOMETRY = Geometry((4, 5, 6), np.diag([0.7, 1.1, 2.9, 1.0]))
LONG = "a name that a user gave, " * 40 + "größer | ~ \n end"


def order(*masks):
    return ExportOrder(
        Segmentation(GEOMETRY, masks, {"model": "fake"}),
        VoxelSample(np.array([[1, 2, 3]]), np.array([-7.25])),
        ("a.dcm", "b.dcm"),
        "out.rtstruct.dcm",
        {LONG: "Größe"},
        short_names=True,
        append_to="old.dcm",
    )


def mask(structure, region, maker=Maker.MODEL, warnings=()):
    made = StructureMask.measured(structure, region, GEOMETRY, warnings=warnings)
    return replace(made, origin=Origin(maker))


def test_cautions_keep_their_codes_and_values():
    said = (Caution("check", reasons="only 6 ml"), "a note", Caution("tidy_parts", count=2, volume_ml=0.5))
    sent = order(mask("liver", np.ones((1, 1, 1), bool), warnings=said))
    got = ExportOrder.from_json(sent.to_json()).segmentation["liver"].warnings
    assert got == said
    assert [getattr(each, "code", None) for each in got] == ["check", None, "tidy_parts"]
    assert dict(got[2].values) == {"count": 2, "volume_ml": 0.5}


def test_structures_keep_their_names_however_long():
    region = np.zeros((4, 5, 6), bool)
    region[1:3, 4, 2:5] = region[3, 1, 5] = True
    sent = order(mask(LONG, region, Maker.EDITED, ("a note",)), mask("empty", np.zeros_like(region)))
    line = sent.to_json()
    assert "\n" not in line
    got = ExportOrder.from_json(line)
    first, empty = got.segmentation
    assert (first.structure, first.origin.maker, first.warnings) == (LONG, Maker.EDITED, ("a note",))
    assert np.array_equal(first.full((4, 5, 6)), region)
    assert empty.statistics.is_empty
    assert np.array_equal(got.segmentation.geometry.affine, GEOMETRY.affine)
    assert (got.images, got.path, got.names) == (sent.images, sent.path, sent.names)
    assert (got.short_names, got.append_to) == (True, "old.dcm")
    assert got.sample.index.tolist() == [[1, 2, 3]]
    assert got.sample.values.tolist() == [-7.25]
