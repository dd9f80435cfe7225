"""Stand-in for ``slicer.i18n``: English only, and strict about what is handed to it."""

import sys
import types

import slicer


def tr(text: str) -> str:
    """Returns the text as it is.

    Raises:
        TypeError: Anything but a text was given; Slicer would say so later, or never.
    """
    if not isinstance(text, str):
        raise TypeError(f"tr() takes a text, not {text!r}")
    return text


def translate(context: str, text: str) -> str:
    """Returns the text as it is; see ``tr``."""
    return tr(text)


def install() -> None:
    """Makes ``from slicer.i18n import tr as _`` work."""
    module = types.ModuleType("slicer.i18n")
    module.tr, module.translate = tr, translate
    sys.modules["slicer.i18n"] = module
    slicer.i18n = module
