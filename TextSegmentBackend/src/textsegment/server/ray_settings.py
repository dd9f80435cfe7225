"""How many replicas of the segmenter there are, and on what."""

from __future__ import annotations

from dataclasses import dataclass

from textsegment.errors import SettingsError


@dataclass(frozen=True)
class ReplicaSettings:
    """Replicas of the segmenter.

    Attributes:
        least: So many are there from the start.
        most: So many are there when jobs wait.
        cpus: Cores that Ray sets aside for each; also its threads, if it computes on the CPU.
        gpus: GPUs that Ray sets aside for each; a part of one lets several replicas share it.

    Raises:
        SettingsError: They contradict each other.
    """

    least: int = 1
    most: int = 1
    cpus: float = 1.0
    gpus: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.most:
            raise SettingsError("There is at least one replica, and at most not fewer than at least.")
        if self.cpus <= 0 or self.gpus < 0:
            raise SettingsError("A replica needs a part of a CPU, and not less than no GPU.")
