"""Volumes as they are uploaded: a header, and voxels in chunks that are compressed separately."""
