"""The Slicer module's parts. Importing any of them makes the bundled backend importable."""

from TextSegmentLib import bundle

bundle.make_importable()
