"""``textsegment serve``: answers requests over HTTP; see ``docs/protocol.md``."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from textsegment.cli.interrupts import leaving_on_interrupt
from textsegment.errors import DependencyMissingError, SettingsError

if TYPE_CHECKING:
    from textsegment.server.engines.engine import Engine

_MEGABYTE = 2**20
_ENGINE_VOXEL_BYTES = 4  # whatever the type of an upload, the engine computes in float32
_LOCAL_SEGMENTER = "textsegment.inference.engine:LocalSegmenter"


def serve_command(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 for any free one.")] = 8765,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with access keys, one a line: [NAME] KEY [until YYYY-MM-DD]. It is read again when it "
            "has changed. Without it the variable TEXTSEGMENT_TOKEN. Needed if others can reach the server.",
        ),
    ] = None,
    audit_file: Annotated[
        Path | None,
        typer.Option(help="Add a line for each request: key, digest of the volume, structures, result."),
    ] = None,
    certfile: Annotated[Path | None, typer.Option(help="Certificate chain for TLS, PEM.")] = None,
    keyfile: Annotated[Path | None, typer.Option(help="Private key of the certificate, PEM.")] = None,
    behind_proxy: Annotated[
        bool,
        typer.Option("--behind-proxy", help="A proxy in front speaks TLS; believe its X-Forwarded-For."),
    ] = False,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="A name by which clients call the server; repeat it for more.")
    ] = None,
    model: Annotated[str, typer.Option(help="sat-demo, sat-nano, sat-pro, or a weights file.")] = "sat-demo",
    device: Annotated[
        list[str] | None,
        typer.Option(help="auto, cpu, cuda, cuda:1 or mps; repeat it: one job at once on each."),
    ] = None,
    precision: Annotated[str, typer.Option(help="auto, fp32, fp16 or bf16.")] = "auto",
    ray: Annotated[bool, typer.Option("--ray", help="Compute on replicas of Ray Serve.")] = False,
    replicas: Annotated[
        int, typer.Option(help="With --ray: how many, each with a GPU of its own if there are any.")
    ] = 1,
    max_volume_mb: Annotated[int, typer.Option(min=1, help="Largest volume, uncompressed.")] = 2048,
    max_prompts: Annotated[int, typer.Option(min=1, help="Structures of one request.")] = 512,
    max_queue: Annotated[int, typer.Option(min=1, help="Jobs that wait.")] = 64,
    max_job_seconds: Annotated[float, typer.Option(help="Longest time of a job.")] = 3600.0,
    max_silence_seconds: Annotated[
        float, typer.Option(help="A job that says nothing for so long hangs: its engine is started anew.")
    ] = 600.0,
    max_store_mb: Annotated[
        int, typer.Option(min=1, help="Disk for volumes; unused ones are dropped.")
    ] = 16384,
    store_folder: Annotated[
        Path | None,
        typer.Option(help="Where volumes are kept while the server runs; by default a temporary folder."),
    ] = None,
    stop_grace_seconds: Annotated[float, typer.Option(help="For running jobs when told to stop.")] = 10.0,
    open_page: Annotated[
        bool, typer.Option("--open", help="Open the web workspace in the browser when ready.")
    ] = False,
    with_sample: Annotated[
        bool, typer.Option("--sample", help="With --open: the page begins with the sample scan.")
    ] = False,
    announce_json: Annotated[
        bool,
        typer.Option(
            "--announce-json", help="When ready, print one line of JSON on stdout: url, host, port, pid."
        ),
    ] = False,
    stop_with_stdin: Annotated[
        bool,
        typer.Option("--stop-with-stdin", help="Stop when stdin ends, as it does with the parent process."),
    ] = False,
    segmenter: Annotated[str, typer.Option(hidden=True)] = _LOCAL_SEGMENTER,
    segmenter_arguments: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Answer requests over HTTP until Ctrl+C.

    Without options only programs on this computer are answered. A server that others can reach needs an
    access key (--token-file) and TLS (--certfile, or --behind-proxy).

    Exit codes: 0 stopped, 2 usage or port in use, 5 weights, 6 device or memory, 7 missing package, 130
    Ctrl+C before it was ready.
    """
    try:
        with leaving_on_interrupt():
            from textsegment.server.run import run_server
            from textsegment.server.settings import ServerSettings, read_keys
            from textsegment.wire.limits import Limits
    except ModuleNotFoundError as error:
        raise _missing(error, "engine,server") from error
    if replicas != 1 and not ray:
        raise SettingsError("--replicas needs --ray.", "Without Ray, repeat --device.")
    settings = ServerSettings(
        host=host,
        port=port,
        keys=read_keys(token_file),
        token_file=token_file,
        audit_file=audit_file,
        certfile=certfile,
        keyfile=keyfile,
        behind_proxy=behind_proxy,
        allowed_hosts=tuple(allowed_host or ()),
        limits=Limits(
            max_volume_bytes=max_volume_mb * _MEGABYTE,
            max_voxels=max_volume_mb * _MEGABYTE // _ENGINE_VOXEL_BYTES,
            max_prompts=max_prompts,
        ),
        store_folder=store_folder,
        store_bytes=max_store_mb * _MEGABYTE,
        max_queue=max_queue,
        max_queue_per_client=max(1, max_queue // 2),
        stop_grace_s=stop_grace_seconds,
    )
    wanted: dict[str, Any] = {"model": model, "precision": precision}
    arguments = [{**wanted, "device": name} for name in device or ["auto"]]
    if segmenter != _LOCAL_SEGMENTER:
        arguments = [json.loads(segmenter_arguments or "{}") for _ in arguments]
    engine = (
        _ray_engine(replicas, arguments, segmenter, max_job_seconds)
        if ray
        else _local_engine(arguments, segmenter, max_job_seconds, max_silence_seconds)
    )
    run_server(
        engine,
        settings,
        announce_json=announce_json,
        stop_with_stdin=stop_with_stdin,
        open_page=open_page,
        with_sample=with_sample,
    )


def _local_engine(
    arguments: list[dict[str, Any]], factory: str, job_time_s: float, silence_s: float
) -> Engine:
    from textsegment.server.engines.local import LocalEngine

    return LocalEngine(arguments, factory, job_time_s=job_time_s, silence_s=silence_s)


def _ray_engine(replicas: int, arguments: list[dict[str, Any]], factory: str, job_time_s: float) -> Engine:
    if len(arguments) > 1:
        raise SettingsError("With --ray there is one --device for all replicas.", "Give --replicas instead.")
    if find_spec("ray") is None:
        raise _missing(ModuleNotFoundError(name="ray"), "engine,ray")
    from textsegment.server.engines.ray.cluster import ClusterEngine
    from textsegment.server.engines.ray.settings import ReplicaSettings

    return ClusterEngine(ReplicaSettings.on_this_computer(replicas, job_time_s), arguments[0], factory)


def _missing(error: ModuleNotFoundError, extras: str) -> DependencyMissingError:
    return DependencyMissingError(
        f"The package {error.name} is not installed.", f"Run `pip install 'textsegment[{extras}]'`."
    )
