"""Data sets of labelled scans: one standard form on disk, how it is made, and how it is read."""
