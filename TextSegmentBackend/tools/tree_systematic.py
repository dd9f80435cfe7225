"""Systematic terms of anatomy: teeth, vertebrae, ribs, hand, foot, spinal nerves, segments of the lungs.

Each function yields ``Row``s; ``{}`` in a name, or in the term above it, stands for "", "left " and "right ".
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth"),
    *("seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"),
)
QUADRANTS = ("upper right", "upper left", "lower left", "lower right")
TEETH = (
    "central incisor",
    "lateral incisor",
    "canine",
    "first premolar",
    "second premolar",
    "first molar",
    "second molar",
    "third molar",
)
TOOTH_PARTS = ("crown", "neck", "root", "pulp", "enamel", "dentine", "cementum")
REGIONS = {"c": "cervical", "t": "thoracic", "l": "lumbar"}
LEVELS = [f"{r}{n}" for r, count in (("c", 7), ("t", 12), ("l", 5)) for n in range(1, count + 1)]
NERVES = [f"{r}{n}" for r, c in (("c", 8), ("t", 12), ("l", 5), ("s", 5)) for n in range(1, c + 1)]
FINGERS = ("thumb", "index finger", "middle finger", "ring finger", "little finger")
TOES = ("great toe", "second toe", "third toe", "fourth toe", "little toe")
CARPALS = ["scaphoid", "lunate", "triquetrum", "pisiform", "trapezium", "trapezoid", "capitate", "hamate"]
TARSALS = (
    "talus",
    "calcaneus",
    "navicular bone",
    "cuboid bone",
    "medial cuneiform bone",
    "intermediate cuneiform bone",
    "lateral cuneiform bone",
)
LUNG_SEGMENTS = {
    "right lung upper lobe": ("apical", "posterior", "anterior"),
    "right lung middle lobe": ("lateral", "medial"),
    "right lung lower lobe": (
        "superior",
        "medial basal",
        "anterior basal",
        "lateral basal",
        "posterior basal",
    ),
    "left lung upper lobe": ("apicoposterior", "anterior", "superior lingular", "inferior lingular"),
    "left lung lower lobe": ("superior", "anteromedial basal", "lateral basal", "posterior basal"),
}
BRODMANN = (*range(1, 13), *range(17, 48))


class Row(NamedTuple):
    """Term: its parent, its relation to the parent, whether it is paired, its name and synonyms."""

    above: str
    relation: str
    paired: bool
    name: str
    synonyms: tuple[str, ...] = ()


def vertebra(level: str) -> str:
    """Return the model's name for a vertebra: ``lumbar vertebrae 4 (l4)`` for ``l4``."""
    return f"{REGIONS[level[0]]} vertebrae {level[1:]} ({level})"


def teeth() -> Iterator[Row]:
    """Yield the permanent teeth and their parts."""
    for quadrant, side in enumerate(QUADRANTS, 1):
        for place, kind in enumerate(TEETH, 1):
            name = f"{side} {kind}"
            yield Row("Teeth", "is-a", False, name, (f"tooth {quadrant}{place}",))
            for part in TOOTH_PARTS:
                yield Row(name, "part-of", False, f"{part} of {name}")


def vertebrae() -> Iterator[Row]:
    """Yield the parts of the vertebrae, the discs that the model lacks, and small joints and foramina."""
    for level in LEVELS:
        whole, name = vertebra(level), f"{level.upper()} vertebra"
        single = ["vertebral foramen"]
        double = ["transverse process", "superior articular facet", "inferior articular facet", "lamina"]
        if level == "c1":
            single += ["anterior arch", "posterior arch", "anterior tubercle", "posterior tubercle"]
            double = [*double[:3], "lateral mass"]
        else:
            single += ["body", "vertebral arch", "spinous process", "inferior endplate"]
            double += ["pedicle"]
            single += ["dens"] if level == "c2" else ["superior endplate"]
        double += ["foramen transversarium"] if level[0] == "c" else []
        double += ["superior costal facet"] if level[0] == "t" else []
        double += (
            ["mammillary process", "accessory process", "pars interarticularis"] if level[0] == "l" else []
        )
        for part in single:
            yield Row(whole, "part-of", False, f"{part} of {name}")
        for part in double:
            yield from both(whole, "part-of", f"{{}}{part} of {name}")
    column = [*LEVELS[1:], "s1"]
    for above, below in pairwise(column):
        pair = f"{above.upper()}/{below.upper()}"
        end = "sacrum" if below == "s1" else vertebra(below)
        disc = f"intervertebral disc between {vertebra(above)} and {end}"
        if above[0] == "c" or (above[0] == "t" and int(above[1:]) < 9):
            disc = f"{pair} intervertebral disc"
            yield Row("intervertebral discs", "is-a", False, disc, (f"{pair} disc",))
        yield Row(disc, "part-of", False, f"nucleus pulposus of {pair} disc")
        yield Row(disc, "part-of", False, f"annulus fibrosus of {pair} disc")
        yield from both("Joints of the spine and chest", "is-a", f"{{}}{pair} facet joint")
        yield from both("Vertebrae and discs", "part-of", f"{{}}{pair} neural foramen")
        if above[0] == "c" and above != "c7":
            yield from both("Joints of the spine and chest", "is-a", f"{{}}{pair} uncovertebral joint")


def ribs() -> Iterator[Row]:
    """Yield the parts of the ribs, their joints, and the structures between them."""
    for number in range(1, 13):
        parts = ["head", "shaft", "sternal end"]
        parts += (
            ["neck", "tubercle", "angle"] if 1 < number < 11 else ["neck", "tubercle"] if number == 1 else []
        )
        for part in parts:
            yield from both(f"{{}}rib {number}", "part-of", f"{part} of {{}}rib {number}")
        yield from both("Joints of the spine and chest", "is-a", f"{{}}costovertebral joint of rib {number}")
        if number < 11:
            yield from both(
                "Joints of the spine and chest", "is-a", f"{{}}costotransverse joint of rib {number}"
            )
            yield from both("costal cartilage", "part-of", f"costal cartilage of {{}}rib {number}")
        if number < 8:
            yield from both(
                "Joints of the spine and chest", "is-a", f"{{}}sternocostal joint of rib {number}"
            )
        if number == 12:
            continue
        nth = ORDINALS[number - 1]
        yield from both("Chest", "part-of", f"{{}}{nth} intercostal space")
        for layer in ("external", "internal", "innermost"):
            yield from both("Muscles of the trunk", "is-a", f"{{}}{layer} intercostal muscle of {nth} space")
        yield from both("Intercostal vessels", "is-a", f"{{}}{nth} posterior intercostal artery")
        yield from both("Intercostal vessels", "is-a", f"{{}}{nth} posterior intercostal vein")
        yield from both("Nerves and ganglia", "is-a", f"{{}}{nth} intercostal nerve")


def limbs() -> Iterator[Row]:
    """Yield the bones, joints, ligaments and nails of the hand and foot."""
    for name in CARPALS:
        yield from both("Bones of the hand", "is-a", f"{{}}{name}", f"{name} bone")
    for name in TARSALS:
        yield from both("Bones of the foot", "is-a", f"{{}}{name}")
    yield from _rays("metacarpal", FINGERS, "Bones of the hand", "carpometacarpal", "metacarpophalangeal")
    yield from _rays("metatarsal", TOES, "Bones of the foot", "tarsometatarsal", "metatarsophalangeal")
    for name in ("medial sesamoid bone of great toe", "lateral sesamoid bone of great toe"):
        yield from both("Bones of the foot", "is-a", f"{{}}{name}")
    for finger in FINGERS[1:]:
        for muscle in ("flexor digitorum superficialis", "flexor digitorum profundus", "extensor digitorum"):
            yield from both("Tendons and fasciae", "is-a", f"{{}}tendon of {muscle} to {finger}")
    for toe in TOES[1:]:
        for muscle in ("flexor digitorum longus", "extensor digitorum longus"):
            yield from both("Tendons and fasciae", "is-a", f"{{}}tendon of {muscle} to {toe}")


def _rays(long: str, digits: tuple[str, ...], group: str, near: str, knuckle: str) -> Iterator[Row]:
    for number, digit in enumerate(digits):
        bone = f"{ORDINALS[number]} {long} bone"
        bones = [bone]
        yield from both(group, "is-a", f"{{}}{bone}", f"{ORDINALS[number]} {long}")
        if number or long == "metatarsal":
            yield from both("Joints of hand and foot", "is-a", f"{{}}{ORDINALS[number]} {near} joint")
        yield from both("Joints of hand and foot", "is-a", f"{{}}{knuckle} joint of {digit}")
        joints = ["proximal interphalangeal", "distal interphalangeal"] if number else ["interphalangeal"]
        for joint in joints:
            yield from both("Joints of hand and foot", "is-a", f"{{}}{joint} joint of {digit}")
        for joint in (knuckle, *joints):
            for side in ("radial", "ulnar") if long == "metacarpal" else ("medial", "lateral"):
                name = f"{{}}{side} collateral ligament of {joint} joint of {digit}"
                yield from both("Ligaments, menisci and bursae", "is-a", name)
        for phalanx in ("proximal", "middle", "distal") if number else ("proximal", "distal"):
            bones.append(f"{phalanx} phalanx of {digit}")
            yield from both(group, "is-a", f"{{}}{bones[-1]}")
        for name in bones:
            for part in ("base", "shaft", "head"):
                yield from both(f"{{}}{name}", "part-of", f"{part} of {{}}{name}")
        yield from both(f"{{}}{digit}", "part-of", f"nail of {{}}{digit}")


def nerves() -> Iterator[Row]:
    """Yield the spinal nerves with their roots and branches, the spinal cord segments and dermatomes."""
    for level in NERVES:
        name = level.upper()
        yield Row("spinal cord", "part-of", False, f"{name} segment of spinal cord")
        yield from both("Spinal nerves", "is-a", f"{{}}{name} spinal nerve")
        for part in ("ventral root", "dorsal root", "ventral ramus", "dorsal ramus"):
            if (level, part) != ("c1", "dorsal root"):
                yield from both(f"{{}}{name} spinal nerve", "part-of", f"{part} of {{}}{name} spinal nerve")
        if level != "c1":
            yield from both("Spinal nerves", "is-a", f"{{}}{name} dorsal root ganglion")
            yield from both("Skin and nails", "part-of", f"{{}}{name} dermatome")


def lungs() -> Iterator[Row]:
    """Yield the bronchopulmonary segments with their bronchi and arteries."""
    for lobe, segments in LUNG_SEGMENTS.items():
        side, _, level, _ = lobe.split()
        for segment in segments:
            where = f"{side} {level} lobe"
            yield Row(lobe, "part-of", False, f"{segment} segment of {where}")
            yield Row("bronchie", "part-of", False, f"{segment} segmental bronchus of {where}")
            yield Row("pulmonary artery", "part-of", False, f"{segment} segmental artery of {where}")


def cortex() -> Iterator[Row]:
    """Yield the Brodmann areas that are mapped in humans."""
    for number in BRODMANN:
        if number not in (14, 15, 16):
            yield from both("{}cerebral cortex", "part-of", f"{{}}brodmann area {number}")


def both(above: str, relation: str, name: str, synonym: str = "") -> Iterator[Row]:
    """Yield a paired term and its two sides; each side is a kind of it, linked to its side of the parent."""
    plain = name.format("")
    yield Row(above.format(""), relation, True, plain, (synonym,) if synonym else ())
    for side in ("left ", "right "):
        yield Row(plain, "is-a", False, name.format(side), (f"{side}{synonym}",) if synonym else ())
        if "{}" in above:
            yield Row(above.format(side), relation, False, name.format(side))


def systematic() -> Iterator[Row]:
    """Yield all systematic terms, parents before their children."""
    for part in (teeth, vertebrae, ribs, limbs, nerves, lungs, cortex):
        yield from part()
