"""Runs the server: socket, signals, messages, and an orderly end."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from textsegment.errors import PortInUseError, SettingsError
from textsegment.server.app import create_app
from textsegment.server.engine import Engine
from textsegment.server.settings import ServerSettings


def run_server(
    engine: Engine, settings: ServerSettings, *, announce_json: bool = False, stop_with_stdin: bool = False
) -> None:
    """Serve until a signal, or the end of stdin, says to stop.

    Args:
        engine: What computes; it is started here.
        settings: All else.
        announce_json: Whether to print one line of JSON on stdout as soon as requests are answered.
        stop_with_stdin: Whether to stop when stdin ends, as it does when the parent process is gone.

    Raises:
        PortInUseError: Another program listens there.
        SettingsError: The address is not one of this computer, or certificate and key cannot be used.
        TextSegmentError: The engine cannot start.
    """
    listener = listen(settings)
    with listener:
        asyncio.run(_serve(engine, settings, listener, announce_json, stop_with_stdin))


def listen(settings: ServerSettings) -> socket.socket:
    """Return a listening socket.

    Raises:
        PortInUseError: Another program listens there.
        SettingsError: The address is not one of this computer, or needs more rights.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, proto)
        if os.name == "posix":  # on Windows it would let two programs share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(
                f"Port {settings.port} is in use by another program.",
                "Choose another one with --port, or --port 0 for any free one.",
            ) from error
        raise SettingsError(
            f"The server cannot listen at {settings.host}, port {settings.port}.", "Check --host and --port."
        ) from error
    return listener


async def _serve(
    engine: Engine,
    settings: ServerSettings,
    listener: socket.socket,
    announce_json: bool,
    stop_with_stdin: bool,
) -> None:
    app = create_app(engine, settings)
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=int(settings.stop_grace_s) + 5,
        ssl_certfile=settings.certfile,
        ssl_keyfile=settings.keyfile,
    )
    server = uvicorn.Server(config)
    async with app.router.lifespan_context(app):
        host, port = listener.getsockname()[:2]
        if announce_json:
            print(json.dumps({"host": host, "port": port, "pid": os.getpid()}), flush=True)
        await server.serve(sockets=[listener])
