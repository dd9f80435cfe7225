"""Validation: Dice on patients that are not trained on, through the same engine that segments for users."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean

import torch

from textsegment.compare.metrics import dice
from textsegment.datasets.case import LabelledCase
from textsegment.inference.engine import LocalSegmenter
from textsegment.training.network.export import as_model
from textsegment.training.network.learner import Learner


@dataclass(frozen=True)
class Score:
    """Agreement with the truth in one case.

    Attributes:
        case: Name of the case.
        patient: Pseudonym of its patient.
        modality: DICOM code of its modality.
        structure: Name of the structure.
        dice: Dice coefficient on the grid of the scan, where the truth is known.
    """

    case: str
    patient: str
    modality: str
    structure: str
    dice: float


def validate(learner: Learner, cases: Iterable[LabelledCase]) -> list[Score]:
    """Segment the drawn structures of every case and compare them with the truth."""
    name = learner.network.config.name
    was_training, threads = learner.training, torch.get_num_threads()
    segmenter = LocalSegmenter(as_model(learner.eval(), name), device=_device(learner), feature_cache_bytes=0)
    offered = segmenter.info().structures
    scores = []
    try:
        for case in cases:
            known = offered[case.modality]
            structures = [s for s in case.structures if not known or s in known]
            if not structures:
                continue
            volume = case.volume()
            found = segmenter.segment(volume, structures)
            for structure in structures:
                truth, certain = case.mask(structure), case.known(structure, volume.geometry)
                mask = found.full_mask(structure) & certain
                scores.append(
                    Score(
                        case.sample_id, case.patient_id, case.modality, structure, dice(mask, truth & certain)
                    )
                )
    finally:
        torch.set_num_threads(threads)
        learner.train(was_training)
    return scores


def mean_dice(scores: Sequence[Score]) -> float:
    """Return the mean over structures of the mean over cases, as in SAT's evaluation."""
    return mean(by_structure(scores).values()) if scores else 0.0


def by_structure(scores: Sequence[Score]) -> dict[tuple[str, str], float]:
    """Return the mean Dice of each (structure, modality)."""
    keys = dict.fromkeys((score.structure, score.modality) for score in scores)
    return {
        key: mean(score.dice for score in scores if (score.structure, score.modality) == key) for key in keys
    }


def _device(learner: Learner) -> str:
    return str(next(learner.parameters()).device)
