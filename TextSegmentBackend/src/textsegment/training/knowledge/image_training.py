"""Stage 2: images of structures and their names come to the same vectors; in every second step, texts do."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from textsegment.files.disk.atomic import atomic_output
from textsegment.model.checkpoints.checkpoint import save_knowledge
from textsegment.model.checkpoints.text_file import save_text_encoder
from textsegment.model.text.text_encoder import modality_index
from textsegment.training.knowledge.image_tower import ImageTower
from textsegment.training.knowledge.knowledge import Knowledge
from textsegment.training.knowledge.loss import image_text_loss, text_text_loss
from textsegment.training.knowledge.pairs import PairSampler
from textsegment.training.knowledge.structure_crops import StructureCrop, StructureSampler
from textsegment.training.knowledge.text_tower import FIRST_SCALE, LARGEST_SCALE, TextTower
from textsegment.training.knowledge.text_training import ENCODER_FILE, TextSettings, apply, identity_of
from textsegment.training.loop.resumable_run import Kept, Report, ResumableRun
from textsegment.training.network.learner import Learner
from textsegment.training.network.prompts import FrozenText

START_FILE, IMAGE_RETRIEVAL_FILE = "start.safetensors", "image-retrieval.json"
_CROPS = 2
"""Number of crops a step, as in the published recipe."""
_REPORT_EVERY = 10


@dataclass(frozen=True, eq=False)
class ImageTextData:
    """What stage 2 learns from, and what it is measured on.

    Attributes:
        knowledge: Texts.
        training: Crops to learn from.
        validation: Crops of patients that are not learnt from; None if there are none.
    """

    knowledge: Knowledge
    training: StructureSampler
    validation: StructureSampler | None


class ImageTextTrainer(ResumableRun):
    """A run of stage 2 in a folder.

    Args:
        text: Text encoder, which is changed.
        image: Image encoder, which is changed.
        data: What to learn.
        folder: Folder of the run; an unfinished run in it goes on.
        settings: Settings of the run.
        report: Callback for messages about progress.
        checkpoint_every: Steps between two checkpoints.

    Raises:
        SettingsError: The folder holds a run with other settings, knowledge or structures.
        CheckpointError: Its checkpoint is damaged.
    """

    def __init__(
        self,
        text: TextTower,
        image: ImageTower,
        data: ImageTextData,
        folder: Path,
        settings: TextSettings,
        report: Report,
        checkpoint_every: int = 100,
    ) -> None:
        super().__init__(folder, steps=settings.steps, checkpoint_every=checkpoint_every, report=report)
        self.text, self.image, self.data, self.settings = text, image, data, settings
        self._scale = _Scale()
        self._pairs = PairSampler(data.knowledge, settings.batch_size, settings.seed)
        self._ids = {label: number for number, label in enumerate(data.training.labels)}
        learnt = [*text.parameters(), *image.parameters(), *self._scale.parameters()]
        self._optimizer = torch.optim.AdamW(learnt, settings.learning_rate, weight_decay=0.0)
        self.resume()

    @property
    def identity(self) -> Mapping[str, str]:
        """Settings, size of the text encoder, digest of the knowledge, and structures."""
        own = identity_of(self.settings, self.text, self.data.knowledge)
        return own | {"structures": repr(self.data.training.labels)}

    def kept(self) -> Mapping[str, Kept]:
        """Return both encoders, their temperature, and the optimizer."""
        return {
            "text": self.text,
            "image": self.image,
            "scale": self._scale,
            "optimizer": self._optimizer,
        }

    def learn(self) -> float:
        """Learn from images and texts in even steps, from texts alone in odd ones."""
        loss = self._text_loss() if self.step % 2 else self._image_loss()
        apply(loss, self._optimizer, self.settings.rate(self.step))
        return float(loss.detach())

    def after_step(self, loss: float) -> None:
        """Report the loss of both kinds of steps now and then."""
        kind = "images" if self.step % 2 else "texts"
        if self.step % _REPORT_EVERY in (0, 1):
            self.report(f"step {self.step} loss of {kind} {loss:.3f}")

    def _image_loss(self) -> Tensor:
        crops = self.data.training.draw(self.step, _CROPS)
        images = torch.cat([self.image(crop.image, crop.masks) for crop in crops])
        texts = torch.cat([self.names(crop.structures, crop.modality) for crop in crops])
        ids = [self._ids[name, crop.modality] for crop in crops for name in crop.structures]
        return image_text_loss(images, texts, torch.tensor(ids), self._scale())

    def _text_loss(self) -> Tensor:
        """Return the loss of stage 1 before and after the projection, added."""
        pairs = self._pairs.draw(self.step)
        random = np.random.default_rng((self.settings.seed, self.step, 1))
        ids = torch.from_numpy(pairs.ids)
        total = torch.zeros(())
        first, second = (self.text.pooled(texts, random) for texts in (pairs.first, pairs.second))
        project = self.text.encoder.projection_layer
        for a, b in ((first, second), (project(first), project(second))):
            total = total + text_text_loss(F.normalize(a, dim=1), F.normalize(b, dim=1), ids, self.text.scale)
        return total

    def names(self, structures: tuple[str, ...], modality: str) -> Tensor:
        """Return the vectors of names in a modality, L2-normalised, (N, width)."""
        encoder = self.text.encoder
        projected = encoder.projection_layer(self.text.pooled(structures))
        return F.normalize(projected + encoder.modality_embed.weight[modality_index(modality)], dim=1)

    @torch.no_grad()
    def measured(self, crops: Iterable[StructureCrop]) -> dict[str, float]:
        """Return how well structures in images are named, of all names in the sets and modalities."""
        labels = self.data.training.labels
        bank = torch.cat([self.names((name,), modality) for name, modality in labels])
        ranks = []
        for crop in crops:
            for vector, name in zip(self.image(crop.image, crop.masks), crop.structures, strict=True):
                if (name, crop.modality) in self._ids:
                    similarity = bank @ vector
                    own = similarity[self._ids[name, crop.modality]]
                    ranks.append(int((similarity >= own).sum()))
        found = np.array(ranks)
        shares = {f"recall_at_{k}": round(float((found <= k).mean()), 4) for k in (1, 5, 10)}
        return {
            **shares,
            "mean_rank": round(float(found.mean()), 4),
            "median_rank": float(np.median(found)),
            "structures": len(found),
            "bank": len(labels),
        }

    def finish(self) -> Path:
        """Measure what was learnt, write both encoders, and return the path of the text encoder."""
        self.save()
        content = {"settings": asdict(self.settings)}
        for split, sampler in (("train", self.data.training), ("validation", self.data.validation)):
            if sampler is not None:
                content[split] = self.measured(sampler.every_structure())
                self.report(f"{split}: {json.dumps(content[split])}")
        with atomic_output(self.folder / IMAGE_RETRIEVAL_FILE) as temporary:
            temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
        self._write_start()
        path = self.folder / ENCODER_FILE
        save_text_encoder(
            self.text.encoder, path, {"stage": "2", "knowledge_sha256": self.data.knowledge.digest}
        )
        return path

    def _write_start(self) -> None:
        """Write a weights file to train a segmentation model from: both encoders, and the rest new."""
        encoder = self.text.encoder
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.settings.seed)
            learner = Learner(self.image.config, FrozenText(encoder))
        learner.start_as_background()
        self.image.give_encoder_to(learner.network)
        source = {"stage": "2", "knowledge_sha256": self.data.knowledge.digest}
        save_knowledge(learner.network, encoder, self.folder / START_FILE, source)
        self.text.requires_grad_(True)


class _Scale(nn.Module):
    """Learnt factor of the similarities."""

    def __init__(self) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))

    def forward(self) -> Tensor:
        """Return the factor, at most 100."""
        return self.log.exp().clamp(max=LARGEST_SCALE)
