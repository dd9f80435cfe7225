"""Choose the structures that the demo model offers, by what it reached, and write the weights to ship.

A structure is offered if its mean Dice on held-out people is 0.5 or more. Where no held-out person shows it,
its mean Dice on the training scans has to be 0.7 or more.

    textsegment evaluate RUN/sat-demo.safetensors HELD_OUT_SET -o HELD_OUT --split all
    textsegment evaluate RUN/sat-demo.safetensors TRAINING_SET -o TRAINED --split all
    python tools/offer_demo.py RUN/sat-demo.safetensors HELD_OUT TRAINED OUTPUT.safetensors
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean

from textsegment.datasets.data_set import DataSet
from textsegment.model.checkpoints import checkpoint
from textsegment.model.text.embedding_table import EmbeddingTable
from textsegment.training.network.export import card_of

LEAST_HELD_OUT, LEAST_TRAINED = 0.5, 0.7
Prompt = tuple[str, str]


def main() -> None:
    """Write the weights and print what is offered."""
    weights, held_out, trained, output = map(Path, sys.argv[1:5])
    loaded = checkpoint.load(weights)
    assert isinstance(loaded.text_encoder, EmbeddingTable)
    unseen, seen = mean_dice(held_out / "scores.csv"), mean_dice(trained / "scores.csv")
    offered = [prompt for prompt in loaded.text_encoder.prompts if is_offered(prompt, unseen, seen)]
    rows = [loaded.text_encoder.prompts.index(prompt) for prompt in offered]
    card = dict(loaded.source)
    if len(sys.argv) > 5:  # prepared set, for the card of weights that have none
        card |= card_of([DataSet(sys.argv[5])], int(sys.argv[6]), "sat-demo 0.1")
    checkpoint.save_demo(loaded.network, offered, loaded.text_encoder.embeddings[rows], output, card)
    for name, modality in offered:
        scores = (table.get((name, modality)) for table in (unseen, seen))
        print(
            f"| {name} | {modality} | " + " | ".join("–" if s is None else f"{s:.3f}" for s in scores) + " |"
        )
    known = [unseen[prompt] for prompt in offered if prompt in unseen]
    print(f"{len(offered)} offered, {len(known)} measured on held-out people: mean Dice {mean(known):.3f}")


def is_offered(prompt: Prompt, unseen: dict[Prompt, float], seen: dict[Prompt, float]) -> bool:
    """Return whether a structure was learnt well enough."""
    if prompt in unseen:
        return unseen[prompt] >= LEAST_HELD_OUT
    return seen.get(prompt, 0.0) >= LEAST_TRAINED


def mean_dice(scores: Path) -> dict[Prompt, float]:
    """Read the mean Dice of each structure where it is present."""
    found: dict[Prompt, list[float]] = defaultdict(list)
    with scores.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["truth_is_empty"] == "False":
                found[row["structure"], row["modality"]].append(float(row["dice"]))
    return {prompt: mean(values) for prompt, values in found.items()}


if __name__ == "__main__":
    main()
