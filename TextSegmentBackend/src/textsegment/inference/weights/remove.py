"""Take the weights of a model from this computer again."""

from __future__ import annotations

import contextlib
from pathlib import Path

from textsegment.errors import OutputError, WeightsError, WeightsMissingError
from textsegment.inference.weights.registry import DEMO, published_model
from textsegment.inference.weights.store import Store


def removable_bytes(name: str) -> int:
    """Return how much room the weights of a model take, broken downloads included.

    Raises:
        WeightsError: no such model, or its weights come with this package.
        WeightsMissingError: there are none.
    """
    return sum(path.stat().st_size for path in _files(name, Store()))


def remove(name: str) -> int:
    """Remove the weights of a model, and what a broken download has left of them.

    The record of what they were stays: weights that are fetched again are compared with it.

    Args:
        name: Of a published model.

    Returns:
        Bytes that are free now.

    Raises:
        WeightsError: no such model, its weights come with this package, or another process is at it.
        WeightsMissingError: there are none.
        OutputError: a file cannot be removed, for example because an engine uses it.
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
                with contextlib.suppress(OSError):  # not empty: somebody else's files
                    folder.rmdir()
    return freed


def _files(name: str, store: Store) -> list[Path]:
    """Return the files that were put there for a model, none of which has a name that a user would choose."""
    if name == DEMO:
        raise WeightsError(f"The weights of {DEMO} are part of this package.", "They cannot be removed.")
    published_model(name)
    known = store.record(name)
    weights = [store.weights_file(name)] if known and known.converted else []
    revision = known.revision if known else ""
    downloads = [*store.downloads(name).joinpath(revision).glob("*.pth*")] if revision else []
    there = [path for path in [*weights, *downloads] if path.is_file()]
    if not there:
        raise WeightsMissingError(f"The weights of {name} are not on this computer.", "Nothing was removed.")
    return there
