"""Stage 1: the text encoder learns which texts mean the same."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from textsegment.files.disk.atomic import atomic_output
from textsegment.model.checkpoints.text_file import save_text_encoder
from textsegment.training.knowledge.knowledge import Knowledge
from textsegment.training.knowledge.loss import text_text_loss
from textsegment.training.knowledge.pairs import PairSampler
from textsegment.training.knowledge.retrieval import retrieve_by_language
from textsegment.training.knowledge.text_tower import TextTower
from textsegment.training.loop.resumable_run import Kept, Report, ResumableRun, use_rate

ENCODER_FILE, RETRIEVAL_FILE = "text-encoder.safetensors", "retrieval.json"
KNOWLEDGE_FILE = "knowledge.jsonl"
_REPORT_EVERY = 20


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


class TextTrainer(ResumableRun):
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
        super().__init__(folder, steps=settings.steps, checkpoint_every=checkpoint_every, report=report)
        self.tower, self.knowledge, self.settings = tower, knowledge, settings
        self._pairs = PairSampler(knowledge, settings.batch_size, settings.seed)
        self._freeze()
        learnt = [parameter for parameter in tower.parameters() if parameter.requires_grad]
        self._optimizer = torch.optim.AdamW(learnt, settings.learning_rate, weight_decay=0.0)
        self._before: dict[str, object] = {}
        self._total = 0.0
        self.resume()

    @property
    def identity(self) -> Mapping[str, str]:
        """Settings, size of the encoder, and digest of the knowledge."""
        return identity_of(self.settings, self.tower, self.knowledge)

    def kept(self) -> Mapping[str, Kept]:
        """Return the encoder and the optimizer."""
        return {"tower": self.tower, "optimizer": self._optimizer}

    def progress(self) -> dict[str, Any]:
        """Return what was measured before the first step."""
        return {"untrained": self._before}

    def restore(self, progress: Mapping[str, Any]) -> None:
        """Take back what ``progress`` returned."""
        self._before = progress["untrained"]

    def begin(self) -> None:
        """Write what is learnt from, and measure the untrained encoder."""
        if not self._before:
            self.knowledge.write(self.folder / KNOWLEDGE_FILE)
            self._before = self.measured()
            self.report(f"untrained: {_in_words(self._before)}")

    def learn(self) -> float:
        """Learn from one batch of pairs."""
        pairs = self._pairs.draw(self.step)
        random = np.random.default_rng((self.settings.seed, self.step, 1))
        loss = text_text_loss(
            self.tower.features(pairs.first, random),
            self.tower.features(pairs.second, random),
            torch.from_numpy(pairs.ids),
            self.tower.scale,
        )
        apply(loss, self._optimizer, self.settings.rate(self.step))
        return float(loss.detach())

    def after_step(self, loss: float) -> None:
        """Report the mean loss now and then."""
        self._total += loss
        if self.step % _REPORT_EVERY == 0:
            self.report(f"step {self.step} loss {self._total / _REPORT_EVERY:.3f}")
            self._total = 0.0

    def finish(self) -> Path:
        """Measure what was learnt, and return the path of the encoder."""
        self.save()
        after = self.measured()
        self.report(f"trained: {_in_words(after)}")
        content = {"settings": asdict(self.settings), "untrained": self._before, "trained": after}
        with atomic_output(self.folder / RETRIEVAL_FILE) as temporary:
            temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
        path = self.folder / ENCODER_FILE
        save_text_encoder(self.tower.encoder, path, {"stage": "1", "knowledge_sha256": self.knowledge.digest})
        return path

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


def identity_of(settings: TextSettings, tower: TextTower, knowledge: Knowledge) -> dict[str, str]:
    """Return what a run keeps when it goes on."""
    own = {name: repr(value) for name, value in asdict(settings).items()}
    return own | {"size": repr(tower.encoder.config), "knowledge": knowledge.digest}


def apply(loss: Tensor, optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Take one step of an optimizer at a learning rate."""
    use_rate(optimizer, rate)
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    optimizer.step()


def _in_words(found: dict[str, object]) -> str:
    everything = found["all"]
    assert isinstance(everything, dict)
    shares = ", ".join(f"R@{k} {everything[f'recall_at_{k}']:.3f}" for k in (1, 5, 10))
    return f"{shares}, median rank {everything['median_rank']:g} of {everything['bank']}"
