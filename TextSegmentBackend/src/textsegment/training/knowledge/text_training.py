"""Stage 1: the text encoder learns which texts mean the same.

A run that goes on after an interruption equals one that was never interrupted.
"""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from textsegment.errors import CheckpointError, SettingsError
from textsegment.files.atomic import atomic_output, make_folder
from textsegment.model.checkpoints.text_file import save_text_encoder
from textsegment.training.knowledge.knowledge import Knowledge
from textsegment.training.knowledge.loss import text_text_loss
from textsegment.training.knowledge.pairs import PairSampler
from textsegment.training.knowledge.retrieval import retrieve_by_language
from textsegment.training.knowledge.text_tower import TextTower

CHECKPOINT_FILE, ENCODER_FILE, RETRIEVAL_FILE = "last.pt", "text-encoder.safetensors", "retrieval.json"
KNOWLEDGE_FILE = "knowledge.jsonl"
_REPORT_EVERY = 20
_DAMAGE = (pickle.UnpicklingError, RuntimeError, EOFError, OSError, KeyError, TypeError, ValueError)

Report = Callable[[str], None]


@dataclass(frozen=True)
class TextSettings:
    """Settings of a run; a run with others does not go on in the same folder.

    Attributes:
        steps: Number of steps.
        batch_size: Pairs a step.
        learning_rate: Highest learning rate, reached after the warm-up; a half-cosine to zero follows.
        warm_up_share: Share of the steps in which the learning rate rises.
        open_layers: Number of last layers to train; all, and the embeddings, if None. The published recipe
            opens the last three of a trained encoder.
        seed: Seed of weights and pairs.
    """

    steps: int = 600
    batch_size: int = 64
    learning_rate: float = 2e-3
    warm_up_share: float = 0.1
    open_layers: int | None = None
    seed: int = 0

    def rate(self, step: int) -> float:
        """Return the learning rate of a step."""
        warm_up = max(1, round(self.warm_up_share * self.steps))
        if step < warm_up:
            return self.learning_rate * (step + 1) / warm_up
        return (
            self.learning_rate
            * 0.5
            * (1 + math.cos(math.pi * (step - warm_up) / max(1, self.steps - warm_up)))
        )


class TextTrainer:
    """A run of stage 1 in a folder.

    Args:
        tower: Encoder to train, which is changed.
        knowledge: What to learn.
        folder: Folder of the run; an unfinished run in it goes on.
        settings: Settings of the run.
        report: Callback for messages about progress.
        checkpoint_every: Steps between two checkpoints.

    Raises:
        SettingsError: The folder holds a run with other settings, knowledge or size.
        CheckpointError: Its checkpoint is damaged.
    """

    def __init__(
        self,
        tower: TextTower,
        knowledge: Knowledge,
        folder: Path,
        settings: TextSettings,
        report: Report,
        checkpoint_every: int = 200,
    ) -> None:
        self.tower, self.knowledge, self.folder, self.settings = tower, knowledge, folder, settings
        self._report, self._checkpoint_every = report, checkpoint_every
        self._pairs = PairSampler(knowledge, settings.batch_size, settings.seed)
        self._freeze()
        learnt = [parameter for parameter in tower.parameters() if parameter.requires_grad]
        self._optimizer = torch.optim.AdamW(learnt, settings.learning_rate, weight_decay=0.0)
        self._identity = json.dumps(
            [asdict(settings), asdict(tower.encoder.config), knowledge.digest], sort_keys=True
        )
        self.step = 0
        self._before: dict[str, object] = {}
        make_folder(folder)
        self._resume()

    def run(self) -> Path:
        """Train to the last step, measure what was learnt, and return the path of the encoder."""
        if not self._before:
            self.knowledge.write(self.folder / KNOWLEDGE_FILE)
            self._before = self.measured()
            self._report(f"untrained: {_in_words(self._before)}")
        total = 0.0
        while self.step < self.settings.steps:
            total += self.train_step()
            if self.step % _REPORT_EVERY == 0:
                self._report(f"step {self.step} loss {total / _REPORT_EVERY:.3f}")
                total = 0.0
            if self.step % self._checkpoint_every == 0:
                self._save()
        self._save()
        return self._finish()

    def train_step(self) -> float:
        """Take one step and return its loss."""
        pairs = self._pairs.draw(self.step)
        random = np.random.default_rng((self.settings.seed, self.step, 1))
        loss = text_text_loss(
            self.tower.features(pairs.first, random),
            self.tower.features(pairs.second, random),
            torch.from_numpy(pairs.ids),
            self.tower.scale,
        )
        apply(loss, self._optimizer, self.settings.rate(self.step))
        self.step += 1
        return float(loss.detach())

    def measured(self) -> dict[str, object]:
        """Return how well held-out synonyms are found now, by group of languages."""
        found = retrieve_by_language(self.tower.embed, self.knowledge)
        return {name: retrieval.to_json() for name, retrieval in found.items()}

    def _freeze(self) -> None:
        if self.settings.open_layers is None:
            return
        mpnet = self.tower.encoder.mpnet
        mpnet.requires_grad_(False)
        for layer in list(mpnet.layers)[max(0, len(mpnet.layers) - self.settings.open_layers) :]:
            layer.requires_grad_(True)

    def _finish(self) -> Path:
        after = self.measured()
        self._report(f"trained: {_in_words(after)}")
        content = {"settings": asdict(self.settings), "untrained": self._before, "trained": after}
        with atomic_output(self.folder / RETRIEVAL_FILE) as temporary:
            temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
        path = self.folder / ENCODER_FILE
        save_text_encoder(self.tower.encoder, path, {"stage": "1", "knowledge_sha256": self.knowledge.digest})
        return path

    def _save(self) -> None:
        state = {
            "identity": self._identity,
            "step": self.step,
            "tower": self.tower.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "untrained": self._before,
        }
        with atomic_output(self.folder / CHECKPOINT_FILE) as path:
            torch.save(state, path)

    def _resume(self) -> None:
        state = load_state(self.folder / CHECKPOINT_FILE, self._identity)
        if state is None:
            return
        self.step, self._before = int(state["step"]), state["untrained"]
        self.tower.load_state_dict(state["tower"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._report(f"goes on at step {self.step}")


def apply(loss: Tensor, optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Take one step of an optimizer at a learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    optimizer.step()


def load_state(path: Path, identity: str) -> dict[str, Any] | None:
    """Read the checkpoint of a run; None if there is none yet.

    Raises:
        SettingsError: It is of a run with other settings.
        CheckpointError: It is damaged.
    """
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
        is_same = state["identity"] == identity
    except _DAMAGE as error:
        raise CheckpointError(f"{path.name} is damaged.", "Choose another folder for the run.") from error
    if not is_same:
        raise SettingsError(
            "The folder holds a run with other settings, knowledge or size.", "Choose another folder."
        )
    return state


def _in_words(found: dict[str, object]) -> str:
    everything = found["all"]
    assert isinstance(everything, dict)
    shares = ", ".join(f"R@{k} {everything[f'recall_at_{k}']:.3f}" for k in (1, 5, 10))
    return f"{shares}, median rank {everything['median_rank']:g} of {everything['bank']}"
