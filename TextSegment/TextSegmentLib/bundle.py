"""Location of the backend's source: installed beside the module, or in the source tree."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

_MODULE_FOLDER = Path(__file__).resolve().parent.parent
_PLACES = (
    _MODULE_FOLDER / "TextSegmentBackend" / "src",
    _MODULE_FOLDER.parent / "TextSegmentBackend" / "src",
)


def backend_source() -> Path:
    """Return the folder that holds the package ``textsegment``.

    Raises:
        ImportError: The extension is incomplete.
    """
    for place in _PLACES:
        if (place / "textsegment" / "__init__.py").is_file():
            return place
    raise ImportError("The extension TextSegment is not complete: install it again.")


def make_importable() -> None:
    """Put the bundled backend first on ``sys.path``, so that no installed version shadows it."""
    source = str(backend_source())
    if source not in sys.path:
        sys.path.insert(0, source)
    # Slicer's own level is DEBUG: every request would write the address of the server to its log.
    logging.getLogger("urllib3").setLevel(logging.INFO)
