"""Uploaded volumes: on disk, bounded, for a while."""
