"""How many replicas of the segmenter there are, and on what."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

from textsegment.errors import SettingsError


@dataclass(frozen=True)
class ReplicaSettings:
    """Replicas of the segmenter.

    Attributes:
        least: So many are there from the start.
        most: So many are there when jobs wait.
        cpus: Cores that Ray sets aside for each; PyTorch uses as many threads.
        gpus: GPUs that Ray sets aside for each, a part of one if several share it; None for one, if the
            cluster has any and the device is not another one.
        job_time_s: Longest time of a job.

    Raises:
        SettingsError: They contradict each other.
    """

    least: int = 1
    most: int = 1
    cpus: float = 1.0
    gpus: float | None = None
    job_time_s: float = 3600.0

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.most:
            raise SettingsError("There is at least one replica, and at most not fewer than at least.")
        if self.cpus <= 0 or (self.gpus or 0) < 0 or not 0 < self.job_time_s < math.inf:
            raise SettingsError("A replica needs a part of a CPU, not less than no GPU, and time for a job.")

    @classmethod
    def on_this_computer(cls, count: int, job_time_s: float) -> ReplicaSettings:
        """Return settings for a fixed number of replicas that share all cores.

        Raises:
            SettingsError: There is not even one.
        """
        cores = os.cpu_count() or 1
        share = cores // max(count, 1) or cores / count
        return cls(count, count, cpus=share, job_time_s=job_time_s)
