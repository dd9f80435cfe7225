"""Recursive traversal of folders, following links and visiting each folder once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def walk_files(folder: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Yield each folder, starting with the given one, with its files in sorted order.

    Links to folders are followed, but no folder is visited twice, so that circular links terminate. Hidden
    folders are skipped.
    """
    seen: set[tuple[int, int]] = set()
    for root, folders, names in os.walk(folder, followlinks=True):
        place = os.stat(root)  # noqa: PTH116
        if (place.st_dev, place.st_ino) in seen:
            folders.clear()
            continue
        seen.add((place.st_dev, place.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield Path(root), [Path(root, name) for name in sorted(names)]
