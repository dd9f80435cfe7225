"""Write ``vocabulary/data/anatomy.tsv``: anatomical facts about every structure of the vocabulary.

    python tools/build_anatomy.py [--check]

What the structures and the anatomy tree already say (sides, parts, ancestors) is derived from them; the rest
stands in the tables below and in ``anatomy_sizes.tsv``, by the name without its side. The output is sorted
and contains no dates. ``--check`` writes nothing, and fails if the file is not what would be written.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from textsegment.vocabulary.structures import Structure, load_structures
from textsegment.vocabulary.tree import load_tree

OUTPUT = Path(__file__).parents[1] / "src/textsegment/vocabulary/data/anatomy.tsv"
SIZES = Path(__file__).with_name("anatomy_sizes.tsv")
SIZE_COLUMNS = ("low_ml", "high_ml", "height_mm", "spread_mm", "landmark")
COLUMNS = ("structure", "form", "side", "union", "within", *SIZE_COLUMNS)
STRUCTURES = load_structures()

# One solid piece in a normal body, thick enough that a mask of it does not break. Not the aorta: below its
# arch an image shows two pieces of very different length.
SOLID_LINES = """
    liver|lobe of liver|caudate lobe|spleen|kidney|lung|lung upper lobe
    lung middle lobe|lung lower lobe|heart|heart atrium|heart ventricle|gallbladder|urinary bladder|prostate
    uterus|uterocervix|rectum|trachea|eyeball|anterior eyeball|posterior eyeball|lens|cochlea
    medial segment of liver|lateral inferior segment of liver|lateral superior segment of liver
    anterior inferior segment of liver|anterior superior segment of liver
    posterior inferior segment of liver|posterior superior segment of liver|breast
    thyroid|parotid gland|submandibular gland|lacrimal gland|pituitary gland
    heart ascending aorta|inferior vena cava|superior vena cava|brachiocephalic trunk
    brain|brainstem|brainstem excluding substantia nigra|cerebellum|corpus callosum|amygdala|hippocampus
    caudate nucleus|pallidum|putamen|thalamus|nucleus accumbens|substantia nigra|third ventricle
    spinal cord|spinal canal|optic chiasm|oral cavity
    clavicle|scapula|humerus|femur|femur bone|tibia bone|head of femur|hip|sacrum|manubrium of sternum
    mandible|mastoid process|sacral vertebrae 1 (s1)|temporomandibular joint
    gluteus maximus|gluteus medius|gluteus minimus|autochthon|iliopsoas
"""
SOLID = {name.strip() for line in SOLID_LINES.split("\n") for name in line.split("|")} - {""}
SOLID_SERIES = re.compile(
    r"(cervical|thoracic|lumbar) vertebrae \d+ \([ctl]\d+\)|intervertebral disc between .*"
)
# Made of a left and a right half, and still one piece.
ACROSS_THE_MIDLINE = {"cerebellum", "mandible"}
# Named for a side, and yet across the midline, at its origin or as a whole.
CROSSING = {
    "heart atrium", "heart ventricle", "auricle of heart", "heart atrium scar", "lobe of liver",
    "medial segment of liver", "lateral inferior segment of liver", "lateral superior segment of liver",
    "anterior inferior segment of liver", "anterior superior segment of liver",
    "posterior inferior segment of liver", "posterior superior segment of liver",
    "brachiocephalic vein", "carotid artery", "common carotid artery", "subclavian artery",
    "iliac artery", "iliac vena", "optic nerve", "thyroid",
}  # fmt: skip
# A tumour or a bleeding moves these across the midline; the cerebellum lies below the tentorium.
SHIFTING_KINDS = {"brain region", "cavity"}
NOT_SHIFTING = {"cerebellum", "tympanic cavity", "internal auditory canal", "vestibule semicircular canal"}
# Any number of pieces of any size; a small one is as true as a large one.
SCATTERED_KINDS = {"lesion", "tissue"}
SCATTERED = {
    "bone", "muscle", "rib", "vertebrae", "cervical vertebrae", "thoracic vertebrae", "lumbar vertebrae",
    "intervertebral discs", "liver vessel", "bronchie", "pulmonary vein", "pulmonary artery",
    "external cerebrospinal fluid", "costal cartilage", "rib cartilage", "skull",
}  # fmt: skip
# Wholes whose listed parts are not all of it, or are learnt from other scans than the whole itself.
NOT_THE_UNION = {
    "brain ventricle", "heart", "larynx", "left lung", "liver", "right lung", "sternum",
}  # fmt: skip
# Container: what may lie in it beside its descendants in the tree; ``kind:bone`` means all bones.
HOLDS: dict[str, tuple[str, ...]] = {
    "bone": ("kind:bone",),
    "muscle": ("kind:muscle",),
    "skull": ("mastoid process", "mandible", "middle ear", "cochlea", "internal auditory canal",
              "tympanic cavity", "vestibule semicircular canal", "eustachian tube bone",
              "temporomandibular joint"),
    "mandible": ("temporomandibular joint", "inferior alveolar nerve"),
    "brain": ("kind:brain region", "brain ventricle", "lateral ventricle", "third ventricle", "optic chiasm",
              "external cerebrospinal fluid", "pituitary gland"),
    "white matter": ("kind:brain region",),
    "grey matter": ("kind:brain region",),
    "deep grey matter": ("basal ganglia", "nucleus accumbens", "amygdala", "hippocampus"),
    "brainstem": ("corticospinal tract",),
    "brainstem excluding substantia nigra": ("corticospinal tract",),
    "frontal lobe": ("insula", "cingulate gyrus", "corticospinal tract", "basal ganglia"),
    "parietal lobe": ("cingulate gyrus", "corticospinal tract", "optic radiation"),
    "temporal lobe": ("insula", "hippocampus", "amygdala", "optic radiation", "fusiform gyrus",
                      "parahippocampal and ambient gyrus", "anterior temporal lobe lateral part",
                      "anterior temporal lobe medial part", "middle and inferior temporal gyrus",
                      "posterior temporal lobe", "superior temporal gyrus anterior part",
                      "superior temporal gyrus middle part"),
    "occipital lobe": ("optic radiation",),
    "heart": ("aorta", "heart ascending aorta", "pulmonary artery", "pulmonary vein", "superior vena cava",
              "inferior vena cava"),
    "aorta": ("heart ascending aorta",),
    "lung": ("trachea", "bronchie", "pulmonary artery", "pulmonary vein", "lung upper lobe",
             "lung middle lobe", "lung lower lobe"),
    "trachea": ("bronchie",),
    "thoracic cavity": ("lung", "lung upper lobe", "lung middle lobe", "lung lower lobe", "heart",
                        "heart atrium", "heart ventricle", "myocardium", "esophagus", "trachea", "bronchie",
                        "thymus", "aorta", "heart ascending aorta", "superior vena cava",
                        "inferior vena cava", "pulmonary artery", "pulmonary vein",
                        "brachiocephalic trunk", "brachiocephalic vein", "subclavian artery",
                        "common carotid artery"),
    "liver": ("liver vessel", "portal vein and splenic vein"),
    "intestine": ("small bowel", "duodenum", "colon", "rectum"),
    "colon": ("rectum",),
    "esophagus": ("cricopharyngeal inlet",),
    "cervical esophagus": ("cricopharyngeal inlet",),
    "pharynx constrictor muscle": ("cricopharyngeal inlet",),
    "oral cavity": ("cheek", "lips"),
    "carotid artery": ("common carotid artery", "internal carotid artery"),
    "middle ear": ("cochlea", "internal auditory canal", "tympanic cavity", "vestibule semicircular canal"),
    "mastoid process": ("tympanic cavity", "middle ear"),
    "spinal canal": ("spinal cord",),
    "sacrum": ("sacral vertebrae 1 (s1)",),
    "vertebrae": ("sacral vertebrae 1 (s1)",),
    "costal cartilage": ("rib cartilage",),
    "rib": ("costal cartilage", "rib cartilage"),
    "thyroid": ("thyroid gland",),
}  # fmt: skip


def unsided(structure: Structure) -> str:
    """Return the name of a structure without its side: ``lung middle lobe``, ``head of femur``."""
    return re.sub(r"\b(left|right) ", "", structure.name, count=1) if structure.side else structure.name


def form_of(structure: Structure) -> str:
    """Return ``solid``, ``several`` or ``scattered``."""
    name = unsided(structure)
    if structure.kind in SCATTERED_KINDS or name in SCATTERED:
        return "scattered"
    are_pairs = bool(structure.parts) and all(
        STRUCTURES[p].opposite in structure.parts for p in structure.parts
    )
    if are_pairs and name not in ACROSS_THE_MIDLINE:
        return "several"
    return "solid" if name in SOLID or SOLID_SERIES.fullmatch(name) else "several"


def side_of(structure: Structure) -> str:
    """Return the side of the midline on which all of a structure lies; empty if there is none."""
    name = unsided(structure)
    crosses = name in CROSSING or (structure.kind in SHIFTING_KINDS and name not in NOT_SHIFTING)
    return "" if crosses else structure.side or ""


def selected(selector: str) -> Iterator[str]:
    """Yield the names of the structures that a selector of ``HOLDS`` means, on both sides."""
    for name, structure in STRUCTURES.items():
        if selector == f"kind:{structure.kind}" or selector in (name, unsided(structure)):
            yield name


def on_other_side(one: str, other: str) -> bool:
    """Whether one structure is on the left and the other on the right."""
    sides = {STRUCTURES[one].side, STRUCTURES[other].side}
    return sides == {"left", "right"}


def ancestors(name: str) -> Iterator[str]:
    """Yield the structures that are above a structure in the anatomy tree, or have it as a part."""
    tree = load_tree()
    front = [parent.id for term in tree if name in term.structures for parent in term.parents]
    seen: set[str] = set()
    while front:
        term = tree[front.pop()]
        if term.id not in seen:
            seen.add(term.id)
            yield from term.structures
            front.extend(parent.id for parent in term.parents)
    yield from (whole for whole, structure in STRUCTURES.items() if name in structure.parts)


def containers() -> dict[str, set[str]]:
    """Return, for every structure, the structures that may contain it, directly or through others."""
    above = {name: set(ancestors(name)) for name in STRUCTURES}
    for container, contents in HOLDS.items():
        for selector in contents:
            found = tuple(selected(selector))
            assert found, selector
            for name in found:
                above[name].update(selected(container))
    changed = True
    while changed:
        changed = False
        for name, found in above.items():
            wider = {higher for one in found for higher in above[one] if not on_other_side(name, higher)}
            kept = {one for one in found | wider if one != name and not on_other_side(name, one)}
            changed |= kept != found
            above[name] = kept
    return above


def sizes() -> dict[str, tuple[str, ...]]:
    """Return the volumes and heights of ``anatomy_sizes.tsv``, by the name without its side.

    They are those of one side, so both sides together have the lower bound of one, since one may be missing.
    """
    with SIZES.open(encoding="utf-8") as file:
        table = {row["structure"]: row for row in csv.DictReader(file, delimiter="\t")}
    assert not table.keys() - {unsided(structure) for structure in STRUCTURES.values()}
    found = {}
    for name, structure in STRUCTURES.items():
        if (row := table.get(unsided(structure))) is None:
            found[name] = ("", "", "", "", "no")
            continue
        has_sides = not structure.side and any(s.side and unsided(s) == name for s in STRUCTURES.values())
        high = format(float(row["high_ml"]) * (2 if has_sides else 1), "g")
        is_landmark = "no" if has_sides else row["landmark"]
        found[name] = (row["low_ml"], high, row["height_mm"], row["spread_mm"], is_landmark)
    return found


def rows() -> Iterator[tuple[str, ...]]:
    """Yield the rows of the file, in the order of ``COLUMNS``."""
    above, size = containers(), sizes()
    for name, structure in STRUCTURES.items():
        union = bool(structure.parts) and name not in NOT_THE_UNION
        within = "; ".join(sorted(above[name]))
        yield name, form_of(structure), side_of(structure), "yes" if union else "no", within, *size[name]


def text_of(lines: Iterable[tuple[str, ...]]) -> str:
    """Return the rows as the text of the file."""
    return "".join("\t".join(line) + "\n" for line in (COLUMNS, *lines))


def main() -> None:
    """Write or check ``anatomy.tsv``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file would change")
    check = parser.parse_args().check
    unused = {
        name for name in SOLID | SCATTERED | CROSSING | NOT_SHIFTING if not any(True for _ in selected(name))
    }
    assert not unused, unused
    text = text_of(rows())
    if not check:
        OUTPUT.write_text(text, encoding="utf-8")
    elif OUTPUT.read_text(encoding="utf-8") != text:
        sys.exit(f"{OUTPUT.name} is not what tools/build_anatomy.py writes: run it.")


if __name__ == "__main__":
    main()
