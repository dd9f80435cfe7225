"""Who made a structure, as DICOM says it of regions and segments alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

GENERATION = "generation"
"""Key of the provenance: structures that the model did not make, or not alone, see ``generation_of``."""


def generation_of(structure: str, provenance: Mapping[str, Any]) -> str:
    """Return ``AUTOMATIC``; ``SEMIAUTOMATIC`` if it was edited since; nothing if nobody knows who made it."""
    return str(provenance.get(GENERATION, {}).get(structure, "AUTOMATIC"))
