"""Making a set: labelled scans of some sources in the standard form, with one case in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from textsegment.datasets.checking import check_case
from textsegment.datasets.data_set import CASES_FILE, SET_FILE, SetCard
from textsegment.datasets.meanings import Meanings, find_meanings
from textsegment.datasets.report import CaseSummary, PageWriter
from textsegment.datasets.source import Source
from textsegment.datasets.split import split_patients
from textsegment.datasets.writing import Spacing, write_case
from textsegment.errors import InputError, OutputError, TextSegmentError
from textsegment.files.disk.atomic import atomic_output, make_folder

Report = Callable[[str], None]


@dataclass(frozen=True)
class PreparationSettings:
    """Settings of a preparation.

    Attributes:
        spacing: Voxel size of the canonical grid in millimetres: that of the model to be trained.
        validation: Fraction of the patients to hold out, of those whose split the source does not state.
        seed: Decides which patients are held out.
        answers: Meanings of raw names, stated by a person.
        skip_bad: Whether to leave out cases that cannot be used, with a note, instead of refusing the source.
    """

    spacing: Spacing
    validation: float = 0.2
    seed: int = 0
    answers: Mapping[str, str] = field(default_factory=dict)
    skip_bad: bool = False


@dataclass(frozen=True)
class Prepared:
    """Outcome of a preparation.

    Attributes:
        folder: Folder of the set.
        cases: Number of cases in it.
        left_out: Sentences about cases that were left out.
        notes: Sentences about cases that were taken.
        page: Report page.
    """

    folder: Path
    cases: int
    left_out: tuple[str, ...]
    notes: tuple[str, ...]
    page: Path


def prepare(
    sources: Iterable[Source], folder: Path, settings: PreparationSettings, report: Report
) -> Prepared:
    """Make a set from sources.

    Names are understood and patients split before the first scan is read. The set appears complete or not at
    all: ``cases.jsonl`` and ``set.json`` are written last.

    Args:
        sources: Sources of labelled scans.
        folder: Folder of the set; empty, missing, or an older set, which is replaced.
        settings: Settings.
        report: Callback for one line for each case.

    Raises:
        UnclearNamesError: Raw names do not mean exactly one structure each.
        InputError: A case contradicts itself, unless such cases are skipped; or two cases have one name.
        OutputError: The folder cannot be written, or holds something else.
    """
    sources = list(sources)
    meanings = [_meanings(source, settings) for source in sources]
    splits = split_patients(
        (
            (_unique(source, sources, case.patient_id), case.split)
            for source in sources
            for case in source.cases
        ),
        validation=settings.validation,
        seed=settings.seed,
    )
    _require_ours(folder)
    make_folder(folder)
    (folder / SET_FILE).unlink(missing_ok=True)  # a set that is being made is none
    with PageWriter(folder) as page:
        return _made(sources, meanings, splits, folder, settings, page, report)


def _made(
    sources: list[Source],
    meanings: list[Meanings],
    splits: Mapping[str, str],
    folder: Path,
    settings: PreparationSettings,
    page: PageWriter,
    report: Report,
) -> Prepared:
    """Write all cases, then what the set says about itself."""
    left_out: list[str] = []
    notes: list[str] = []
    weights: dict[str, float] = {}
    count = 0
    with atomic_output(folder / CASES_FILE) as lines, lines.open("w", encoding="utf-8") as file:
        for source, understood in zip(sources, meanings, strict=True):
            for case in source.cases:
                prefix = _unique(source, sources, "")
                try:
                    checked = check_case(
                        source,
                        case,
                        understood,
                        split=splits[prefix + case.patient_id],
                        folder=folder,
                        prefix=prefix,
                    )
                    record = write_case(checked.case, folder, settings.spacing)
                except OutputError:
                    raise
                except TextSegmentError as error:
                    if not settings.skip_bad:
                        raise
                    left_out.append(f"{error.message} {error.hint}".strip())
                    report(f"left out: {left_out[-1]}")
                    continue
                file.write(record.to_line() + "\n")
                page.add(CaseSummary.of(record, checked.case))
                notes += checked.notes
                weights[record.sample_id] = case.weight
                count += 1
                report(f"{record.sample_id}: {len(record.label)} structures, {record.official_split}")
        if count == 0:
            raise InputError(
                "None of the cases can be used.", left_out[0] if left_out else "Check the source."
            )
    card = SetCard(
        name=" + ".join(source.name for source in sources),
        spacing=settings.spacing,
        licences={source.name: source.licence or "not stated" for source in sources},
        groups={name: list(parts) for source in sources for name, parts in (source.groups or {}).items()},
        weights={name: weight for name, weight in weights.items() if weight != 1.0},
    )
    card.write(folder)
    return Prepared(
        folder, count, tuple(left_out), tuple(notes), page.finish(card, left_out, notes, meanings)
    )


def _meanings(source: Source, settings: PreparationSettings) -> Meanings:
    answers = {**source.answers, **settings.answers}
    return find_meanings(_raw_names(source), answers)


def _raw_names(source: Source) -> Iterator[tuple[str, str]]:
    for case in source.cases:
        for name in sorted(case.looked_for):
            yield case.modality, name


def _unique(source: Source, sources: list[Source], name: str) -> str:
    """Return a name that is unique among several sources."""
    return f"{source.name}_{name}" if len(sources) > 1 else name


def _require_ours(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not _is_set(folder))):
        raise OutputError("The output exists and is no data set.", "Give a new folder.")


def _is_set(folder: Path) -> bool:
    return (folder / SET_FILE).is_file() or (folder / CASES_FILE).is_file()
