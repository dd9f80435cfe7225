"""Run of a model over the cases of a set, each structure scored on the grid of its scan."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from textsegment.compare.comparison import Tolerances
from textsegment.compare.metrics import measure
from textsegment.errors import InputError, SettingsError
from textsegment.evaluation.score import Score, ScoreFile
from textsegment.files.disk.atomic import atomic_output, make_folder
from textsegment.geometry import Geometry
from textsegment.segmenter import Segmenter
from textsegment.volume import Volume

SCORES_FILE, SETTINGS_FILE = "scores.jsonl", "evaluation.json"


class EvaluationCase(Protocol):
    """What an evaluation asks of a labelled scan; ``datasets.case.LabelledCase`` is one."""

    @property
    def sample_id(self) -> str:
        """Name of the case, unique in its set."""

    @property
    def patient_id(self) -> str:
        """Pseudonym of the patient."""

    @property
    def dataset(self) -> str:
        """Name of the data set that the case comes from."""

    @property
    def modality(self) -> str:
        """DICOM modality code."""

    @property
    def structures(self) -> tuple[str, ...]:
        """Structures that are drawn."""

    @property
    def absent(self) -> tuple[str, ...]:
        """Structures that were looked for and are not in the scan."""

    def volume(self) -> Volume:
        """Read the scan."""

    def mask(self, structure: str) -> NDArray[np.bool_]:
        """Read the true mask of a structure on the grid of the scan, ``[i, j, k]``."""

    def known(self, structure: str, geometry: Geometry) -> NDArray[np.bool_]:
        """Return the voxels for which the truth of a structure is known, ``[i, j, k]``."""


@dataclass(frozen=True)
class EvaluationSettings:
    """What an evaluation depends on; one with other settings cannot go on in the same folder.

    Attributes:
        model: Name of the model.
        weights_sha256: Digest of its weights.
        set_name: Name of the data set.
        set_sha256: Digest of the list of its cases.
        split: Part of the set that is evaluated.
        tolerance_mm: Tolerance of the surface Dice in millimetres.
        tolerances_mm: Tolerances of structures that have their own.
    """

    model: str
    weights_sha256: str
    set_name: str
    set_sha256: str
    split: str
    tolerance_mm: float
    tolerances_mm: dict[str, float]

    def begin(self, folder: Path) -> ScoreFile:
        """Create the folder of the evaluation, or go on in it, and return its scores.

        Raises:
            SettingsError: The folder holds an evaluation with other settings.
            OutputError: The folder cannot be written.
        """
        make_folder(folder)
        path = folder / SETTINGS_FILE
        if not path.exists():
            with atomic_output(path) as temporary:
                temporary.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False), encoding="utf-8")
        elif (other := read_settings(folder)) != self:
            differing = [key for key, value in asdict(self).items() if asdict(other)[key] != value]
            raise SettingsError(
                f"The folder holds an evaluation that differs in {', '.join(differing)}.",
                "Choose another folder.",
            )
        return ScoreFile(folder / SCORES_FILE)


def read_settings(folder: Path) -> EvaluationSettings:
    """Read the settings of an evaluation from its folder.

    Raises:
        SettingsError: The folder holds no evaluation.
    """
    try:
        return EvaluationSettings(**json.loads((folder / SETTINGS_FILE).read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise SettingsError(
            f"The folder {folder.name} holds no evaluation.", "Give a folder written by textsegment evaluate."
        ) from error


def run(
    segmenter: Segmenter,
    cases: Iterable[EvaluationCase],
    scores: ScoreFile,
    *,
    tolerances: Tolerances,
    on_case: Callable[[str, Sequence[Score]], None] = lambda sample_id, scores: None,
) -> dict[str, InputError]:
    """Score a model on all cases that have no scores yet.

    Args:
        segmenter: Model to evaluate.
        cases: Cases, read one at a time.
        scores: File that the scores are added to.
        tolerances: Tolerances of the surface Dice.
        on_case: Callback after each case.

    Returns:
        Errors of the cases that could not be evaluated, by name; a later run tries them again.
    """
    failed: dict[str, InputError] = {}
    offered = segmenter.info().structures
    for case in cases:
        if case.sample_id in scores:
            continue
        try:
            found = _score(segmenter, case, offered.get(case.modality, ()), tolerances)
        except InputError as error:
            failed[case.sample_id] = error
            continue
        scores.add(case.sample_id, found)
        on_case(case.sample_id, found)
    return failed


def _score(
    segmenter: Segmenter, case: EvaluationCase, offered: Sequence[str], tolerances: Tolerances
) -> list[Score]:
    """Score all structures that the model offers and about which the case knows something."""
    known = {*case.structures, *case.absent}
    prompts = [name for name in dict.fromkeys(offered) if name in known]
    if not prompts:
        return []
    volume = case.volume()
    result = segmenter.segment(volume, prompts)
    return [
        _score_structure(case, name, result.full_mask(name), volume.geometry, tolerances.of(name))
        for name in prompts
    ]


def _score_structure(
    case: EvaluationCase,
    structure: str,
    found: NDArray[np.bool_],
    geometry: Geometry,
    tolerance_mm: float,
) -> Score:
    truth, known = case.mask(structure), case.known(structure, geometry)
    partly = not known.all()
    if partly:
        found, truth = found & known, truth & known
    return Score(
        dataset=case.dataset,
        sample_id=case.sample_id,
        patient_id=case.patient_id,
        modality=case.modality,
        structure=structure,
        truth_is_empty=not truth.any(),
        partly_known=partly,
        measures=measure(found, truth, geometry, tolerance_mm=tolerance_mm),
    )


def settings_of(
    segmenter: Segmenter, set_name: str, set_sha256: str, split: str, tolerances: Tolerances
) -> EvaluationSettings:
    """Return the settings of an evaluation of a model on a set."""
    info = segmenter.info()
    own = dict(sorted(tolerances.by_name.items()))
    return EvaluationSettings(
        info.model, info.weights_sha256, set_name, set_sha256, split, tolerances.default_mm, own
    )
