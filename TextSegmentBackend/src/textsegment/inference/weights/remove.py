"""Remove the weights of a model from this computer."""

from __future__ import annotations

import contextlib
from pathlib import Path

from textsegment.errors import OutputError, WeightsError, WeightsMissingError
from textsegment.inference.weights.registry import DEMO, published_model
from textsegment.inference.weights.store import Store


def removable_bytes(name: str) -> int:
    """Return the size in bytes of the weights of a model, including incomplete downloads.

    Raises:
        WeightsError: There is no such model, or its weights are part of this package.
        WeightsMissingError: There are no weights to remove.
    """
    return sum(path.stat().st_size for path in _files(name, Store()))


def remove(name: str) -> int:
    """Remove the weights of a model, including incomplete downloads.

    Their record is kept, so that weights downloaded again are compared with it.

    Args:
        name: Name of a published model.

    Returns:
        Number of bytes freed.

    Raises:
        WeightsError: There is no such model, its weights are part of this package, or another process is
            changing the folder.
        WeightsMissingError: There are no weights to remove.
        OutputError: A file cannot be removed, for example because an engine uses it.
    """
    store = Store()
    files = _files(name, store)
    with store.exclusive():
        freed = 0
        for path in files:
            size = path.stat().st_size
            try:
                path.unlink()
            except OSError as error:
                raise OutputError(
                    f"{path.name} cannot be removed.",
                    "Stop the engine that uses it, and look at the folder's permissions.",
                ) from error
            freed += size
        for folder in {path.parent for path in files} | {store.downloads(name)}:
            if folder != store.folder:
                with contextlib.suppress(OSError):  # not empty: it has files that are not ours
                    folder.rmdir()
    return freed


def _files(name: str, store: Store) -> list[Path]:
    """Return the files stored for a model, none of which has a name that a user would choose."""
    if name == DEMO:
        raise WeightsError(f"The weights of {DEMO} are part of this package.", "They cannot be removed.")
    if not store.is_imported(name):
        published_model(name)
    known = store.record(name)
    weights = [store.weights_file(name)] if known and known.converted else []
    revision = known.revision if known else ""
    downloads = [*store.downloads(name).joinpath(revision).glob("*.pth*")] if revision else []
    there = [path for path in [*weights, *downloads] if path.is_file()]
    if not there:
        raise WeightsMissingError(f"The weights of {name} are not on this computer.", "Nothing was removed.")
    return there
