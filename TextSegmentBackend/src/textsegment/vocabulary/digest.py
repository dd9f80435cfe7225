"""Digest of the vocabulary: two programs with the same digest complete and resolve text identically."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib import resources

_FOLDER = "data"
_KINDS = (".json", ".tsv")


@lru_cache(maxsize=1)
def vocabulary_digest() -> str:
    """Return the SHA-256 digest of all data files of the vocabulary, as hexadecimal text."""
    digest = hashlib.sha256()
    folder = resources.files("textsegment.vocabulary") / _FOLDER
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(_KINDS):
            digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
