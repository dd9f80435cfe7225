"""Image processing: from a scan to patches of the canonical grid, and from probabilities back to the scan."""
