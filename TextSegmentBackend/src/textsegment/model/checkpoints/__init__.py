"""Weights in the layout that was published, read strictly and written."""
