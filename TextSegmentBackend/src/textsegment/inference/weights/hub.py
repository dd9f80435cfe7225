"""Download of files from a Hugging Face repository over HTTP.

``huggingface_hub`` is not used because, since version 2, it discards interrupted downloads, and these files
are gigabytes in size. Here a download resumes where it stopped, even days later, and is verified at the end.
Proxies are taken from the usual environment variables, a mirror from ``HF_ENDPOINT``, and a token (not needed
for public files) from ``HF_TOKEN``.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from textsegment.errors import (
    DiskFullError,
    OutputError,
    TextSegmentError,
    WeightsDownloadError,
    WeightsTamperedError,
)

DEFAULT_ENDPOINT = "https://huggingface.co"
ATTEMPTS = 5
"""Number of attempts for a download that makes no progress."""

PAUSE_S = 2.0
TIMEOUT_S = (10.0, 60.0)
"""Timeouts in seconds for connecting and for receiving the next data."""

CHUNK_BYTES = 1 << 20

_NO_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
)

OnProgress = Callable[[str, int, int], None]
"""Callback with the name of a file, the number of bytes received so far, and its total number of bytes."""


@dataclass(frozen=True)
class HubFile:
    """One file of a repository.

    Attributes:
        path: Path within the repository.
        size: Size in bytes.
        sha256: SHA-256 as announced by the hub; empty if it announces none.
    """

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Listing:
    """Files of a repository at one commit.

    Attributes:
        revision: Hash of the commit.
        files: Files, keyed by path.
    """

    revision: str
    files: dict[str, HubFile]


class Hub:
    """A repository on the hub or on a mirror of it."""

    def __init__(self, repository: str) -> None:
        self.repository = repository
        self.endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or DEFAULT_ENDPOINT

    @property
    def page(self) -> str:
        """Address of the repository's page, which has its terms of use."""
        return f"{self.endpoint}/{self.repository}"

    def list_files(self, revision: str = "main") -> Listing:
        """List the files of the repository.

        Args:
            revision: Name of a branch or hash of a commit.

        Raises:
            WeightsDownloadError: There is no connection, no such repository, or no hub at this address.
        """
        url = f"{self.endpoint}/api/models/{self.repository}/revision/{quote(revision, safe='')}"
        try:
            response = requests.get(url, {"blobs": "true"}, headers=_headers(), timeout=TIMEOUT_S)
            response.raise_for_status()
            answer = response.json()
            commit = str(answer["sha"])
            files = [_hub_file(entry) for entry in answer["siblings"]]
        except requests.JSONDecodeError as error:
            raise self._no_hub() from error
        except requests.RequestException as error:
            raise self._failure(error) from error
        except (KeyError, TypeError, ValueError) as error:
            raise self._no_hub() from error
        if not re.fullmatch(r"[0-9a-f]{40,64}", commit):
            raise self._no_hub()
        return Listing(commit, {file.path: file for file in files})

    def fetch(self, file: HubFile, revision: str, target: Path, on_progress: OnProgress) -> str:
        """Download a file, resuming an earlier attempt if there is one.

        Args:
            file: File from :meth:`list_files`.
            revision: Hash of the commit.
            target: Path of the file, in an existing folder; an incomplete download has the suffix ``.part``.
            on_progress: Callback that is called for every chunk.

        Returns:
            SHA-256 of the file, in hexadecimal.

        Raises:
            WeightsDownloadError: The connection broke and could not be restored.
            WeightsTamperedError: Size or SHA-256 differ from what the hub announced; nothing is kept.
            DiskFullError: The disk is full; nothing is kept.
        """
        part = target.with_name(f"{target.name}.part")
        url = f"{self.endpoint}/{self.repository}/resolve/{revision}/{quote(file.path)}"
        failures = 0
        if _size(part) > file.size:
            part.unlink()
        while (have := _size(part)) < file.size or not part.exists():
            try:
                self._append(url, file, part, on_progress)
            except requests.RequestException as error:
                failures = 1 if _size(part) > have else failures + 1
                if failures >= ATTEMPTS or _is_final(error):
                    raise self._failure(error) from error
                if _status(error) == requests.codes.range_not_satisfiable:
                    part.unlink(missing_ok=True)
                time.sleep(PAUSE_S * failures)
            except OSError as error:
                raise _write_failure(error, part) from error
        sha256 = sha256_of(part)
        if _size(part) != file.size or file.sha256 not in ("", sha256):
            part.unlink()
            raise WeightsTamperedError(
                f"{file.path} arrived with other content than the hub announced, and was not kept.",
                "Try again; if it happens again, do not trust the mirror or proxy in between.",
            )
        part.replace(target)
        return sha256

    def _append(self, url: str, file: HubFile, part: Path, on_progress: OnProgress) -> None:
        have = _size(part)
        wanted = {"Range": f"bytes={have}-"} if have else {}
        with requests.get(url, headers=_headers() | wanted, stream=True, timeout=TIMEOUT_S) as response:
            response.raise_for_status()
            goes_on = response.status_code == requests.codes.partial_content
            if goes_on and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                raise requests.ConnectionError("the server sent another range than was asked for")
            have = have if goes_on else 0  # some servers ignore the range and restart from zero
            with part.open("ab" if goes_on else "wb") as out:
                for chunk in response.iter_content(CHUNK_BYTES):
                    out.write(chunk)
                    have += len(chunk)
                    on_progress(file.path, min(have, file.size), file.size)
                    if have > file.size:
                        return  # the caller notices from the size
        if have < file.size:
            raise requests.ConnectionError("the server stopped before the end")

    def _failure(self, error: requests.RequestException) -> TextSegmentError:
        status = _status(error)
        if status in (401, 403):
            said, todo = (
                "refuses access",
                f"Look at {self.page}: the authors may ask you to sign in (HF_TOKEN).",
            )
        elif status == 404:
            said, todo = "does not have it", f"Look at {self.page}: it may have moved."
        elif status is not None:
            said, todo = f"answered with error {status}", "Try again later."
        elif isinstance(error, requests.exceptions.ProxyError):
            said, todo = "cannot be reached through the proxy", "Check HTTPS_PROXY."
        elif isinstance(error, _NO_ADDRESS):
            return self._no_hub()
        else:
            said = "cannot be reached, or the connection broke"
            todo = "Run the same command again when there is a network: a download goes on where it stopped."
        return WeightsDownloadError(f"{self.endpoint} {said}.", todo)

    def _no_hub(self) -> WeightsDownloadError:
        return WeightsDownloadError(
            f"{self.endpoint} does not answer like the Hugging Face hub.", "Check HF_ENDPOINT and the proxy."
        )


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _headers() -> dict[str, str]:
    headers = {"User-Agent": "textsegment", "Accept-Encoding": "identity"}
    if token := os.environ.get("HF_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    return headers


def _hub_file(entry: dict[str, Any]) -> HubFile:
    large = entry.get("lfs") or {}  # absent, null or false for small files
    return HubFile(
        str(entry["rfilename"]), int(large.get("size", entry["size"])), str(large.get("sha256", ""))
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _status(error: requests.RequestException) -> int | None:
    return error.response.status_code if error.response is not None else None


def _is_final(error: requests.RequestException) -> bool:
    status = _status(error)
    return status is not None and 400 <= status < 500 and status not in (408, 416, 429)


def _write_failure(error: OSError, part: Path) -> OutputError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        part.unlink(missing_ok=True)
        return DiskFullError(
            "The disk is full: the download was removed.", "Free some room or set TEXTSEGMENT_HOME."
        )
    return OutputError(
        "The download cannot be written.", "Check the folder, or set TEXTSEGMENT_HOME to another."
    )
