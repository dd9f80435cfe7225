"""Layouts in which labelled scans are published, each read by one module."""
