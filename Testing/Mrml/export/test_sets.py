"""Sets of structures of a site, applied to an export."""

import pydicom
import pytest
from export_case import draw
from textsegment.errors import (
    OutputError,
)
from textsegment.templates.reading import template_from_toml
from TextSegmentLib.export.request import ExportRequest, Format
from TextSegmentLib.panel.anatomy.sets import save_own_set

SITE = """
label = "Abdomen"

[[structure]]
name = "Hepar"
text = "liver"
type = "CONTROL"
color = "#102030"
keep_largest = true

[[structure]]
name = "Hepar_PRV"
derive = "Hepar margin 4"
type = "AVOIDANCE"

[[structure]]
name = "Ren_sin"
text = "left kidney"
most_points = 40
"""


def test_a_set_of_the_site_is_applied_entirely(case, tmp_path):
    site = template_from_toml("site", SITE)
    drawn = case.expected("liver")
    drawn[2:4, 2:4, 2:4] = True  # an island, which the set removes
    case.segmentation_node.GetSegmentation().RemoveSegment(
        next(region.segment_id for region in case.regions if region.name == "liver")
    )
    draw(case, "liver", drawn)
    exported = case.export(
        ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan", naming="sat", template=site)
    )
    file = pydicom.dcmread(exported.file)
    names = [item.ROIName for item in file.StructureSetROISequence]
    assert names == ["Hepar", "Hepar_PRV", "Ren_sin", "kidney"]  # the last is in no line of the set
    types = [item.RTROIInterpretedType for item in file.RTROIObservationsSequence]
    assert types[:2] == ["CONTROL", "AVOIDANCE"]
    assert list(file.ROIContourSequence[0].ROIDisplayColor) == [16, 32, 48]
    assert max(item.NumberOfContourPoints for item in file.ROIContourSequence[2].ContourSequence) <= 40
    found = case.read(exported.file)
    by_name = {mask.structure: found.full_mask(mask.structure) for mask in found}
    hepar = by_name.get("Hepar", by_name.get("liver"))
    assert not hepar[2:4, 2:4, 2:4].any()
    assert any("part" in warning for warning in exported.warnings), exported.warnings


def test_a_set_that_has_none_of_the_structures_is_refused(case, tmp_path):
    site = template_from_toml("site", '[[structure]]\nname = "Lien"\ntext = "spleen"\n')
    with pytest.raises(OutputError, match="None of the structures is in the set"):
        case.export(ExportRequest(Format.STRUCTURE_SET, tmp_path / "plan", template=site))


def test_saving_a_set_again_keeps_what_a_site_has_decided(tmp_path):
    path = tmp_path / "Abdomen.toml"
    path.write_text(SITE, "utf-8")
    before = template_from_toml("site", SITE)
    assert save_own_set(tmp_path, "Abdomen", ["liver", "spleen", "left kidney"]) == path
    after = template_from_toml("site", path.read_text("utf-8"))
    assert after.entries[:3] == before.entries
    assert [entry.prompts for entry in after.entries[3:]] == [("spleen",)]
    path.write_text("label = ", "utf-8")
    with pytest.raises(OutputError, match="cannot be read"):
        save_own_set(tmp_path, "Abdomen", ["liver"])
    assert path.read_text("utf-8") == "label = "
