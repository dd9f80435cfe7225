"""The switch that has masks tidied by rules of anatomy."""

from __future__ import annotations

from typing import Any

from textsegment.derive.tidy import is_tidy_by_default
from textsegment.segmenter import ModelInfo

from TextSegmentLib import settings


class TidyBox:
    """Shows whether masks are tidied: as is usual for the model, until the user chooses.

    Args:
        box: The check box.
    """

    def __init__(self, box: Any) -> None:
        self._box = box
        self._box.connect("clicked(bool)", settings.set_tidy)

    @property
    def wanted(self) -> bool | None:
        """What the user chose; None for what is usual for the model."""
        return settings.tidy()

    def set_model(self, model: ModelInfo | None) -> None:
        """Show what will happen with the masks of a model; None if it is not known yet."""
        chosen = settings.tidy()
        usual = model is not None and is_tidy_by_default(model)
        self._box.checked = usual if chosen is None else chosen
