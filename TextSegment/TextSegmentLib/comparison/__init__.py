"""Comparison of a segmentation with a reference."""
