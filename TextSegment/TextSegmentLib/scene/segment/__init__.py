"""One segment: its voxels, its look, and the tags that record where it came from."""
