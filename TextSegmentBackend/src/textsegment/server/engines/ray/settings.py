"""Number and resources of the segmenter's replicas."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

from textsegment.errors import SettingsError


@dataclass(frozen=True)
class ReplicaSettings:
    """Number and resources of the segmenter's replicas.

    Attributes:
        least: Minimum number of replicas, which run from the start.
        most: Maximum number of replicas, reached when jobs wait.
        cpus: Cores that Ray reserves for each replica; PyTorch uses as many threads.
        gpus: GPUs that Ray reserves for each replica, a fraction if several share one; None for one GPU if
            the cluster has any and the device is not another one.
        job_time_s: Time limit of a job.

    Raises:
        SettingsError: If the values are inconsistent.
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
            SettingsError: If ``count`` is below 1.
        """
        cores = os.cpu_count() or 1
        share = cores // max(count, 1) or cores / count
        return cls(count, count, cpus=share, job_time_s=job_time_s)
