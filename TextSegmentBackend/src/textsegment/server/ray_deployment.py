"""The replicas as a deployment of Ray Serve: how many, on what, and how they come and go."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import ray
from ray import serve
from ray.serve.config import AutoscalingConfig, RequestRouterConfig
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import LoggingConfig

from textsegment.errors import EngineLostError, TextSegmentError
from textsegment.server.ray_replica import SegmenterReplica, StartError
from textsegment.server.ray_router import DigestRouter
from textsegment.server.ray_settings import ReplicaSettings
from textsegment.server.workers import LOCAL_SEGMENTER
from textsegment.wire.failures import ErrorReport

# A job may take minutes, and a replica that is not needed any more finishes its own.
_DRAIN_S = 600.0
_DOWNSCALE_DELAY_S = 300.0
_UPSCALE_DELAY_S = 5.0


def replicas_of(
    settings: ReplicaSettings, arguments: Mapping[str, Any], factory: str = LOCAL_SEGMENTER
) -> serve.Application:
    """Return the deployment of the segmenter, ready to be run or given to another deployment.

    Args:
        settings: How many, and on what; this process is connected with Ray.
        arguments: Keyword arguments of the segmenter.
        factory: What makes a segmenter, ``"module:name"``.
    """
    deployment = serve.deployment(
        SegmenterReplica,
        name="segmenter",
        # Jobs that no replica is free for wait in the handle, where any replica can get them.
        max_ongoing_requests=1,
        autoscaling_config=AutoscalingConfig(
            min_replicas=settings.least,
            max_replicas=settings.most,
            target_ongoing_requests=1,
            upscale_delay_s=_UPSCALE_DELAY_S,
            downscale_delay_s=_DOWNSCALE_DELAY_S,
        ),
        ray_actor_options={"num_cpus": settings.cpus, "num_gpus": _gpus(settings, arguments.get("device"))},
        request_router_config=RequestRouterConfig(request_router_class=DigestRouter, max_backoff_s=0.1),
        max_constructor_retry_count=2,
        health_check_period_s=5,
        graceful_shutdown_timeout_s=_DRAIN_S,
        logging_config=LoggingConfig(enable_access_log=False),
    )
    return deployment.bind(factory, dict(arguments), settings.job_time_s)


def _gpus(settings: ReplicaSettings, device: str | None) -> float:
    if settings.gpus is not None:
        return settings.gpus
    has_any = ray.cluster_resources().get("GPU", 0) >= 1
    return 1.0 if has_any and device not in ("cpu", "mps") else 0.0


def run_replicas(replicas: serve.Application, name: str) -> DeploymentHandle:
    """Start replicas without an HTTP server of Ray's, and return the handle when they are ready.

    Raises:
        TextSegmentError: They cannot load the model.
    """
    try:
        return serve.run(replicas, name=name, route_prefix=None)
    except RuntimeError as error:
        raise _reason(name) from error


def _reason(name: str) -> TextSegmentError:
    """Find the report of a ``StartError``: Serve has the traceback of a failed start, as text."""
    for deployment in serve.status().applications[name].deployments.values():
        found = re.search(rf"{StartError.__name__}: (\{{.*\}})", deployment.message)
        if found is not None:
            return ErrorReport.from_json(found[1].encode()).to_error()
    return EngineLostError("The replicas of the engine could not be started.", "Ray's log says why.")
