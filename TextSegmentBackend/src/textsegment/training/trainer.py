"""The loop of training: batches, averages, checkpoints, validation, early stop."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from textsegment.datasets.data_set import DataSet
from textsegment.errors import SettingsError
from textsegment.model.bfloat16 import has_fast_bfloat16
from textsegment.model.config import SATConfig
from textsegment.training.loop.log import RunLog, duration
from textsegment.training.loop.parallel import Processes, device_of
from textsegment.training.loop.resumable_run import Kept, Report, ResumableRun, use_rate
from textsegment.training.losses.objective import Objective
from textsegment.training.network.export import card_of, export, load_start
from textsegment.training.network.learner import Learner
from textsegment.training.network.prompts import Prompt, PromptTable, most_alike
from textsegment.training.network.starting import known_to, make_learner, require_grid
from textsegment.training.outcome.validation import Score, mean_dice, validate
from textsegment.training.sampling.cases import TrainingCases
from textsegment.training.sampling.draws import Draw, Draws, random_of_loss
from textsegment.training.settings import TrainingSettings

REPORT_EVERY = 20
REVIVE_EVERY = 300
MOST_LEFT_OUT = 20
LOST_DICE, FOUND_DICE = 0.03, 0.3
# May differ when a run goes on: they do not change what was learnt so far.
_FREE = ("steps", "checkpoint_every", "validate_every", "patience", "cache_gb", "workers", "learning_rate")
_ALONE = Processes()


class Trainer(ResumableRun):
    """Training run in a folder, with ``last.pt`` to resume from and a weights file to use.

    Args:
        config: Architecture of the network.
        settings: Recipe.
        sets: Prepared sets.
        folder: Folder of the run; an unfinished run in it goes on.
        report: Callback that is told about the progress.
        start_from: Name or path of trained weights to start from; None for random weights.
        replay: Sets that are trained on beside, against forgetting.
        processes: The processes that train together.

    Raises:
        InputError: The sets are for another grid than that of the model, or have nothing to learn.
        SettingsError: The run in the folder has other settings.
        CheckpointError: Its checkpoint is damaged, or the weights to start from do not fit.
    """

    def __init__(
        self,
        config: SATConfig,
        settings: TrainingSettings,
        sets: Sequence[DataSet],
        folder: Path,
        report: Report,
        *,
        start_from: str | None = None,
        replay: Sequence[DataSet] = (),
        processes: Processes = _ALONE,
    ) -> None:
        super().__init__(
            folder,
            steps=settings.steps,
            checkpoint_every=settings.checkpoint_every,
            report=report,
            writes=processes.is_first,
        )
        for data in (*sets, *replay):
            require_grid(data, config)
        self.config, self.settings, self.sets = config, settings, sets
        self.processes, self.device, self.start_from = processes, device_of(processes), start_from
        crop = settings.sizes[0][0] if settings.sizes else config.patch_size
        cache_bytes = int(settings.cache_gb * 1e9)
        self.cases = TrainingCases(sets, crop, cache_bytes)
        self.replay = TrainingCases(replay, crop, cache_bytes) if replay else None
        self.held_out = [case for data in sets for case in data.of_split("validation")]
        torch.manual_seed(settings.seed)
        start = load_start(start_from) if start_from is not None else None
        self.known_at_start = known_to(start)
        self.learner = make_learner(config, [*sets, *replay], start).to(self.device)
        self.learning = self.learner.freeze_all_but(settings.train, settings.adapter_rank)
        self.module = processes.wrapped(self.learner)
        mean_of = get_ema_multi_avg_fn(settings.average_decay)  # type: ignore[no-untyped-call]  # torch's
        self.average = AveragedModel(self.learner, multi_avg_fn=mean_of)
        learning = [parameter for parameter in self.learner.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(
            learning, settings.learning_rate, betas=(0.9, 0.999), weight_decay=settings.weight_decay
        )
        self.draws = Draws(settings, config.patch_size, self.cases, self.replay)
        self.objective = Objective(settings)
        wanted = settings.bfloat16
        self.bfloat16 = has_fast_bfloat16(self.device) if wanted is None else wanted
        self.best, self.best_step, self.since_best = -1.0, 0, 0
        self._left_out, self._last_loss = 0, 0.0
        self._losses: list[float] = []
        self._log: RunLog | None = None
        self.dice: dict[Prompt, float] = {}  # running mean over training patches
        self.resume(self.device)

    @property
    def weights_path(self) -> Path:
        """Weights file of the run: of the best validation, or else of the last step."""
        return self.folder / f"{self.config.name}.safetensors"

    @property
    def averaged(self) -> Learner:
        """The running mean of the model."""
        averaged = self.average.module
        assert isinstance(averaged, Learner)
        return averaged

    @property
    def identity(self) -> Mapping[str, str]:
        """Settings that a run keeps when it goes on."""
        return {name: repr(value) for name, value in asdict(self.settings).items() if name not in _FREE}

    def kept(self) -> Mapping[str, Kept]:
        """Return the model, its running mean, and the optimizer."""
        return {"learner": self.learner, "average": self.average, "optimizer": self.optimizer}

    def begin(self) -> None:
        """Open the log, validate what training starts from, and let workers prepare patches."""
        self._log = RunLog(self.folder, self.step) if self.processes.is_first else None
        if self.step == 0 and self.start_from is not None and self._validates:
            self._validate()  # what there is to be better than
        total = sum(parameter.numel() for parameter in self.learner.parameters())
        self.report(f"{self.learning:,} of {total:,} weights learn")
        self._places = self.processes.places(self.settings.batch)
        self._ahead: Iterator[Draw] = self.draws.ahead(self.step, self._places)
        self._began, self._first = time.monotonic(), self.step

    @property
    def is_over(self) -> bool:
        """Whether all steps are taken, or held-out patients no longer gain."""
        return super().is_over or 0 < self.settings.patience <= self.since_best

    def after_step(self, loss: float) -> None:
        """Report, restart lost structures, and validate when it is time."""
        self._losses.append(loss)
        if self._is_due(REPORT_EVERY) or self.step == self.settings.steps:
            self._tell()
        if self._is_due(REVIVE_EVERY) and self.settings.revive:
            self.revive()
        if self._is_due(self.settings.validate_every) and self._validates:
            self._validate()

    def finish(self) -> Path:
        """Validate the last weights, and return the weights file."""
        if self._validates and self.step % self.settings.validate_every:
            self._validate()
        self.save()
        if self._log is not None:
            self._log.close()
        return self.weights_path

    @property
    def _validates(self) -> bool:
        return self.settings.validate_every > 0 and bool(self.held_out)

    def _is_due(self, every: int) -> bool:
        return every > 0 and self.step % every == 0

    def learn(self) -> float:
        """Learn from one batch, of which each process computes its places."""
        draws = [next(self._ahead) for _ in self._places]
        self.optimizer.zero_grad()
        loss = 0.0
        found: list[tuple[int, dict[Prompt, float]]] = []
        for draw in draws:
            with self.processes.without_exchange(self.module, wait=draw is not draws[-1]):
                value, dice = self._one_patch(draw, 1 / len(draws))
            loss += value
            found.append((draw.place, dice))
        everywhere = self.processes.gathered((loss, found))
        mean_loss = float(np.mean([value for value, _ in everywhere]))
        norm = nn.utils.clip_grad_norm_(self.learner.parameters(), self.settings.clip or math.inf)
        if not (math.isfinite(mean_loss) and math.isfinite(float(norm))):
            self._leave_out()
            return self._last_loss
        self._left_out, self._last_loss = 0, mean_loss
        use_rate(self.optimizer, self.settings.rate(self.step))
        self.optimizer.step()
        self.average.update_parameters(self.learner)
        for _, dice in sorted((entry for _, entries in everywhere for entry in entries), key=lambda e: e[0]):
            for prompt, value in dice.items():
                self.dice[prompt] = 0.9 * self.dice.get(prompt, value) + 0.1 * value
        return mean_loss

    def _leave_out(self) -> None:
        """Leave out a step whose loss or gradient is no number, rather than spoil the weights."""
        self.optimizer.zero_grad()
        self._left_out += 1
        self.report(f"step {self.step + 1}  left out: its loss is no finite number")
        if self._left_out >= MOST_LEFT_OUT:
            raise SettingsError(
                f"The loss has been no finite number for {self._left_out} steps.",
                "Go on from the last checkpoint with a lower learning rate.",
            )

    def _one_patch(self, draw: Draw, share: float) -> tuple[float, dict[Prompt, float]]:
        patch, structures, random = (
            draw.patch,
            draw.structures,
            random_of_loss(self.settings, self.step, draw.place),
        )
        image, modality = patch.image.to(self.device), patch.case.modality
        levels = self.module(image, structures, modality, bfloat16=self.bfloat16)
        outcome = self.objective(levels, patch, structures, self.step, random)
        torch.autograd.backward(outcome.loss * share)
        return float(outcome.loss.detach()) * share, outcome.dice

    def _tell(self) -> None:
        loss, self._losses = sum(self._losses) / len(self._losses), []
        if self._log is None:
            return
        seconds = (time.monotonic() - self._began) / (self.step - self._first)
        dice = sum(self.dice.values()) / max(len(self.dice), 1)
        self._log.add_step(self.step, loss, dice, self.settings.rate(self.step - 1), seconds)
        left = duration(seconds * (self.settings.steps - self.step))
        self.report(f"step {self.step}  loss {loss:.3f}  dice {dice:.3f}  {left} left")

    def _validate(self) -> None:
        scores: list[Score] = validate(self.averaged, self.held_out) if self.processes.is_first else []
        if self.step == 0:  # what it did not know, it cannot find
            scores = [s if self._knew(s) else replace(s, dice=0.0) for s in scores]
        value = self.processes.from_first(mean_dice(scores))
        self.since_best += self.step > 0
        if value > self.best:
            self.best, self.best_step, self.since_best = value, self.step, 0
            if self.processes.is_first:
                self._export()
        if self._log is not None:
            self._log.add_scores(self.step, [s for s in scores if self.step > 0 or self._knew(s)])
            self.report(
                f"held-out patients: dice {value:.3f} (best {self.best:.3f} at step {self.best_step})"
            )

    def _knew(self, score: Score) -> bool:
        return self.known_at_start is None or (score.structure, score.modality) in self.known_at_start

    def _export(self) -> None:
        card = card_of(self.sets, self.step, self.start_from)
        if self.best >= 0:
            card["validation_dice"] = f"{self.best:.4f}"
        export(self.averaged, self.weights_path, card)

    def save(self) -> None:
        """Write a checkpoint and, unless validation chooses the weights to use, those of this step."""
        super().save()
        if self.best < 0 and self.processes.is_first:
            self._export()

    def progress(self) -> dict[str, Any]:
        """Return the running Dice of each prompt, and the best validation."""
        return {
            "dice": [[*prompt, value] for prompt, value in self.dice.items()],
            "best": [self.best, self.best_step, self.since_best],
        }

    def restore(self, progress: Mapping[str, Any]) -> None:
        """Take back what ``progress`` returned."""
        self.dice = {(str(name), str(of)): float(value) for name, of, value in progress["dice"]}
        best, best_step, since_best = progress["best"]
        self.best, self.best_step, self.since_best = float(best), int(best_step), int(since_best)

    def revive(self) -> None:
        """Restart structures that are never found from the embedding of a similarly named one that is found.

        A mask embedding with all channels at the minimum of the GELU predicts absence everywhere and has no
        gradient by which to recover.
        """
        table = self.learner.text
        if not isinstance(table, PromptTable):
            return
        found = [prompt for prompt, dice in self.dice.items() if dice > FOUND_DICE]
        for prompt, dice in self.dice.items():
            alike = [other for other in found if other[1] == prompt[1]]
            if dice >= LOST_DICE or not alike:
                continue
            model = most_alike(prompt, alike)
            self.report(f"{prompt[0]} ({prompt[1]}) starts again from {model[0]}")
            for text in (table, self.averaged.text):
                assert isinstance(text, PromptTable)
                torch.manual_seed(self.settings.seed + self.step)  # the same noise in every process
                text.copy(model, prompt, noise=0.1)
