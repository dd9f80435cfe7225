"""How many connections fit within the process's limit of open files."""

from __future__ import annotations

from dataclasses import dataclass

from textsegment.errors import SettingsError

try:
    import resource
except ModuleNotFoundError:  # Windows has no such limit
    resource = None  # type: ignore[assignment]

# For files of volumes, workers, the model, and connections that are told to come back later.
_OTHERS = 160
_LEAST_LIMIT = 256
_MOST_HANDSHAKES = 256


@dataclass(frozen=True)
class ConnectionBounds:
    """Limits on the connections of a server.

    Attributes:
        connections: Maximum number of open connections.
        handshakes: Maximum number of simultaneous TLS handshakes.
    """

    connections: int
    handshakes: int


def bounds_within(limit: int, connections: int, *, has_tls: bool) -> ConnectionBounds:
    """Return the connection limits that fit within a limit of open files.

    Args:
        limit: Maximum number of open files of the process.
        connections: Desired number of connections.
        has_tls: Whether connections begin with a TLS handshake.

    Raises:
        SettingsError: If the limit is too low for a server.

    >>> bounds_within(65536, 512, has_tls=True)
    ConnectionBounds(connections=512, handshakes=256)
    >>> bounds_within(512, 512, has_tls=True)
    ConnectionBounds(connections=264, handshakes=88)
    """
    if limit < _LEAST_LIMIT:
        raise SettingsError(
            f"The server may have {limit} open files, and needs {_LEAST_LIMIT} at least.",
            "Raise the limit: ulimit -n, LimitNOFILE= of systemd, --ulimit nofile= of a container.",
        )
    room = limit - _OTHERS
    handshakes = min(_MOST_HANDSHAKES, room // 4)
    return ConnectionBounds(min(connections, room - (handshakes if has_tls else 0)), handshakes)


def fitted_bounds(connections: int, *, has_tls: bool) -> ConnectionBounds:
    """Return the connection limits for this process, raising its limit of open files as needed and allowed.

    Raises:
        SettingsError: If the limit is still too low for a server.
    """
    if resource is None:
        return ConnectionBounds(connections, _MOST_HANDSHAKES)
    soft, hard = (_number(limit) for limit in resource.getrlimit(resource.RLIMIT_NOFILE))
    needed = connections + _MOST_HANDSHAKES + _OTHERS
    if soft < needed and soft < hard:
        _, unchanged = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, needed), unchanged))
            soft = min(hard, needed)
        except (OSError, ValueError):
            pass  # macOS has a further limit of its own
    return bounds_within(soft, connections, has_tls=has_tls)


def _number(limit: int) -> int:
    return 2**31 if limit < 0 else limit  # RLIM_INFINITY
