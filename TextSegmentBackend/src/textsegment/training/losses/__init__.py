"""Losses over known voxels, at all resolutions."""
