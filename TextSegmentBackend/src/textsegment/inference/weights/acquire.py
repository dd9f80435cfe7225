"""Acquire published weights with the user's consent, and convert them once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from textsegment.errors import CancelledError, CheckpointError, DiskFullError, InputNotFoundError
from textsegment.files.disk.atomic import make_folder
from textsegment.inference.weights.hub import Hub, HubFile, OnProgress, sha256_of
from textsegment.inference.weights.registry import PUBLISHED, PublishedModel, published_model
from textsegment.inference.weights.store import FileRecord, ModelRecord, Store
from textsegment.model.checkpoints import checkpoint

DEPTHS = ("*.pth", "*/*.pth", "*/*/*.pth")
"""Patterns that an import searches; limited in depth, in case a whole disk is given by mistake."""


@dataclass(frozen=True)
class Offer:
    """A proposed download, to which the user must consent first.

    Attributes:
        model: Name of the model.
        page: Address of the page with the terms of use.
        revision: Hash of the commit.
        files: Files to download.
    """

    model: str
    page: str
    revision: str
    files: tuple[HubFile, HubFile]

    @property
    def size(self) -> int:
        """Total size in bytes."""
        return sum(file.size for file in self.files)

    @property
    def notice(self) -> str:
        """Notice for the user: whose weights they are, where to find their terms, and how large they are."""
        network, text_encoder = self.files
        return (
            f"The weights of {self.model} were made and published by the authors of SAT (arXiv 2312.17183), "
            f"not by this project. Their terms stand at {self.page}: read them there before use; the "
            f"authors' code states no licence.\nTo download: {network.path} and {text_encoder.path}, "
            f"{self.size / 1e9:.2f} GB, commit {self.revision[:12]}."
        )


def download(name: str, *, consent: Callable[[Offer], bool], on_progress: OnProgress) -> Path:
    """Download the weights of a model from the hub and convert them.

    The commit of the first download is recorded, and later downloads use the same commit.

    Args:
        name: Name of a published model.
        consent: Callback that is asked before anything is downloaded.
        on_progress: Callback that is called for every chunk of a file.

    Returns:
        Path of the converted file.

    Raises:
        CancelledError: Consent was refused.
        WeightsDownloadError: There is no connection, or the files are not on the hub.
        WeightsTamperedError: The files differ from their record, or from what the hub announced.
        CheckpointError: The contents of a file do not match its name.
        WeightsError: There is no such model, or another process is changing the folder.
        OutputError: The disk is full, or the folder cannot be written.
    """
    model, store = published_model(name), Store()
    with store.exclusive():
        known = store.record(name)
        if known and known.converted and store.weights_file(name).exists():
            return store.weights_file(name)
        hub = Hub(model.repository)
        record, files = _look_up(model, hub, store, known)
        targets = _targets(store, name, record.revision)
        _require_room(store, files, targets)
        if not consent(Offer(name, hub.page, record.revision, files)):
            raise CancelledError(
                "Nothing was downloaded.", "It needs your consent: answer yes, or add --yes."
            )
        store.write_record(name, record)
        for file, target in zip(files, targets, strict=True):
            if not target.exists():
                make_folder(target.parent)
                hub.fetch(file, record.revision, target, on_progress)
        path = _convert(model, store, record, targets)
        _remove(targets)
        return path


def import_folder(name: str, folder: Path) -> Path:
    """Import the published files of a model from a folder, without network access.

    Args:
        name: Name of a published model.
        folder: Folder with both files, named as on the hub, at most two folders deep.

    Returns:
        Path of the converted file.

    Raises:
        InputNotFoundError: The folder does not exist.
        WeightsMissingError: One of the two files is not in the folder.
        WeightsTamperedError: The files differ from their record.
        CheckpointError: The contents of a file do not match its name.
        WeightsError: There is no such model, several files match, or another process is changing the weights
            folder.
        OutputError: The disk is full, or the weights folder cannot be written.
    """
    model, store = published_model(name), Store()
    if not folder.is_dir():
        raise InputNotFoundError("There is no such folder.", "Give the folder that holds the .pth files.")
    found = {path.relative_to(folder).as_posix(): path for depth in DEPTHS for path in folder.glob(depth)}
    network, text_encoder = model.find_pair(found)
    with store.exclusive():
        seen = [FileRecord(path, found[path].stat().st_size, "") for path in (network, text_encoder)]
        record = store.record(name) or ModelRecord("", "", *seen)
        return _convert(model, store, record, (found[network], found[text_encoder]))


def _look_up(
    model: PublishedModel, hub: Hub, store: Store, known: ModelRecord | None
) -> tuple[ModelRecord, tuple[HubFile, HubFile]]:
    """Find the two files on the hub, at the recorded commit if any, and compare them with their record."""
    listing = hub.list_files(known.revision if known and known.revision else "main")
    network, text_encoder = (listing.files[path] for path in model.find_pair(listing.files))
    seen = [FileRecord(file.path, file.size, file.sha256) for file in (network, text_encoder)]
    if known:
        store.check(known.network, seen[0])
        store.check(known.text_encoder, seen[1])
    record = replace(
        known or ModelRecord("", "", *seen), repository=model.repository, revision=listing.revision
    )
    return record, (network, text_encoder)


def _targets(store: Store, name: str, revision: str) -> tuple[Path, Path]:
    # Use our own names, so that a path from the hub never becomes a local path.
    folder = store.downloads(name) / revision
    return folder / "network.pth", folder / "text_encoder.pth"


def _remove(targets: tuple[Path, Path]) -> None:
    """Remove the downloaded files, and their folders only if empty, since users may keep files there."""
    with suppress(OSError):
        for target in targets:
            target.unlink(missing_ok=True)
        targets[0].parent.rmdir()
        targets[0].parent.parent.rmdir()


def _require_room(store: Store, files: tuple[HubFile, HubFile], targets: tuple[Path, Path]) -> None:
    there = [path for target in targets for path in target.parent.glob(f"{target.name}*")]
    missing = sum(file.size for file in files) - sum(path.stat().st_size for path in there)
    free = shutil.disk_usage(store.folder).free
    if free < missing:
        raise DiskFullError(
            f"The download needs {missing / 1e9:.2f} GB and there are {free / 1e9:.2f} GB free.",
            "Free some room, or set TEXTSEGMENT_HOME to a folder on another disk.",
        )


def _convert(model: PublishedModel, store: Store, record: ModelRecord, files: tuple[Path, Path]) -> Path:
    """Check the published files against their record, convert them, and record the result."""
    seen = [
        replace(recorded, size=path.stat().st_size, sha256=sha256_of(path))
        for recorded, path in zip((record.network, record.text_encoder), files, strict=True)
    ]
    store.check(record.network, seen[0])
    store.check(record.text_encoder, seen[1])
    _refuse_mixed_pair(model, store, seen[1])
    path = store.weights_file(model.name)
    source = {"repository": record.repository, "revision": record.revision}
    source |= {"network_sha256": seen[0].sha256, "text_encoder_sha256": seen[1].sha256}
    checkpoint.convert(*files, path, model.config, model.text_config, source)
    converted = FileRecord(path.name, path.stat().st_size, sha256_of(path))
    store.write_record(
        model.name, replace(record, network=seen[0], text_encoder=seen[1], converted=converted)
    )
    return path


def _refuse_mixed_pair(model: PublishedModel, store: Store, text_encoder: FileRecord) -> None:
    # All text encoders have the same layout, but each belongs to one network.
    for other in PUBLISHED.keys() - {model.name}:
        record = store.record(other)
        if record and record.text_encoder.sha256 == text_encoder.sha256:
            raise CheckpointError(
                f"The text encoder given for {model.name} is that of {other}.",
                "A network and its text encoder belong together: use the files of one model.",
            )
