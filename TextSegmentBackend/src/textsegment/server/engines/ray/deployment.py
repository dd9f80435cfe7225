"""The replicas as a Ray Serve deployment: their number, resources and scaling."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import ray
from ray import serve
from ray.serve.config import AutoscalingConfig, RequestRouterConfig
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import ApplicationStatus, ApplicationStatusOverview, LoggingConfig

from textsegment.errors import EngineLostError, SettingsError, TextSegmentError
from textsegment.server.engines.local import LOCAL_SEGMENTER
from textsegment.server.engines.ray.replica import SegmenterReplica, StartError
from textsegment.server.engines.ray.router import DigestRouter
from textsegment.server.engines.ray.settings import ReplicaSettings
from textsegment.wire.failures import ErrorReport

# A job may take minutes, and a replica that is no longer needed finishes the one it has.
_DRAIN_S = 600.0
_DOWNSCALE_DELAY_S = 300.0
_UPSCALE_DELAY_S = 5.0
_POLL_S = 0.2


def replicas_of(
    settings: ReplicaSettings, arguments: Mapping[str, Any], factory: str = LOCAL_SEGMENTER
) -> serve.Application:
    """Return the deployment of the segmenter, ready to be run or bound to another deployment.

    Args:
        settings: Number and resources of the replicas. This process must be connected to Ray.
        arguments: Keyword arguments of the segmenter.
        factory: Factory of the segmenter, as ``"module:name"``.
    """
    deployment = serve.deployment(
        SegmenterReplica,
        name="segmenter",
        # Jobs without a free replica wait in the handle, from which any replica can take them.
        max_ongoing_requests=1,
        autoscaling_config=AutoscalingConfig(
            min_replicas=settings.least,
            max_replicas=settings.most,
            target_ongoing_requests=1,
            upscale_delay_s=_UPSCALE_DELAY_S,
            downscale_delay_s=_DOWNSCALE_DELAY_S,
        ),
        ray_actor_options={"num_cpus": settings.cpus, "num_gpus": gpus_of(settings, arguments.get("device"))},
        request_router_config=RequestRouterConfig(request_router_class=DigestRouter, max_backoff_s=0.1),
        max_constructor_retry_count=2,
        health_check_period_s=5,
        graceful_shutdown_timeout_s=_DRAIN_S,
        logging_config=LoggingConfig(enable_access_log=False),
    )
    return deployment.bind(factory, dict(arguments), settings.job_time_s)


def gpus_of(settings: ReplicaSettings, device: str | None) -> float:
    """Return the number of GPUs that Ray reserves for a replica."""
    if settings.gpus is not None:
        return settings.gpus
    has_any = ray.cluster_resources().get("GPU", 0) >= 1
    return 1.0 if has_any and device not in ("cpu", "mps") else 0.0


def require_gpus(settings: ReplicaSettings, device: str | None) -> None:
    """Check that a Ray on one computer has enough GPUs, since it would wait forever for missing ones.

    Raises:
        SettingsError: If there are fewer GPUs than the replicas need.
    """
    present = ray.cluster_resources().get("GPU", 0)
    if settings.least * gpus_of(settings, device) > present:
        raise SettingsError(
            f"There are {settings.least} replicas to start and {present:.0f} GPUs.", "Give fewer --replicas."
        )


async def run_replicas(replicas: serve.Application, name: str) -> DeploymentHandle:
    """Start the replicas, and return their handle once they are ready, however long that takes.

    Raises:
        TextSegmentError: If they cannot load the model.
    """
    target = serve.RunTarget(replicas, name, route_prefix=None)
    (handle,) = await asyncio.to_thread(serve.run_many, [target], wait_for_applications_running=False)
    while (status := await asyncio.to_thread(_status, name)).status != ApplicationStatus.RUNNING:
        if status.status == ApplicationStatus.DEPLOY_FAILED:
            raise _reason(status)
        await asyncio.sleep(_POLL_S)
    return handle


def _status(name: str) -> ApplicationStatusOverview:
    return serve.status().applications[name]


def _reason(status: ApplicationStatusOverview) -> TextSegmentError:
    """Return the error of a failed start, parsed from the traceback that Serve keeps as text."""
    for deployment in status.deployments.values():
        found = re.search(rf"{StartError.__name__}: (\{{.*\}})", deployment.message)
        if found is not None:
            return ErrorReport.from_json(found[1].encode()).to_error()
    return EngineLostError("The replicas of the engine could not be started.", "Ray's log says why.")
