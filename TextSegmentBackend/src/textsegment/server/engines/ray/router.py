"""Which replica gets a job: for each volume the same one, as long as it is there and free."""

from __future__ import annotations

import hashlib

from ray.serve.request_router import PendingRequest, RequestRouter, RunningReplica


class DigestRouter(RequestRouter):  # type: ignore[misc]  # Ray has no types for mypy
    """Ranks the replicas anew for each volume, by hashes of volume and replica (rendezvous hashing).

    The first in the ranking is where the features of the volume are kept. If it is busy, the next one that is
    free gets the job: nobody waits while a device is idle. When a replica comes or goes, only the volumes
    that have it first in their ranking move. Nothing is remembered or sent around.

    The volume is named by ``session_id``, an option of the deployment handle.
    """

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        """Return all replicas, each a rank of its own, the best one first; see ``RequestRouter``."""
        digest = ""
        if pending_request is not None:
            digest = pending_request.metadata.session_id
            # All are busy when the last rank has been tried: pause before the next round.
            pending_request.routing_context.should_backoff = True
        return [[r] for r in sorted(candidate_replicas, key=lambda r: _rank(digest, r.replica_id.unique_id))]


def _rank(digest: str, replica: str) -> bytes:
    return hashlib.sha256(f"{digest}|{replica}".encode()).digest()
