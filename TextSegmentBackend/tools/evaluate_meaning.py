"""Measure suggestions by meaning against suggestions by spelling, on lists of judged names.

A text encoder of ``textsegment train-text`` ranks the structures of a modality by the likeness of their names
to a text. Prints how often the right structure comes first, or among the first five, for texts that the
encoder did not learn from; and how many texts that the vocabulary leaves without a suggestion would get one.

    python tools/evaluate_meaning.py text-run/text-encoder.safetensors benchmarks/data/words/*.jsonl
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from textsegment.model.checkpoints.text_file import load_text_encoder
from textsegment.training.knowledge.knowledge import Knowledge
from textsegment.training.knowledge.text_tower import TextTower
from textsegment.vocabulary.resolve import resolve
from textsegment.vocabulary.structures import load_structures, nearest_structures
from textsegment.vocabulary.suggest import suggest

LIKENESSES = (0.6, 0.7, 0.8, 0.9)


class Judged(NamedTuple):
    """A text with its modality, and the structure that it means; None if it must not run."""

    text: str
    modality: str
    structure: str | None


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("encoder", type=Path)
    parser.add_argument("lists", type=Path, nargs="+")
    parser.add_argument("--show", type=int, default=0, help="Number of such texts to show.")
    arguments = parser.parse_args()
    tower = TextTower(load_text_encoder(arguments.encoder))
    judged = [each for path in arguments.lists for each in read(path)]
    knowledge = Knowledge.of_vocabulary()
    learnt = {*knowledge.names, *(text.text.lower() for text in knowledge.texts)}
    fresh = [each for each in judged if each.structure and plain(each.text) not in learnt]
    print(f"{len(fresh)} texts that mean one structure and were not learnt from\n")
    print("| suggested by | first | among five |\n|---|---|---|")
    by_meaning = nearest(tower, fresh)
    ways: dict[str, Callable[[int], Sequence[str]]] = {
        "meaning": lambda n: by_meaning[n][0],
        "likeness of letters": lambda n: nearest_structures(plain(fresh[n].text), fresh[n].modality),
        "the vocabulary (slips, names within)": lambda n: suggest(plain(fresh[n].text), fresh[n].modality),
    }
    for way, names in ways.items():
        first = sum(names(n)[:1] == (each.structure,) for n, each in enumerate(fresh))
        five = sum(each.structure in names(n)[:5] for n, each in enumerate(fresh))
        print(f"| {way} | {first / len(fresh):.3f} | {five / len(fresh):.3f} |")
    open_terms = [
        Judged(found.term, each.modality, None)
        for each in judged
        for found in resolve(each.text, each.modality)
        if found.status == "unknown" and not found.suggestions
    ]
    open_terms = list(dict.fromkeys(open_terms))
    answers = nearest(tower, open_terms)
    print(f"\n{len(open_terms)} terms get no suggestion from the vocabulary; by meaning they would get one")
    for least in LIKENESSES:
        print(f"  at a likeness of {least}: {sum(likeness >= least for _, likeness in answers)}")
    ranked = sorted(range(len(answers)), key=lambda n: -answers[n][1])
    for n in ranked[: arguments.show]:
        print(f"  {answers[n][1]:.2f} {open_terms[n].text!r} → {answers[n][0][0]}")


def nearest(tower: TextTower, texts: Sequence[Judged]) -> list[tuple[tuple[str, ...], float]]:
    """Return the five structures nearest to each text in its modality, and the likeness of the first."""
    structures = load_structures()
    names = list(structures)
    similarity = tower.embed([plain(each.text) for each in texts]) @ tower.embed(names).T
    found = []
    for row, each in zip(similarity, texts, strict=True):
        absent = torch.tensor([each.modality not in structures[name].modalities for name in names])
        best = row.masked_fill(absent, -2).topk(5)
        found.append((tuple(names[n] for n in best.indices.tolist()), float(best.values[0])))
    return found


def plain(text: str) -> str:
    """Return a text in lower case, its words separated by spaces: ``TemporalLobe_L``: ``temporal lobe l``."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return re.sub(r"[\s_]+", " ", apart).strip().lower()


def read(path: Path) -> list[Judged]:
    """Return the texts of a list that should run as one structure, or not at all."""
    entries = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [
        Judged(entry["text"], entry["modality"], None if entry["expected"] == "ASK" else entry["expected"][0])
        for entry in entries
        if "expected" in entry and (entry["expected"] == "ASK" or len(entry["expected"]) == 1)
    ]


if __name__ == "__main__":
    main()
