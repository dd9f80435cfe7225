"""The web workspace: a fixed set of files, served without a key, that may load nothing from elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING

from starlette.responses import Response

from textsegment.errors import DependencyMissingError
from textsegment.files.sample import sample_scan

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

FOLDER = "/app/"
START = "/"

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".txt": "text/plain; charset=utf-8",
}
# Everything from this server; pictures may also be made by the page itself.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; worker-src 'self'; "
    "img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types worker"
)
_WORKER = "compression/worker.js"
"""The only script that may compile WebAssembly, in a worker of its own."""
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True)
class _File:
    content: bytes
    media_type: str
    etag: str


def is_page(path: str) -> bool:
    """Return whether a path belongs to the page, which holds nothing secret and needs no key."""
    return path == START or path.startswith(FOLDER)


def page_file(name: str, known: str | None) -> Response | None:
    """Return a file of the page, 304 if the client has it, or None if there is no such file.

    Args:
        name: Path of the file below the folder. It is looked up, never joined to a path.
        known: ``If-None-Match`` header of the request.
    """
    file = _files().get(name)
    if file is None:
        return None
    headers = {**_HEADERS, "ETag": file.etag}
    if name == _WORKER:
        compiling = "script-src 'self' 'wasm-unsafe-eval'"
        headers["Content-Security-Policy"] = _POLICY.replace("script-src 'self'", compiling)
    if known == file.etag:
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers, media_type=file.media_type)


@lru_cache(maxsize=1)
def _files() -> Mapping[str, _File]:
    found = dict(_found_in(resources.files("textsegment") / "web", ""))
    with suppress(DependencyMissingError):
        content = sample_scan().read_bytes()
        found["sample.nrrd"] = _File(content, "application/octet-stream", _etag(content))
    return MappingProxyType(found)


def _found_in(folder: Traversable, path: str) -> Iterator[tuple[str, _File]]:
    """Yield the files in a folder and the folders below, each with its path."""
    for file in folder.iterdir():
        suffix = "." + file.name.rpartition(".")[2]
        if file.is_dir():
            yield from _found_in(file, f"{path}{file.name}/")
        elif suffix in _TYPES:
            content = file.read_bytes()
            yield path + file.name, _File(content, _TYPES[suffix], _etag(content))


def _etag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'
