"""Folders below a folder, links followed, each once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def walk_files(folder: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Yield each folder, the given one first, with the sorted files in it.

    Links to folders are followed; a folder that was visited is not visited again, so that links in a circle
    come to an end. Hidden folders are passed over.
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
