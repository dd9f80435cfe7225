"""Training of the demonstration model on a described data set, resumable from any checkpoint."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from textsegment.files.atomic import atomic_output
from textsegment.model.bfloat16 import has_fast_bfloat16
from textsegment.model.checkpoints import checkpoint
from textsegment.model.config import SATConfig
from textsegment.model.sat import SAT
from textsegment.training.dataset import DatasetDescription, TrainingCase, load_case
from textsegment.training.demo_model import DemoModel, most_alike
from textsegment.training.loss import exclusive_loss, independent_loss
from textsegment.training.patches import Patch, PatchSampler

Report = Callable[[str], None]
COARSE_WEIGHT = 0.5
REVIVE_EVERY = 300
LOST_DICE, FOUND_DICE = 0.03, 0.3


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training run.

    Attributes:
        steps: Total number of steps, with one patch each.
        warm_up_steps: Number of initial steps with the softmax loss alone.
        learning_rate: Peak learning rate, reached after 100 steps and followed by a half-cosine decay.
        checkpoint_every: Number of steps between checkpoints.
        average_decay: Decay of the running mean of the weights, which is what gets exported.
        stride: Stride along h, w, d at which the loss samples voxels, from a random start.
        prompts: Largest number of structures of a patch that are learnt in one step.
        patch_sizes: Relative frequency of sizes of patches; by default all have the size of use. Smaller ones
            make steps faster.
        bfloat16: Whether the U-Net runs in mixed precision; by default where that is faster.
        seed: Seed for weights and augmentation.
    """

    steps: int = 4000
    warm_up_steps: int = 600
    learning_rate: float = 2e-3
    checkpoint_every: int = 200
    average_decay: float = 0.995
    stride: tuple[int, int, int] = (2, 2, 2)
    prompts: int = 28
    patch_sizes: dict[tuple[int, int, int], float] | None = None
    bfloat16: bool = field(default_factory=lambda: has_fast_bfloat16(torch.device("cpu")))
    seed: int = 0


class Trainer:
    """Training run in a folder, with ``last.pt`` to resume from and ``sat-demo.safetensors`` to use.

    Args:
        config: Architecture of the network.
        data: Description of the scans and structures.
        folder: Folder of the run.
        settings: Settings of the run.
        report: Callback that is told about the progress of training.
        start_from: Weights file of a trained model to start from; None for random weights.
    """

    def __init__(
        self,
        config: SATConfig,
        data: DatasetDescription,
        folder: Path,
        settings: TrainingSettings,
        report: Report,
        start_from: Path | None = None,
    ) -> None:
        torch.manual_seed(settings.seed)
        self.config, self.folder, self.settings, self.report = config, folder, settings, report
        self.data = data
        self.model = DemoModel(config, data.prompts)
        if start_from is not None:
            self.model.start_from(checkpoint.load(start_from))
        mean_of = get_ema_multi_avg_fn(settings.average_decay)  # type: ignore[no-untyped-call]  # torch's
        self.average = AveragedModel(self.model, multi_avg_fn=mean_of)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), settings.learning_rate, weight_decay=0.01)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._rate)
        self.step = 0
        self._resume()
        sizes = settings.patch_sizes or {config.patch_size: 1.0}
        self.sampler = PatchSampler(self._load_cases(data), sizes, settings.seed + self.step)
        self._random = random.Random(settings.seed + self.step)  # noqa: S311
        self.dice: dict[tuple[str, str], float] = {}  # running mean per prompt, over training patches

    def _load_cases(self, data: DatasetDescription) -> list[TrainingCase]:
        cases = [load_case(case, data.groups, self.config) for case in data.cases]
        for case in cases:
            self.report(f"case {case.image.shape} {case.modality}: {len(case.drawn)} structures drawn")
        return cases

    def _rate(self, step: int) -> float:
        rise = min(1.0, (step + 1) / 100)
        return rise * 0.5 * (1 + math.cos(math.pi * min(1.0, step / self.settings.steps)))

    def run(self) -> Path:
        """Train to the last step and return the path of the exported model."""
        self.folder.mkdir(parents=True, exist_ok=True)
        mean_loss = 0.0
        while self.step < self.settings.steps:
            mean_loss += self._train_step()
            self.step += 1
            if self.step % 20 == 0:
                self.report(f"step {self.step} loss {mean_loss / 20:.3f} dice {self._mean_dice():.3f}")
                mean_loss = 0.0
            if self.step % REVIVE_EVERY == 0 and self.step > self.settings.warm_up_steps:
                self.revive()
            if self.step % self.settings.checkpoint_every == 0:
                self._save()
        self._save()
        return self._export_path

    def _train_step(self) -> float:
        patch = self.sampler.draw()
        case = patch.case
        exclusive, others = self._chosen(patch)
        structures = [*exclusive, *others]
        with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.bfloat16):
            levels = self.model(patch.image, structures, case.modality)
        loss = torch.zeros(())
        for level, (features, embeddings) in enumerate(levels):
            stride = self.settings.stride if level == 0 else (1, 1, 1)
            start = tuple(self._random.randrange(step * 2**level) for step in stride)
            seen = features[(slice(None), *_every(stride, tuple(s >> level for s in start)))]
            logits = SAT.logits(seen.float(), embeddings)
            level_patch = patch.at(_every(tuple(step * 2**level for step in stride), start))
            targets, known = _targets(level_patch.labels, case, structures), level_patch.known(structures)
            weight = COARSE_WEIGHT if level else 1.0
            loss = loss + weight * self._loss(logits, targets, known, len(exclusive))
            if level == 0:
                prompts = [(name, case.modality) for name in structures]
                self._note_dice(prompts, (logits.detach() > 0) & known, targets & known)
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimizer.step()
        self.schedule.step()
        self.average.update_parameters(self.model)
        return float(loss.detach())

    def _chosen(self, patch: Patch) -> tuple[list[str], list[str]]:
        """Choose the structures to learn from a patch: those in it, and half as many that are not.

        Returns:
            Mutually exclusive structures, and the others.
        """
        case = patch.case
        there = {case.drawn[n - 1] for n in torch.unique(patch.labels).tolist() if n > 0}
        there |= {group for group, parts in case.groups.items() if there & set(parts)}
        known = case.annotated | set(case.drawn) | set(case.groups)
        positive = self._some(sorted(there & known), self.settings.prompts)
        negative = self._some(sorted(known - there), max(4, len(positive) // 2))
        chosen = [*positive, *negative]
        exclusive = [name for name in chosen if name in case.drawn and name not in case.groups]
        return exclusive, [name for name in chosen if name not in exclusive]

    def _some(self, names: list[str], most: int) -> list[str]:
        return names if len(names) <= most else self._random.sample(names, most)

    def _loss(self, logits: Tensor, targets: Tensor, known: Tensor, exclusive: int) -> Tensor:
        alone, others = targets[:exclusive], targets[exclusive:].any(0)
        # Voxels drawn under a group's own name are none of the exclusive structures, nor background.
        certain = known[:exclusive] & (alone.any(0) | ~others)
        # Small structures would otherwise learn nothing at first; towards the end all voxels count equally.
        balance = 0.5 * (1 - self.step / self.settings.steps)
        loss = torch.zeros(())
        if exclusive:
            loss = exclusive_loss(logits[:exclusive], alone, certain, balance)
        if self.step >= self.settings.warm_up_steps:
            loss = loss + independent_loss(logits, targets, known)
        return loss

    def _note_dice(self, prompts: list[tuple[str, str]], masks: Tensor, targets: Tensor) -> None:
        sizes = targets.sum((1, 2, 3))
        dice = 2 * (masks & targets).sum((1, 2, 3)) / (masks.sum((1, 2, 3)) + sizes).clamp(min=1)
        for prompt, value, size in zip(prompts, dice.tolist(), sizes.tolist(), strict=True):
            if size > 0:
                self.dice[prompt] = 0.9 * self.dice.get(prompt, value) + 0.1 * value

    def _mean_dice(self) -> float:
        return sum(self.dice.values()) / max(len(self.dice), 1)

    @property
    def _export_path(self) -> Path:
        return self.folder / f"{self.config.name}.safetensors"

    def _save(self) -> None:
        state = {
            "step": self.step,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }
        with atomic_output(self.folder / "last.pt") as path:
            torch.save(state, path)
        best = self.average.module
        assert isinstance(best, DemoModel)
        rows = [row for row, prompt in enumerate(self.data.prompts) if prompt not in self.data.hidden]
        offered = [self.data.prompts[row] for row in rows]
        checkpoint.save_demo(best.network, offered, best.embeddings.detach()[rows], self._export_path)
        worst = sorted(self.dice.items(), key=lambda item: item[1])
        self.report("dice " + ", ".join(f"{name} ({code}) {value:.2f}" for (name, code), value in worst))

    def revive(self) -> None:
        """Restart structures that are never found from the embedding of a similarly named one that is found.

        A mask embedding with all channels at the minimum of the GELU predicts absence everywhere and has no
        gradient by which to recover.
        """
        found = [prompt for prompt, dice in self.dice.items() if dice > FOUND_DICE]
        for prompt, dice in self.dice.items():
            alike = [other for other in found if other[1] == prompt[1]]
            if dice < LOST_DICE and alike:
                model = most_alike(prompt, alike)
                self.report(f"{prompt[0]} ({prompt[1]}) starts again from {model[0]}")
                averaged = self.average.module
                assert isinstance(averaged, DemoModel)
                for learner in (self.model, averaged):
                    learner.copy_embedding(model, prompt, noise=0.1)

    def _resume(self) -> None:
        path = self.folder / "last.pt"
        if not path.is_file():
            return
        state = torch.load(path, weights_only=True)
        self.step = int(state["step"])
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.report(f"resumed at step {self.step}")


def _every(stride: tuple[int, ...], start: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(first, None, step) for first, step in zip(start, stride, strict=True))


def _targets(labels: Tensor, case: TrainingCase, structures: list[str]) -> Tensor:
    """Return masks (N, h, w, d) of structures: drawn ones, unions of drawn ones, and absent ones."""
    masks = torch.zeros(len(structures), *labels.shape, dtype=torch.bool)
    numbers = {name: 1 + n for n, name in enumerate(case.drawn)}
    for row, name in enumerate(structures):
        for part in case.groups.get(name, (name,)):
            if part in numbers:
                masks[row] |= labels == numbers[part]
    return masks
