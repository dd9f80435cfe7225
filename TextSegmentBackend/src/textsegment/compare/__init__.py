"""Comparison of segmentations: how far a result is from a reference."""
