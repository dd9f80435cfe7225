"""Implementation of the Slicer module. Importing any part of it makes the bundled backend importable."""

from TextSegmentLib import bundle

bundle.make_importable()
