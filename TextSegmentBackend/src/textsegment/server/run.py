"""Runs the server: socket, TLS, signals, messages, and orderly shutdown."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import math
import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote

import uvicorn
from fastapi import FastAPI

import textsegment
from textsegment.errors import PortInUseError, SettingsError
from textsegment.server.announcement import announced
from textsegment.server.app import create_app
from textsegment.server.engines.engine import Engine
from textsegment.server.http.acceptor import Acceptor
from textsegment.server.http.certificate import Certificate
from textsegment.server.http.connection import bounded_connection
from textsegment.server.http.descriptors import fitted_bounds
from textsegment.server.keys import KeyRing
from textsegment.server.logs import log, use_json_logs
from textsegment.server.settings import ServerSettings

_KEEP_ALIVE_S = 30
_CERTIFICATE_TICKS = 10
# By default each of these would kill the process and leave the volumes on disk.
_STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGXCPU", "SIGBREAK")


def run_server(
    engine: Engine,
    settings: ServerSettings,
    *,
    announce_json: bool = False,
    stop_with_stdin: bool = False,
    open_page: bool = False,
    with_sample: bool = False,
) -> None:
    """Run the server until a signal or the end of stdin stops it.

    Args:
        engine: Engine that runs the jobs; started and stopped here.
        settings: Settings of the server.
        announce_json: Whether to print one line of JSON to stdout once the server answers requests.
        stop_with_stdin: Whether to stop at the end of stdin, which comes when the parent process exits.
        open_page: Whether to open the web workspace in the browser once the server answers requests.
        with_sample: Whether the page that is opened begins with the sample scan.

    Raises:
        PortInUseError: If another program listens on the port.
        SettingsError: If the server cannot listen at the address, or certificate and key cannot be used.
        TextSegmentError: If the engine cannot start.
        KeyboardInterrupt: If Ctrl+C is pressed before the server is ready.
    """
    use_json_logs()
    with listen(settings) as listener:
        server = Server(create_app(engine, settings), settings)
        wishes = ["sample=1"] if with_sample else []
        opens = wishes if open_page else None
        asyncio.run(server.run_until_stopped(listener, announce_json, stop_with_stdin, opens))


def listen(settings: ServerSettings) -> socket.socket:
    """Return a socket that listens at the address in the settings.

    Raises:
        PortInUseError: If another program listens on the port.
        SettingsError: If the address does not belong to this computer, or needs more privileges.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            if os.name == "posix":  # on Windows this would let two programs share the port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen()
        except OSError:
            listener.close()
            raise
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


class Server(uvicorn.Server):
    """Uvicorn server with our own limits, signal handling, and a shutdown that lets jobs finish.

    Args:
        app: Application from ``create_app``; whoever calls ``serve`` runs its lifespan.
        settings: Settings of the server, the same as for the application.

    Raises:
        SettingsError: If certificate and key cannot be used, or the limit of open files is too low.
    """

    def __init__(self, app: FastAPI, settings: ServerSettings) -> None:
        has_tls = settings.certfile is not None
        self._bounds = fitted_bounds(settings.max_connections, has_tls=has_tls)
        config = uvicorn.Config(
            app,
            http=bounded_connection(settings, self._bounds.connections),
            ws="none",
            lifespan="off",  # run by ``run_until_stopped``, so that its errors stay typed
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=int(settings.stop_grace_s) + 5,
        )
        config.load()
        self._certificate = (
            None if settings.certfile is None else Certificate(settings.certfile, settings.keyfile)
        )
        config.ssl = None if self._certificate is None else self._certificate.context
        super().__init__(config)
        self._app = app
        self._settings = settings

    async def run_until_stopped(
        self,
        listener: socket.socket,
        announce_json: bool,
        stop_with_stdin: bool,
        opens: list[str] | None,
    ) -> None:
        """Start, serve and stop; see ``run_server``. ``opens``: wishes of the page, None to open none."""
        loop = asyncio.get_running_loop()
        this_task = asyncio.current_task()
        is_up = was_interrupted = False

        def stop(number: int = 0) -> None:
            nonlocal was_interrupted
            if is_up:
                self.force_exit, self.should_exit = self.should_exit, True
            elif this_task is not None:
                was_interrupted = number == signal.SIGINT
                this_task.cancel()

        with suppress(asyncio.CancelledError), _signals(lambda n: loop.call_soon_threadsafe(stop, n)):
            if stop_with_stdin:
                threading.Thread(target=_wait_for_stdin, args=(loop, stop), daemon=True).start()
            print("Loading the model …", file=sys.stderr, flush=True)
            async with self._app.router.lifespan_context(self._app):
                is_up = True
                url = self._url(listener)
                with announced(self._settings, url, self._app.state.service.info.model.model):
                    self._announce(url, listener, as_json=announce_json)
                    if opens is not None:
                        _open_page(self._page_address(url, opens))
                    await self.serve(sockets=[listener])
        if was_interrupted:
            raise KeyboardInterrupt

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone, which uvicorn would raise again before the engine is stopped."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start accepting connections on the given sockets."""
        await self.lifespan.startup()

        def protocol() -> asyncio.Protocol:
            kind: Any = self.config.http_protocol_class
            made: asyncio.Protocol = kind(self.config, self.server_state, self.lifespan.state)
            return made

        self.servers: list[Any] = [
            Acceptor(
                listener, protocol, self.config.ssl, self._settings.head_timeout_s, self._bounds.handshakes
            )
            for listener in sockets or ()
        ]
        if (certificate := self._certificate) is not None:
            self._app.state.service.metrics.watch(
                "certificate_days_left",
                "Days until the certificate expires",
                lambda: days if (days := certificate.days_left()) is not None else math.nan,
            )
        self.started = True

    async def on_tick(self, counter: int) -> bool:
        """Check the certificate regularly; called by uvicorn ten times a second."""
        if self._certificate is not None and counter % _CERTIFICATE_TICKS == 0:
            self._certificate.refresh()
        if counter == 0:  # at the start, and once a day
            for warning in self.warnings():
                log("warning", level=logging.WARNING, message=warning)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Shut down jobs and connections."""
        jobs = asyncio.create_task(self._app.state.service.stop())
        await super().shutdown(sockets)
        if self.force_exit:
            jobs.cancel()
        with suppress(asyncio.CancelledError):
            await jobs

    def warnings(self) -> list[str]:
        """Return warnings for the operator, as complete sentences."""
        found = [] if self._certificate is None else self._certificate.warnings()
        if (room := self._bounds.connections) < (wanted := self._settings.max_connections):
            found.append(
                f"The limit of open files leaves room for {room} connections, not {wanted}. "
                "Raise it: ulimit -n, LimitNOFILE=."
            )
        return found

    def _url(self, listener: socket.socket) -> str:
        host, port = listener.getsockname()[:2]
        scheme = "http" if self._settings.certfile is None else "https"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    def _page_address(self, url: str, wishes: list[str]) -> str:
        """Return where the web workspace is, with an access key in the part that is never sent."""
        keys = KeyRing(self._settings.keys, self._settings.token_file).keys()
        parts = [f"key={quote(keys[0].key)}", *wishes] if keys else wishes
        return f"{url}/#{'&'.join(parts)}" if parts else f"{url}/"

    def _announce(self, url: str, listener: socket.socket, *, as_json: bool) -> None:
        settings, service = self._settings, self._app.state.service
        host, port = listener.getsockname()[:2]
        key = "needed" if settings.keys else "none: every program on this computer may ask"
        model = service.info.model
        print(
            f"TextSegment {textsegment.__version__} answers at {url}\n"
            f"  model  {model.model} on {model.device}, {service.engine.slots} at once\n"
            f"  key    {key}\n"
            "For research. Not a medical device. Press Ctrl+C to stop.",
            file=sys.stderr,
            flush=True,
        )
        if as_json:
            print(json.dumps({"url": url, "host": host, "port": port, "pid": os.getpid()}), flush=True)


def _open_page(address: str) -> None:
    print(f"Open {address}", file=sys.stderr, flush=True)
    # Where there is no browser the address stands on the terminal.
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


@contextmanager
def _signals(stop: Callable[[int], object]) -> Iterator[None]:
    """Call ``stop`` with the number of each stop signal while the block runs, then restore the handlers."""
    names = [name for name in _STOP_SIGNALS if hasattr(signal, name)]
    # Ignored signals, as under nohup, stay ignored, except SIGINT, which shells ignore for background jobs.
    names = [n for n in names if n == "SIGINT" or signal.getsignal(getattr(signal, n)) != signal.SIG_IGN]
    before = {name: signal.signal(getattr(signal, name), lambda number, _: stop(number)) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


def _wait_for_stdin(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    with suppress(OSError):
        # Not sys.stdin, whose lock would block the shutdown of the interpreter.
        while os.read(0, 4096):
            pass
    with suppress(RuntimeError):  # the loop has ended already
        loop.call_soon_threadsafe(stop)
