"""Segment anatomy in CT, MR and PET volumes by naming it."""

__version__ = "0.1.0"
