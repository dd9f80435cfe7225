"""Checkpoints: reading and writing weights, in the published layout and in TextSegment's own."""
