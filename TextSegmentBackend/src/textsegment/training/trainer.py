"""The loop of training: batches, averages, checkpoints, validation, early stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from textsegment.datasets.data_set import DataSet
from textsegment.errors import CheckpointError, SettingsError
from textsegment.files.atomic import make_folder
from textsegment.model.bfloat16 import has_fast_bfloat16
from textsegment.model.config import SATConfig
from textsegment.training.loop.log import RunLog, duration
from textsegment.training.loop.parallel import Processes, device_of
from textsegment.training.loop.state import read_state, save_state
from textsegment.training.losses.objective import Objective
from textsegment.training.network.export import card_of, export, load_start
from textsegment.training.network.learner import Learner
from textsegment.training.network.prompts import Prompt, PromptTable, most_alike
from textsegment.training.network.starting import known_to, make_learner, require_grid
from textsegment.training.outcome.validation import Score, mean_dice, validate
from textsegment.training.sampling.cases import TrainingCases
from textsegment.training.sampling.draws import Draw, Draws, random_of_loss
from textsegment.training.settings import TrainingSettings

Report = Callable[[str], None]
REPORT_EVERY = 20
REVIVE_EVERY = 300
MOST_LEFT_OUT = 20
LOST_DICE, FOUND_DICE = 0.03, 0.3
_ALONE = Processes()


class Trainer:
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
        CheckpointError: The run in the folder has other settings, or the weights to start from do not fit.
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
        for data in (*sets, *replay):
            require_grid(data, config)
        self.config, self.settings, self.sets, self.folder, self.report = (
            config,
            settings,
            sets,
            folder,
            report,
        )
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
        self.learning = self.learner.freeze_all_but(settings.train)
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
        self.step, self.best, self.best_step, self.since_best = 0, -1.0, 0, 0
        self._left_out, self._last_loss = 0, 0.0
        self.dice: dict[Prompt, float] = {}  # running mean over training patches
        self._resume()

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

    def run(self) -> Path:
        """Train to the last step, or until validation no longer improves; return the weights file."""
        make_folder(self.folder)
        log = RunLog(self.folder, self.step) if self.processes.is_first else None
        if self.step == 0 and self.start_from is not None and self._validates:
            self._validate(log)  # what there is to be better than
        losses: list[float] = []
        began, first = time.monotonic(), self.step
        self.report(
            f"{self.learning:,} of {sum(p.numel() for p in self.learner.parameters()):,} weights learn"
        )
        places = self.processes.places(self.settings.batch)
        draws = self.draws.ahead(self.step, places)
        while self.step < self.settings.steps and not self._gave_up():
            losses.append(self._train_step([next(draws) for _ in places]))
            self.step += 1
            if self.step % REPORT_EVERY == 0 or self.step == self.settings.steps:
                seconds = (time.monotonic() - began) / (self.step - first)
                self._tell(log, sum(losses) / len(losses), seconds)
                losses = []
            if self._is_due(REVIVE_EVERY) and self.settings.revive:
                self.revive()
            if self._is_due(self.settings.validate_every) and self._validates:
                self._validate(log)
            if self._is_due(self.settings.checkpoint_every):
                self._save()
        if self._validates and self.step % self.settings.validate_every:
            self._validate(log)
        self._save()
        return self.weights_path

    @property
    def _validates(self) -> bool:
        return self.settings.validate_every > 0 and bool(self.held_out)

    def _is_due(self, every: int) -> bool:
        return every > 0 and self.step % every == 0

    def _gave_up(self) -> bool:
        return 0 < self.settings.patience <= self.since_best

    def _train_step(self, draws: Sequence[Draw]) -> float:
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
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.rate(self.step)
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

    def _tell(self, log: RunLog | None, loss: float, seconds: float) -> None:
        if log is None:
            return
        dice = sum(self.dice.values()) / max(len(self.dice), 1)
        log.add_step(self.step, loss, dice, self.settings.rate(self.step - 1), seconds)
        left = duration(seconds * (self.settings.steps - self.step))
        self.report(f"step {self.step}  loss {loss:.3f}  dice {dice:.3f}  {left} left")

    def _validate(self, log: RunLog | None) -> None:
        scores: list[Score] = validate(self.averaged, self.held_out) if self.processes.is_first else []
        if self.step == 0:  # what it did not know, it cannot find
            scores = [s if self._knew(s) else replace(s, dice=0.0) for s in scores]
        value = self.processes.from_first(mean_dice(scores))
        self.since_best += self.step > 0
        if value > self.best:
            self.best, self.best_step, self.since_best = value, self.step, 0
            if self.processes.is_first:
                self._export()
        if log is not None:
            log.add_scores(self.step, [s for s in scores if self.step > 0 or self._knew(s)])
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

    def _save(self) -> None:
        if not self.processes.is_first:
            return
        state = {
            "step": self.step,
            "learner": self.learner.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "dice": [[*prompt, value] for prompt, value in self.dice.items()],
            "best": [self.best, self.best_step, self.since_best],
        }
        save_state(self.folder, self.settings, state)
        if self.best < 0:  # nothing was validated: the last is what there is
            self._export()

    def _resume(self) -> None:
        state: dict[str, Any] | None = read_state(self.folder, self.settings, self.device)
        if state is None:
            return
        try:
            self.learner.load_state_dict(state["learner"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise CheckpointError(
                "The run in this folder has another architecture or other structures.", "Give another folder."
            ) from error
        self.step = int(state["step"])
        self.dice = {(str(name), str(of)): float(value) for name, of, value in state["dice"]}
        best, best_step, since_best = state["best"]
        self.best, self.best_step, self.since_best = float(best), int(best_step), int(since_best)
        self.report(f"resumed at step {self.step}")

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
