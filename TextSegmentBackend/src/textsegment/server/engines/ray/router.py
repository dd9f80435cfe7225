"""Routing of jobs to replicas: a volume goes to the same replica as long as that one is free."""

from __future__ import annotations

import hashlib

from ray.serve.request_router import PendingRequest, RequestRouter, RunningReplica


class DigestRouter(RequestRouter):  # type: ignore[misc]  # Ray has no types for mypy
    """Ranks the replicas for each volume by hashes of volume and replica (rendezvous hashing).

    The first replica in the ranking keeps the features of the volume. If it is busy, the next free one gets
    the job, so that no job waits while a device is idle. When a replica comes or goes, only the volumes that
    rank it first move. No state is stored or exchanged.

    The volume is identified by ``session_id``, an option of the deployment handle.
    """

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        """Return all replicas, best first, each as a rank of its own; see ``RequestRouter``."""
        digest = ""
        if pending_request is not None:
            digest = pending_request.metadata.session_id
            # Once the last rank has been tried, all replicas are busy: pause before the next round.
            pending_request.routing_context.should_backoff = True
        return [[r] for r in sorted(candidate_replicas, key=lambda r: _rank(digest, r.replica_id.unique_id))]


def _rank(digest: str, replica: str) -> bytes:
    return hashlib.sha256(f"{digest}|{replica}".encode()).digest()
