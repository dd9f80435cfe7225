"""The folder of weights on this computer, and the record of the files as first seen.

::

    TEXTSEGMENT_HOME/             or the platform's cache folder
        weights/
            lock.json             origin, commit, size and SHA-256 of every file
            sat-nano.safetensors  ready to use
            downloads/sat-nano/   published files while downloading, removed after conversion
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from textsegment.errors import WeightsError, WeightsTamperedError
from textsegment.files.disk.atomic import atomic_output, make_folder
from textsegment.inference.weights.registry import PUBLISHED

LOCK_FORMAT = 1


def home() -> Path:
    """Return TextSegment's data folder: ``TEXTSEGMENT_HOME``, or one in the platform's cache folder."""
    if chosen := os.environ.get("TEXTSEGMENT_HOME"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "textsegment"


@dataclass(frozen=True)
class FileRecord:
    """Record of a file as first seen.

    Attributes:
        name: Path in its repository or folder.
        size: Size in bytes.
        sha256: SHA-256 in hexadecimal; empty until known from the hub or the file itself.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class ModelRecord:
    """Record of the origin of a model's weights.

    Attributes:
        repository: Repository on the hub; empty after an import.
        revision: Hash of the commit; empty after an import.
        network: Published file of the network.
        text_encoder: Published file of the text encoder.
        converted: Converted weights file; ``None`` until the conversion is complete.
    """

    repository: str
    revision: str
    network: FileRecord
    text_encoder: FileRecord
    converted: FileRecord | None = None


class Store:
    """The folder of weights and its record."""

    def __init__(self) -> None:
        self.folder = home() / "weights"

    @property
    def lock_file(self) -> Path:
        """Path of the file with the records of all models."""
        return self.folder / "lock.json"

    def weights_file(self, model: str) -> Path:
        """Return the path of the converted weights of a model, whether or not the file exists."""
        return self.folder / f"{model}.safetensors"

    def downloads(self, model: str) -> Path:
        """Return the folder for published files of a model while they are downloaded."""
        return self.folder / "downloads" / model

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Lock the folder against changes by other processes while the block runs.

        Raises:
            WeightsError: Another process holds the lock.
            OutputError: The folder cannot be created.
        """
        make_folder(self.folder)
        try:
            with FileLock(self.folder / ".busy", timeout=0):
                yield
        except Timeout as error:
            raise WeightsError(
                "Another process is fetching weights.",
                "Wait until it has finished, then run the command again.",
            ) from error

    def record(self, model: str) -> ModelRecord | None:
        """Return the record of a model's weights; ``None`` if they were never seen.

        Raises:
            WeightsTamperedError: The record itself is damaged.
        """
        entry = self._records().get(model)
        if entry is None:
            return None
        try:
            return ModelRecord(
                entry["repository"],
                entry["revision"],
                FileRecord(**entry["network"]),
                FileRecord(**entry["text_encoder"]),
                FileRecord(**entry["converted"]) if entry["converted"] else None,
            )
        except (KeyError, TypeError) as error:
            raise self._damaged() from error

    def imported(self) -> list[str]:
        """Return the names of imported models that training has made."""
        return sorted(name for name in self._records() if self.is_imported(name))

    def is_imported(self, model: str) -> bool:
        """Return whether a name is that of an imported model that training has made."""
        return model not in PUBLISHED and model in self._records()

    def write_record(self, model: str, record: ModelRecord) -> None:
        """Store the record of a model's weights."""
        models = {**self._records(), model: asdict(record)}
        with atomic_output(self.lock_file) as temporary:
            temporary.write_text(json.dumps({"format": LOCK_FORMAT, "models": models}, indent=1))

    def check(self, recorded: FileRecord, seen: FileRecord) -> None:
        """Compare a file with its record; values that either side lacks are not compared.

        Raises:
            WeightsTamperedError: They differ.
        """
        known = recorded.sha256 and seen.sha256
        if recorded.size != seen.size or (known and recorded.sha256 != seen.sha256):
            raise WeightsTamperedError(
                f"{seen.name} is not the file that was recorded on first sight: {seen.size} bytes with "
                f"SHA-256 {seen.sha256 or 'unknown'} instead of {recorded.size} bytes with "
                f"{recorded.sha256 or 'unknown'}.",
                f"Do not use it. If its authors announced a change, delete {self.lock_file} and fetch again.",
            )

    def _records(self) -> dict[str, dict[str, Any]]:
        try:
            content = json.loads(self.lock_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise self._damaged() from error
        models = content.get("models") if isinstance(content, dict) else None
        if not isinstance(models, dict) or content.get("format") != LOCK_FORMAT:
            raise self._damaged()
        return models

    def _damaged(self) -> WeightsTamperedError:
        return WeightsTamperedError(
            "The record of weights is damaged.", f"Delete {self.lock_file} and fetch the weights again."
        )
