# ruff: noqa: N999 - Slicer's way of naming
"""The Slicer module's parts. Importing any of them makes the bundled backend importable."""

from TextSegmentLib import bundle

bundle.make_importable()
