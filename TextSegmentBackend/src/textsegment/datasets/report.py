"""The report page of a set: what is in it, how names were understood, and what deserves a look."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile

from textsegment.datasets.data_set import SetCard
from textsegment.datasets.meanings import Meanings
from textsegment.datasets.record import SPLITS, Record
from textsegment.datasets.writing import CheckedCase
from textsegment.files.disk.atomic import atomic_output
from textsegment.files.report.pictures import overview_pictures
from textsegment.files.report.style import STYLE
from textsegment.segmentation import Segmentation
from textsegment.volume import Volume

PAGE_FILE = "report.html"
_MOST_PICTURES = 100
_ODD_FACTOR = 4.0
_LEAST_CASES = 4


@dataclass(frozen=True, eq=False)
class CaseSummary:
    """What the page shows of a case.

    Attributes:
        record: Its line of the set.
        volumes: Volume of each structure in millilitres, empty if the structure is incomplete.
        scan: The scan.
        segmentation: Its masks without those that others make up.
    """

    record: Record
    volumes: dict[str, float]
    scan: Volume
    segmentation: Segmentation

    @classmethod
    def of(cls, record: Record, case: CheckedCase) -> CaseSummary:
        """Summarise a case."""
        whole = {
            name: mask.statistics.volume_ml for name, mask in case.masks.items() if name not in case.partly
        }
        inside = {name for name, mask in case.masks.items() if not mask.statistics.touches_border}
        masks = tuple(case.masks.values())
        return cls(
            record,
            {name: volume for name, volume in whole.items() if name in inside},
            case.volume,
            Segmentation(case.volume.geometry, masks),
        )


class PageWriter:
    """Collects cases one by one, keeping numbers only; pictures go to a temporary file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._volumes: dict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
        self._counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        self._patients: dict[str, set[str]] = defaultdict(set)
        self._cases: dict[str, int] = defaultdict(int)
        self._pictures = TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed when the writer is left
        self._drawn = 0

    def __enter__(self) -> PageWriter:
        """Return the writer."""
        return self

    def __exit__(self, *_: object) -> None:
        """Discard the pictures."""
        self._pictures.close()

    def add(self, case: CaseSummary) -> None:
        """Add a case."""
        record = case.record
        split = SPLITS.index(record.official_split)
        self._patients[record.official_split].add(record.patient_id)
        self._cases[record.official_split] += 1
        for name in record.annotated:
            self._counts[name, record.modality][split if name in record.label else 3] += 1
        for name, volume in case.volumes.items():
            self._volumes[name, record.modality].append((volume, record.sample_id))
        if self._drawn < _MOST_PICTURES:
            self._drawn += 1
            self._pictures.write(_gallery(case))

    def odd_volumes(self) -> list[str]:
        """Return a sentence for every structure whose volume is far from that in the other cases."""
        found = []
        for (name, modality), volumes in self._volumes.items():
            usual = median(volume for volume, _ in volumes)
            for volume, case in volumes:
                is_odd = volume > _ODD_FACTOR * usual or volume < usual / _ODD_FACTOR
                if len(volumes) >= _LEAST_CASES and is_odd:
                    found.append(f"{case}: {name} ({modality}) has {volume:.3g} ml; usual is {usual:.3g} ml.")
        return found

    def finish(
        self, card: SetCard, left_out: Sequence[str], notes: Sequence[str], meanings: Iterable[Meanings]
    ) -> Path:
        """Write the page and return its path."""
        path = self._folder / PAGE_FILE
        self._pictures.seek(0)
        understood = sorted({(raw, name) for each in meanings for (_, raw), name in each.structures.items()})
        sections = (
            f"<h1>{escape(card.name)}</h1>",
            _facts(card, self._patients, self._cases),
            _sentences("Left out", left_out),
            _sentences("Worth a look", [*self.odd_volumes(), *notes]),
            "<h2>Structures</h2>",
            _table(
                ("structure", "modality", *SPLITS, "absent"),
                [(n, m, *c) for (n, m), c in sorted(self._counts.items())],
            ),
            "<h2>How names were understood</h2>",
            _table(("name", "taken as"), [pair for pair in understood if pair[0] != pair[1]]),
            f"<h2>Pictures of the first {self._drawn} cases</h2>",
        )
        with atomic_output(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            file.write(
                '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Data set</title>'
                f"<style>{STYLE}</style></head>\n<body>\n"
            )
            file.writelines(sections)
            for line in self._pictures:
                file.write(line)
            file.write("</body></html>\n")
        return path


def _facts(card: SetCard, patients: dict[str, set[str]], cases: dict[str, int]) -> str:
    grid = " × ".join(f"{size:g}" for size in card.spacing)
    splits = [
        (split, f"{len(patients[split])} patients, {cases[split]} scans") for split in SPLITS if cases[split]
    ]
    facts = [
        ("Canonical grid", f"{grid} mm"),
        *splits,
        *((f"Licence of {n}", text) for n, text in card.licences.items()),
    ]
    return "<dl>" + "".join(f"<dt>{escape(a)}</dt><dd>{escape(b)}</dd>" for a, b in facts) + "</dl>\n"


def _sentences(title: str, sentences: Sequence[str]) -> str:
    if not sentences:
        return ""
    return f"<h2>{escape(title)}</h2><ul>{''.join(f'<li>{escape(each)}</li>' for each in sentences)}</ul>\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>\n" for row in rows
    )
    return f"<table><tr>{''.join(f'<th>{escape(cell)}</th>' for cell in head)}</tr>\n{lines}</table>\n"


def _gallery(case: CaseSummary) -> str:
    images = "".join(
        f'<img alt="" style="width:{picture.width:.2f}in" '
        f'src="data:image/png;base64,{base64.b64encode(picture.png).decode()}">'
        for picture in overview_pictures(case.scan, case.segmentation)
    )
    title = f"{case.record.sample_id} ({case.record.official_split})"
    return f'<section><h3>{escape(title)}</h3><div class="overview">{images}</div></section>\n'
