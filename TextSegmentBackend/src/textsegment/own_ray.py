"""A Ray of our own on this computer: reachable from here only, with a secret of its own."""

from __future__ import annotations

import os
import secrets
import signal
import tempfile
import threading
from pathlib import Path
from typing import Any

from textsegment.errors import EngineLostError

# Read by Ray on import, and by the processes that it starts.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Whatever its name suggests: a Ray that cannot span several computers listens on loopback only.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
    # After the end, Serve's threads would connect to whatever cluster the environment names.
    "RAY_ENABLE_AUTO_CONNECT": "0",
    # By default its workers are nicer than whoever waits for them.
    "RAY_worker_niceness": "0",
    "RAY_enable_worker_prestart": "0",
}
_ATTEMPTS = 3


def is_wanted() -> bool:
    """Return whether to start a Ray, rather than to join the cluster that ``RAY_ADDRESS`` names."""
    return "RAY_ADDRESS" not in os.environ


def set_environment() -> None:
    """Set the environment of a Ray of our own, with a new secret. Ray must not have been imported before."""
    os.environ.update(_ENVIRONMENT, RAY_AUTH_TOKEN=secrets.token_hex(32))


def options(folder: Path) -> dict[str, Any]:
    """Return arguments of ``ray.init`` for a Ray of our own that keeps its files in a folder."""
    return {"address": "local", "include_dashboard": False, "_temp_dir": str(folder)}


def parent_folder() -> Path:
    """Return the parent folder of Ray's files: a short path, since Unix sockets allow at most 107 bytes."""
    return Path(tempfile.gettempdir()) / f"tsray-{os.getuid() if hasattr(os, 'getuid') else 'user'}"


def init_ray(**options: Any) -> Any:
    """Start or join a Ray, and return its context; a start that takes too long is tried again.

    Args:
        options: Options of ``ray.init``.

    Raises:
        EngineLostError: Ray did not start in time, several times.
    """
    import ray

    for attempts_left in reversed(range(_ATTEMPTS)):
        try:
            return ray.init(**options)
        except Exception as error:
            # Ray gives itself half a minute, which nothing can change, and says so by a bare exception.
            if type(error) is not Exception:
                raise
            ray.shutdown()
            if not attempts_left:
                raise EngineLostError(
                    "Ray did not start in time.",
                    "Start again when the computer is less busy, or without --ray.",
                ) from error
    raise AssertionError("unreachable")


def restore_signals() -> None:
    """Restore Python's SIGTERM handler, which Ray's core replaces by one that prints a stack trace."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))
