"""One line of ``cases.jsonl``: what a set holds about a labelled scan.

The fields are those of the lists that SAT is trained from; the ones after ``sample_id`` are ours. All paths
are relative to the folder of the set.

* ``image``: the scan, as it was found; ``mask``: an archive of the masks on the grid of the scan;
* ``label``: structures that are drawn, unions included; ``modality``: ``ct``, ``mri``, ``us``, ``pet``;
* ``dataset``, ``official_split`` (``train``, ``validation`` or ``test``), ``patient_id``;
* ``renorm_image``: normalised voxels on the canonical grid, float16 ``(1, x, y, z)``; ``chwd``: its shape;
* ``renorm_segmentation_dir``: a folder with one boolean array for each label, cropped to its box;
* ``renorm_y1x1z1_y2x2z2``: that box for each label, as ``[x1, y1, z1, x2, y2, z2]``, or false if empty;
* ``roi_y1x1z1_y2x2z2``: box around all labels, or false;
* ``sample_id``: name of the case, unique in the set;
* ``annotated``: structures whose presence or absence is known, ``label`` included. All others are unknown;
* ``partly``: range of heights in millimetres (patient axis S) for which the truth of a structure is known;
* ``mask_shape``: shape of the scan; ``mask_boxes``: box of each label on it, or false.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from textsegment.errors import InputError
from textsegment.geometry import Box

SPLITS = ("train", "validation", "test")
SAT_MODALITIES = {"CT": "ct", "MR": "mri", "US": "us", "PT": "pet"}
UNKNOWN_VOXELS = "unknown voxels"
"""Name of the mask of voxels about which nothing is known."""

FlatBox = list[int] | bool


@dataclass(frozen=True)
class Record:
    """Fields of one line; see the module."""

    image: str
    mask: str
    label: list[str]
    modality: str
    dataset: str
    official_split: str
    patient_id: str
    renorm_image: str
    chwd: list[int]
    renorm_segmentation_dir: str
    renorm_y1x1z1_y2x2z2: list[FlatBox]
    roi_y1x1z1_y2x2z2: FlatBox
    sample_id: str
    annotated: list[str]
    mask_shape: list[int]
    mask_boxes: dict[str, FlatBox]
    partly: dict[str, list[float]] = field(default_factory=dict)

    def to_line(self) -> str:
        """Return the line of ``cases.jsonl``, without its end."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_line(cls, line: str | bytes, number: int = 0) -> Record:
        """Read a line.

        Raises:
            InputError: The line lacks a field, or is not JSON.
        """
        try:
            content: dict[str, Any] = json.loads(line)
            record = cls(**{each.name: content[each.name] for each in fields(cls) if each.name in content})
        except (ValueError, TypeError) as error:
            raise InputError(
                f"cases.jsonl, line {number + 1}: this is no case of a data set.",
                "Make the set again with `textsegment data prepare`.",
            ) from error
        if record.official_split not in SPLITS:
            raise InputError(
                f"cases.jsonl, line {number + 1}: {record.official_split!r} is not a split.",
                f"Use one of {', '.join(SPLITS)}.",
            )
        return record


def flat(box: Box | None) -> FlatBox:
    """Return a box as six numbers, or false for none.

    >>> flat(Box((1, 2, 3), (4, 5, 6)))
    [1, 2, 3, 4, 5, 6]
    """
    return False if box is None else [*box.start, *box.stop]


def box_of(numbers: FlatBox) -> Box | None:
    """Return the box of six numbers, or None for false."""
    if isinstance(numbers, bool):
        return None
    a, b, c, d, e, f = numbers
    return Box((a, b, c), (d, e, f))
